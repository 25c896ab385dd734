"""Thresholds keep to their budget on background, and what is fitted can be switched on at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.events.feasible import check_feasible
from monitor.events.machine import ClassMachine
from monitor.records import Level
from monitor.settings import NEVER, ClassSettings
from training.data.audio import RATE
from training.data.corpora import CLASSES, LABELS
from training.features.front_end import HOP
from training.mixing.streams import Scored
from training.scoring.calibration import (
    BUDGETS,
    TEMPERS,
    CalibrationStreams,
    fit_class,
    fit_temperature,
    lowered,
)
from training.scoring.evaluation import alert_figures
from training.scoring.event_logic import Tape, smoothed

HOP_S = HOP / RATE
COLUMN = LABELS.index("dog_bark")
ALARM = 0.8


def stream(scores: np.ndarray, label: str = "", onset_s: float = 0.0, offset_s: float = 0.0) -> Scored:
    """A stream in which one class's score is given and all others are 0."""
    rows = np.zeros((len(scores), len(LABELS)), np.float32)
    rows[:, COLUMN] = scores
    times = HOP_S * np.arange(1, len(scores) + 1)
    levels = (Level(-30.0, -20.0, -50.0, False),) * len(scores)
    return Scored("", label, onset_s, offset_s, times, rows, levels)


def heard(own: float = 0.9, other: float = 0.1, alarms: int = 0, alarm: float = ALARM) -> CalibrationStreams:
    """Scenes of the class that reach ``own``, of another that reach ``other``, and an hour of background."""
    peak = np.zeros(20)
    peak[7:11] = 1.0
    scenes = [stream(peak * own, "dog_bark", 3.0, 5.0)] * 10 + [stream(peak * other, "siren", 3.0, 5.0)] * 10
    bed = np.zeros(7200)
    bed[100 : 100 + 100 * alarms : 100] = alarm
    return CalibrationStreams(tuple(scenes), (stream(bed),), (), 2.0, HOP_S)


def once_in_three_hours() -> CalibrationStreams:
    """As often as the quiet profile allows, once the hours are rounded."""
    assert round(BUDGETS["quiet"].alarms_per_hour * 3) == 1
    return replace(heard(), beds=heard(alarms=1).beds + heard().beds * 2)


BARK = replace(TEMPERS["dog_bark"], smoothings_s=(0.0, 0.5))


def test_quiet_keeps_to_its_alarms_an_hour() -> None:
    for alarms in (0, 1, 2, 30):
        fitted = fit_class("dog_bark", COLUMN, heard(alarms=alarms)).profiles["quiet"]
        figures = alert_figures((), heard(alarms=alarms).beds, {"dog_bark": fitted})
        assert figures[CLASSES.index("dog_bark")].false_alarms <= BUDGETS["quiet"].alarms_per_hour


def test_quiet_raises_nothing_on_speech_where_other_background_may() -> None:
    once = once_in_three_hours()
    speech = replace(once, beds=tuple(replace(bed, name="speech/someone") for bed in once.beds))
    enter = {
        name: fit_class("dog_bark", COLUMN, made, BARK).profiles["quiet"].enter
        for name, made in {"street": once, "speech": speech}.items()
    }
    assert enter["speech"] > ALARM >= enter["street"]


def test_an_alarm_counts_once_where_background_repeats_itself() -> None:
    """The second half of the bed is the first again."""
    alarms = [100, 150, 200, 2100, 2150, 2200]
    scores = np.zeros(4000)
    scores[alarms] = ALARM
    bed = replace(stream(scores), again=((2000 * HOP_S, 4000 * HOP_S),))
    settings = ClassSettings(enter=0.5, exit=0.2, attack_s=0.0, smoothing_s=0.0, cooldown_s=1.0)
    figures = alert_figures((), (bed,), {"dog_bark": settings})[CLASSES.index("dog_bark")]
    tape = Tape((stream(np.zeros(10)), bed), COLUMN, 0.0, HOP_S)
    assert figures.false_alarms == tape.alarms(settings) == 3
    assert bed.seconds == pytest.approx(2000 * HOP_S)


def test_settings_that_the_monitor_would_refuse_are_not_allowed() -> None:
    """A card of ours says that the sound lasts two seconds; for another's model it may be half of one."""
    settings = ClassSettings(enter=0.99, exit=0.5, attack_s=0.0, smoothing_s=2.0)
    made = replace(heard(), window_s=0.975)
    assert made.allows("street_music", settings, 2.0)
    assert not replace(made, shortest_s=0.5).allows("street_music", settings, 2.0)


def test_a_score_lowered_and_raised_again_is_itself() -> None:
    for score in (0.1, 0.5, 0.99):
        assert lowered(lowered(score, 1.2), -1.2) == pytest.approx(score)
        assert lowered(score, 0.3) < score


def test_an_urgent_class_may_not_raise_what_another_may() -> None:
    once = once_in_three_hours()
    usual, urgent = (
        fit_class("dog_bark", COLUMN, once, replace(BARK, alarms=share)).profiles["quiet"].enter
        for share in (1.0, 0.25)
    )
    assert urgent > ALARM >= usual


def test_a_class_without_false_alarms_is_heard_every_time() -> None:
    fitted = fit_class("dog_bark", COLUMN, heard()).profiles
    for settings in fitted.values():
        row = alert_figures(heard().scenes, heard().beds, {"dog_bark": settings})[CLASSES.index("dog_bark")]
        assert (row.heard, row.scenes) == (10, 10)


