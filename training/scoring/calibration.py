"""From logits to decisions: one temperature per model, and the settings of each class per profile.

Everything is fitted on development data: recordings and backgrounds used for neither training nor
test. A class gets the settings with the best mean F-score (event onsets, detected sounds) among those
that meet the profile's limit on false alarms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from monitor.events.feasible import check_feasible
from monitor.model.card import ClassCard, ProfileName
from monitor.settings import NEVER, ClassSettings
from training.base.arrays import Floats
from training.base.maths import LEAST_SCORE, best_temperature, binary_cross_entropy, log_odds
from training.mixing.streams import Scored
from training.scoring.event_logic import Tape

Numbers = NDArray[np.float64]
_RISE_S, _FALL_S, _GRID = 0.3, 1.0, tuple(np.geomspace(0.3, 4.0, 40))
"""Seconds after an onset and an offset during which a row has no defined target; temperatures to try."""


def fit_temperature(logits: Floats, targets: Floats) -> float:
    """Return the temperature that minimises binary cross-entropy over windows (Guo et al., 2017)."""
    return best_temperature(logits, lambda scaled: binary_cross_entropy(scaled, targets), _GRID)


def rows_of(streams: Sequence[Scored], classes: Sequence[str]) -> tuple[Floats, Floats]:
    """Return logits and targets of the first columns, ``classes``, for rows with an unambiguous target.

    Rows just after an onset or offset of any class are excluded.
    """
    logits, targets = [], []
    for stream in streams:
        holds, sure = row_targets(stream, classes)
        logits.append(log_odds(stream.scores[sure, : len(classes)].astype(np.float64)))
        targets.append(holds[sure])
    return np.concatenate(logits).astype(np.float32), np.concatenate(targets).astype(np.float32)


def row_targets(stream: Scored, classes: Sequence[str]) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return the target of each row and class, and which rows have an unambiguous one."""
    holds = np.zeros((len(stream.times_s), len(classes)))
    known = np.ones(holds.shape, bool)
    for label, onset_s, offset_s in stream.sounds:
        column, since = classes.index(label), stream.times_s - onset_s
        holds[(since > _RISE_S) & (stream.times_s <= offset_s), column] = 1.0
        known[(since > 0) & (since <= _RISE_S), column] = False
        known[(stream.times_s > offset_s) & (stream.times_s <= offset_s + _FALL_S), column] = False
    return holds, np.all(known | (holds > 0), axis=1)


def recalibrated(stream: Scored, temperature: float) -> Scored:
    """Return a stream scored at temperature 1 with another temperature applied."""
    safe = stream.scores.astype(np.float64).clip(LEAST_SCORE, 1 - LEAST_SCORE)
    odds = (safe / (1 - safe)) ** (1 / temperature)
    return replace(stream, scores=(odds / (1 + odds)).astype(np.float32))


@dataclass(frozen=True)
class Temper:
    """Prior knowledge of a class that is fixed before fitting, such as the duration of its sounds.

    ``shortest_s`` keeps impulsive sounds from being smoothed away. ``wanted`` weights recall as in F-beta,
    for classes where a miss costs more than a false alarm. ``alarms`` is the class's share of a profile's
    false-alarm limit, reduced for urgent classes.
    """

    shortest_s: float
    smoothings_s: tuple[float, ...]
    attacks_s: tuple[float, ...]
    release_s: float
    wanted: float = 1.0
    alarms: float = 1.0


_URGENT = 0.25
# One smoothing each: chosen for each class on two folds, it followed their noise (docs/default-model.md).
_BRIEF = Temper(0.25, (1.0,), (0.0,), 1.0)
_STEADY = Temper(2.0, (2.0,), (0.0,), 2.0)
_WANTED = 2.0
# Long sounds for which a late alert is useless.
_PROMPT = Temper(2.0, (2.0,), (0.0,), 2.0, _WANTED, _URGENT)
TEMPERS = {
    "air_conditioner": _STEADY,
    "car_horn": replace(_BRIEF, alarms=_URGENT),
    "children_playing": _STEADY,
    "dog_bark": replace(_BRIEF, wanted=_WANTED),
    "drilling": _STEADY,
    "engine_idling": _STEADY,
    "gun_shot": replace(_BRIEF, alarms=_URGENT),
    "jackhammer": _PROMPT,
    "siren": _PROMPT,
    "street_music": _STEADY,
}


