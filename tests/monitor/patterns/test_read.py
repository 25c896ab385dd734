"""What is read off a recording is what was in it, and it is recognised again."""

from __future__ import annotations

import numpy as np
import pytest
from alarms import alarm, noise
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.listening import OwnPattern
from monitor.config.patterns import own_pattern
from monitor.patterns.detector import PatternScores
from monitor.patterns.read import read_pattern
from monitor.patterns.spec import Pattern


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    hz=st.floats(500.0, 5000.0),
    beep_s=st.floats(0.15, 0.8),
    gap_s=st.floats(0.15, 0.8),
    count=st.integers(2, 4),
    pause=st.floats(2.5, 4.0),
    rate=st.sampled_from([16000, 44100]),
)
def test_a_pattern_is_read_and_then_recognised(
    hz: float, beep_s: float, gap_s: float, count: int, pause: float, rate: int
) -> None:
    pattern = Pattern("own", ((1.0, 8000.0),), beep_s, gap_s, count, pause * gap_s + 0.3)
    seconds = 4 * pattern.cycle_s + 1.0
    samples = alarm(pattern, hz, seconds, rate=rate) * 0.1 + noise(seconds, -50, rate=rate)
    found = read_pattern(samples, rate)
    assert found.count == count
    assert abs(found.hz - hz) < 10.0
    lengths = (found.beep_s - beep_s, found.gap_s - gap_s, found.pause_s - pattern.pause_s)
    assert max(map(abs, lengths)) < 0.04
    values = {name: getattr(found, name) for name in ("hz", "beep_s", "gap_s", "count", "pause_s")}
    own = own_pattern("own", OwnPattern(**values))
    detector = PatternScores((own,), rate)
    assert max(detector.push(part)[0] for part in np.array_split(samples, 40)) >= 0.85


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