def test_quiet_keeps_a_class_silent_that_it_would_hardly_ever_hear() -> None:
    """One sound of ten scores more than a bed does at times."""
    made = heard(alarms=3)
    faint = [replace(one, scores=one.scores * np.float32(0.5)) for one in made.scenes[1:10]]
    fitted = fit_class("dog_bark", COLUMN, replace(made, scenes=(made.scenes[0], *faint, *made.scenes[10:])))
    assert fitted.profiles["quiet"].enter == NEVER
    assert fitted.profiles["sensitive"].enter < NEVER


def test_other_sounds_that_raise_the_class_lift_its_threshold() -> None:
    apart = fit_class("dog_bark", COLUMN, heard(other=0.1)).profiles["quiet"]
    close = fit_class("dog_bark", COLUMN, heard(other=0.72)).profiles["quiet"]
    assert close.enter > 0.72 > apart.enter


def test_short_sounds_that_are_no_class_count_by_their_share() -> None:
    surprising = np.zeros(10_000)
    surprising[::20] = 0.6
    with_others = CalibrationStreams(heard().scenes, heard().beds, (stream(surprising),), 2.0, HOP_S)
    assert fit_class("dog_bark", COLUMN, with_others).profiles["quiet"].enter > 0.6


def test_quiet_is_never_below_sensitive() -> None:
    fitted = fit_class("dog_bark", COLUMN, heard(alarms=3)).profiles
    assert fitted["quiet"].enter >= fitted["sensitive"].enter


@pytest.mark.parametrize("label", CLASSES)
def test_every_fitted_class_can_be_switched_on_by_its_shortest_sound(label: str) -> None:
    rng = np.random.default_rng(0)
    for level in (0.3, 0.6, 0.98):
        scores = np.clip(rng.normal(level, 0.3, (10, 20)), 0, 1)
        scenes = tuple(stream(row, own, 3.0, 5.0) for row in scores for own in (label, "other"))
        beds = (stream(np.clip(rng.normal(0.2, 0.2, 2000), 0, 1)),)
        fitted = fit_class(label, COLUMN, CalibrationStreams(scenes, beds, (), 2.0, HOP_S))
        for settings in fitted.profiles.values():
            assert check_feasible(label, settings, TEMPERS[label].shortest_s, 2.0, HOP_S) is None


def test_shifts_are_the_delay_of_the_scores() -> None:
    fitted = fit_class("dog_bark", COLUMN, heard(), BARK).profiles["quiet"]
    # Row 7 ends at 4.0 s, a second after the onset; the first row below ends at 6.0 s.
    assert fitted.onset_shift_s == pytest.approx(1.0 + fitted.smoothing_s / 2, abs=0.51)
    assert fitted.offset_shift_s == pytest.approx(1.0, abs=1.01)


def test_temperature_recovers_the_scale_of_the_logits() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 3)).astype(np.float32)
    targets = (rng.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    assert fit_temperature(logits * 2, targets) == pytest.approx(2.0, rel=0.1)


def test_smoothing_is_the_mean_of_the_rows_it_spans() -> None:
    scores = np.array([0.0, 1.0, 0.0, 0.0], np.float32)
    assert smoothed(scores, 0.0, 0.5).tolist() == [0, 1, 0, 0]
    assert smoothed(scores, 1.0, 0.5).tolist() == [0, 0.5, 0.5, 0]


@pytest.mark.parametrize("smoothing_s", [0.0, 1.0])
@pytest.mark.parametrize("attack_s", [0.0, 1.0])
@pytest.mark.parametrize("rise_s", [0.0, 1.5, 2.4])
def test_events_open_and_are_dated_as_the_monitor_does_it(
    smoothing_s: float, attack_s: float, rise_s: float
) -> None:
    rng = np.random.default_rng(1)
    streams = []
    for _ in range(10):
        odds = np.convolve(rng.normal(0, 3.0, 80), np.ones(4), mode="same")
        streams.append(stream((1 / (1 + np.exp(-odds))).astype(np.float32)))
    settings = ClassSettings(
        enter=0.7, exit=0.42, attack_s=attack_s, release_s=1.0, smoothing_s=smoothing_s,
        rise_s=rise_s,
    )  # fmt: skip
    tape = Tape(streams, COLUMN, smoothing_s, HOP_S)
    starts = tape.starts(settings)
    # A machine does not date an event into the one before; the tape does not know of that.
    found, expected = iter(zip(starts, tape.rises(starts, settings), strict=True)), 0
    for begin, one in zip(tape.begins, streams, strict=True):
        machine = ClassMachine("dog_bark", settings, rate=RATE, next_key=lambda: 1)
        ended = 0
        for row, score in enumerate(one.scores[:, COLUMN]):
            decision = machine.push((row + 1) * HOP, float(score), one.levels[row])
            if decision is not None and decision.type == "start":
                opened, dated = next(found)
                assert opened == begin + row
                assert decision.start_pos == pytest.approx(max(ended, (dated - begin + 1) * HOP), abs=2)
                expected += 1
            elif decision is not None and decision.end_pos is not None:
                ended = decision.end_pos
    assert expected == len(starts) > 20