@dataclass(frozen=True)
class Budget:
    """Operating-point constraint of a profile, per class.

    ``alarms_per_hour`` limits false alarms on background, ``share_of_others`` the share of short out-of-class
    sounds that trigger the class; ``least_enter`` is the lower bound of ``enter``; ``speech`` permits
    alarms on speech. Alarms are counted with ``enter`` lowered by ``margin`` (log-odds), for headroom on
    unseen background. A class that detects less than ``least_heard`` of its sounds is disabled; with
    ``never_silent``, a class that no threshold keeps within the limits gets the strictest one.
    """

    alarms_per_hour: float
    speech: bool
    margin: float
    share_of_others: float
    least_enter: float
    cooldown_s: float
    least_heard: float
    never_silent: bool = False


BUDGETS: dict[ProfileName, Budget] = {
    "quiet": Budget(0.3, False, 0.3, 0.02, 0.7, 2.0, 0.15),
    "sensitive": Budget(6.0, True, 0.0, 0.1, 0.1, 1.0, 0.0),
}
SPEECH = "speech"
"""The kind of background on which the profile ``quiet`` must not raise alarms."""
ENTERS = np.round(np.concatenate([np.arange(0.1, 0.95, 0.025), [0.95, 0.96, 0.97, 0.98, 0.985, 0.99]]), 3)
"""None above .99, where a thousandth decides; an attack time has the same effect there."""
_EXIT_SHARE = 0.15
"""Relative to ``enter``: a continuous sound must not be reported again after every weak hop."""
RISE_S = 2.4
"""Longest rise of the score before an event's first row: five hops of 0.48 s."""
OTHER_S = 5.0
"""Length of a short sound in the streams of out-of-class sounds: ESC's clips."""
COLLAR_S = 0.5
_EARLY_S, _LATE_S = 0.5, 3.0
"""Search range around an onset for the estimated onset of its event."""
_TOLD_S = 2.0
"""Latest decision after a sound's offset that still counts as its detection."""


@dataclass(frozen=True)
class CalibrationStreams:
    """Streams scored by models that did not train on them, all at one hop.

    ``scenes`` hold sounds of all classes at known times, ``beds`` background only, ``others`` concatenated
    short sounds of no class. ``window_s`` and ``hop_s`` are the model's; ``shortest_s`` is the shortest sound
    that the monitor assumes for a class whose card does not state one.
    """

    scenes: tuple[Scored, ...]
    beds: tuple[Scored, ...]
    others: tuple[Scored, ...]
    window_s: float
    hop_s: float
    shortest_s: float | None = None

    def allows(self, label: str, settings: ClassSettings, shortest_s: float) -> bool:
        """Return whether a sound of ``shortest_s`` can trigger the class and the settings are valid."""
        times = (self.window_s, self.hop_s)
        if check_feasible(label, settings, shortest_s, *times) is not None:
            return False
        problem = check_feasible(label, settings, self.shortest_s or shortest_s, *times)
        return problem is None or problem.severity == "warn"


def fit_class(
    label: str, column: int, given: CalibrationStreams, temper: Temper | None = None,
    budgets: Mapping[ProfileName, Budget] = BUDGETS, enters: Numbers = ENTERS,
) -> ClassCard:  # fmt: skip
    """Fit the settings of one class, whose score is ``column`` of the streams.

    ``temper`` None selects the entry of :data:`TEMPERS`; ``enters`` are the thresholds to try, ascending.
    """
    temper, profiles = temper or TEMPERS[label], dict[ProfileName, ClassSettings]()
    for name, budget in budgets.items():
        profiles[name] = _fit_profile(label, column, given, temper, budget, enters)
    return ClassCard(shortest_s=temper.shortest_s, profiles=profiles)


