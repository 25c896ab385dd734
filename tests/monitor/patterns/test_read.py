"""What is read off a recording is what was in it, and it is recognised again."""

from __future__ import annotations

import numpy as np
import pytest
from alarms import alarm, noise
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from monitor.config.listening import OwnPattern
from monitor.config.patterns import ENTER, own_pattern
from monitor.patterns.detector import PatternScores
from monitor.patterns.read import read_pattern
from monitor.patterns.spec import SPAN_MAX_S, STEPS_MAX, Pattern

LENGTHS = st.floats(np.log(0.07), np.log(5.0)).map(np.exp).map(float)


@settings(max_examples=25)
@given(
    hz=st.floats(210.0, 7000.0),
    beep_s=LENGTHS,
    gap_s=LENGTHS,
    count=st.integers(1, 3) | st.integers(1, 12),
    pause=st.floats(1.5, 5.0),
    start_s=st.floats(0.3, 2.0),
    rate=st.sampled_from([16000, 22050, 32000, 44100]),
)
@example(1331.5, 0.75, 0.77, 2, 3.9, 1.0, 44100)  # a beep that fills all frames of a first look
@example(463.0, 4.754, 0.33, 2, 3.96, 1.0, 16000)  # a beep that fills whole chunks
@example(811.0, 1.529, 0.105, 2, 2.3, 1.0, 16000)  # a pause in which no beep fits
@example(2373.0, 0.617, 0.103, 4, 5.5, 1.718, 32000)  # gaps between the frames of a first look
@example(540.0, 0.1, 0.156, 2, 5.0, 1.095, 16000)  # beeps between the frames of a first look
@example(331.0, 0.368, 0.902, 8, 1.6, 1.0, 44100)  # a line near 0 Hz; a pause as short as pauses may be
@example(3045.0, 0.119, 2.215, 1, 1.5, 0.787, 16000)  # four beeps and no more
def test_a_pattern_that_config_accepts_is_read_and_then_recognised_from_two_groups(
    hz: float, beep_s: float, gap_s: float, count: int, pause: float, start_s: float, rate: int
) -> None:
    # A reading is right to a fraction of a frame: here and below, so much is left to the limits of config.
    pause_s = pause * gap_s + 0.03 if count > 1 else gap_s
    pattern = accepted(hz, beep_s, gap_s, count, pause_s)
    assume(pattern is not None and pattern.span_s < 0.98 * SPAN_MAX_S)
    assert pattern is not None
    assume(np.prod(pattern.steps) < 0.7 * STEPS_MAX)
    seconds = start_s + pattern.groups * pattern.cycle_s + 1.5
    samples = alarm(pattern, hz, seconds, rate=rate, start_s=start_s) * 0.1 + noise(seconds, -50, rate=rate)
    found = read_pattern(samples, rate)
    assert found.count == count
    assert abs(found.hz - hz) < 10.0
    lengths = (found.beep_s - beep_s, found.gap_s - gap_s, found.pause_s - pattern.pause_s)
    assert max(map(abs, lengths)) < 0.02
    own = accepted(found.hz, found.beep_s, found.gap_s, found.count, found.pause_s)
    assert own is not None
    ends = pattern.groups * pattern.cycle_s - pattern.pause_s + start_s
    samples[round(ends * rate) :] = noise(seconds, -50, rate=rate)[round(ends * rate) :]
    detector = PatternScores((own,), rate)
    assert max(detector.push(part)[0] for part in np.array_split(samples, 80)) >= ENTER


def accepted(hz: float, beep_s: float, gap_s: float, count: int, pause_s: float) -> Pattern | None:
    """The pattern of one's own, or None if config refuses it."""
    try:
        values = {"hz": hz, "beep_s": beep_s, "gap_s": gap_s, "count": count, "pause_s": pause_s}
        return own_pattern("own", OwnPattern.model_validate(values))
    except ValueError:
        return None


def test_regular_beeps_are_groups_of_one() -> None:
    pattern = Pattern("own", ((1.0, 8000.0),), 0.5, 0.5, 1, 1.0)
    found = read_pattern(alarm(pattern, 1000.0, 12.0) * 0.1 + noise(12.0, -60), 16000)
    assert found.count == 1
    assert abs(found.pause_s - 1.0) < 0.04


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (noise(5.0, -30), "no tone"),
        (np.zeros(0, np.float32), "no tone"),
        (np.sin(np.arange(80000)).astype(np.float32), "four beeps"),
        (alarm(Pattern("x", ((1.0, 2.0),), 0.3, 0.3, 4, 60.0 - 35.0), 2000.0, 9.0), "two equal groups|count"),
    ],
)
def test_a_recording_without_a_pattern_is_refused(samples: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_pattern(samples, 16000)