def _fit_profile(
    label: str, column: int, given: CalibrationStreams, temper: Temper, budget: Budget, enters: Numbers
) -> ClassSettings:  # fmt: skip
    """Return the best feasible timing and thresholds within the operating-point constraint."""
    best, best_value, last = None, 0.0, None
    for smoothing_s, attack_s in product(temper.smoothings_s, temper.attacks_s):
        scenes, beds, others = (
            Tape(streams, column, smoothing_s, given.hop_s)
            for streams in (given.scenes, given.beds, given.others)
        )
        speech = Tape(() if budget.speech else speech_of(given.beds), column, smoothing_s, given.hop_s)
        for enter in enters[budget.least_enter <= enters]:
            settings = settings_for(float(enter), smoothing_s, attack_s, temper, budget)
            lower = settings_for(lowered(float(enter), budget.margin), smoothing_s, attack_s, temper, budget)
            if not (
                # Rounded, so that 58 minutes at one alarm an hour allow one.
                beds.alarms(lower) <= round(budget.alarms_per_hour * temper.alarms * beds.seconds / 3600)
                and len(others.starts(settings)) <= budget.share_of_others * others.seconds / OTHER_S
                and not speech.alarms(lower)
            ):
                continue
            if not given.allows(label, settings, temper.shortest_s):
                continue
            last = settings
            value, told, onset_shift_s = worth_of(label, scenes, settings, temper.wanted)
            if value > best_value + 1e-9 and told >= budget.least_heard:
                best, best_value = settings.model_copy(update={"onset_shift_s": onset_shift_s}), value
    if best is None:
        least = float(enters[-1]) if budget.never_silent else NEVER
        strictest = settings_for(least, temper.smoothings_s[0], temper.attacks_s[-1], temper, budget)
        best = strictest if last is None or budget.least_heard else last
    return best.model_copy(update={"offset_shift_s": offset_shift(label, column, given, best)})


def settings_for(
    enter: float, smoothing_s: float, attack_s: float, temper: Temper, budget: Budget
) -> ClassSettings:
    return ClassSettings(
        enter=enter,
        exit=round(enter * _EXIT_SHARE, 3),
        attack_s=attack_s,
        release_s=temper.release_s,
        smoothing_s=smoothing_s,
        cooldown_s=budget.cooldown_s,
        rise_s=RISE_S,
    )


def lowered(score: float, by: float) -> float:
    """Return a score lowered by ``by`` in log-odds."""
    return score / (score + math.exp(by) * (1.0 - score))


def speech_of(beds: Sequence[Scored]) -> tuple[Scored, ...]:
    return tuple(background for background in beds if background.name.startswith(f"{SPEECH}/"))


def worth_of(label: str, tape: Tape, settings: ClassSettings, wanted: float) -> tuple[float, float, float]:
    """Return the mean F-score (onsets within the collar, detected sounds), recall and the onset shift."""
    truths, starts = tape.truths(label), tape.starts(settings)
    dated = np.sort(tape.rises(starts, settings))
    shift = _onset_shift(dated, truths, tape.hop_s)
    if shift is None:
        return 0.0, 0.0, 0.0
    hits = _matched(dated - shift, truths[:, 0], COLLAR_S / tape.hop_s)
    late = _TOLD_S / tape.hop_s
    first = np.searchsorted(starts, truths[:, 0], side="right")
    last = np.searchsorted(starts, truths[:, 1] + late, side="right")
    told = (last > first).mean()
    within = np.zeros(len(starts) + 1)
    np.add.at(within, first, 1)
    np.add.at(within, last, -1)
    true = (np.cumsum(within)[:-1] > 0).mean()
    onsets = _f_beta(hits / len(truths), hits / len(starts), 1.0)
    value = (onsets + _f_beta(float(told), float(true), wanted)) / 2
    return value, float(told), round(shift * tape.hop_s, 2)


def _onset_shift(dated: Numbers, truths: Numbers, hop_s: float) -> float | None:
    """Return the median rows from the true onset to the estimated one."""
    at = np.searchsorted(dated, truths[:, 0] - _EARLY_S / hop_s)
    after = np.append(dated, np.inf)[at] - truths[:, 0]
    found = after[after <= _LATE_S / hop_s]
    return float(np.median(found)) if len(found) else None


def _matched(found: Numbers, onsets: Numbers, collar: float) -> int:
    """Return the size of the largest one-to-one matching of events and onsets within the collar."""
    hits = taken = 0
    for onset in onsets:
        while taken < len(found) and found[taken] < onset - collar:
            taken += 1
        if taken < len(found) and found[taken] <= onset + collar:
            hits, taken = hits + 1, taken + 1
    return hits


def _f_beta(recall: float, precision: float, beta: float) -> float:
    down = beta**2 * precision + recall
    return float((1 + beta**2) * precision * recall / down) if down > 0 else 0.0


def offset_shift(label: str, column: int, given: CalibrationStreams, settings: ClassSettings) -> float:
    """Return the median seconds from offset to the first row below exit, for sounds above ``enter``."""
    tape = Tape(given.scenes, column, settings.smoothing_s, given.hop_s)
    starts = tape.starts(settings)
    late = []
    for onset, offset in tape.truths(label):
        if ((starts > onset) & (starts <= offset)).any():
            below = tape.first_below(offset, settings.exit)
            if below is not None:
                late.append((below - offset) * given.hop_s)
    return round(float(np.median(late)), 2) if late else 1.0
