"""From logits to decisions: one temperature, and per class the settings of each profile.

All is fitted on development data: recordings and backgrounds that neither trained nor test. A
class's settings are those with the best F-score of onsets and of sounds heard, among those whose
false alarms on background keep to the profile's budget.
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

TEMPERATURES = tuple(np.geomspace(0.3, 4.0, 40))
_RISE_S, _FALL_S = 0.3, 1.0
"""For so long after a sound's onset and end a row is not asked what it should have said."""


def fit_temperature(logits: Floats, targets: Floats) -> float:
    """Return the temperature with the least binary cross-entropy over windows (Guo et al., 2017)."""
    return best_temperature(logits, lambda scaled: binary_cross_entropy(scaled, targets), TEMPERATURES)


def rows_of(streams: Sequence[Scored], classes: Sequence[str]) -> tuple[Floats, Floats]:
    """Return logits and targets of the first columns, ``classes``, in rows where it is known what holds.

    A row is left out in which any class has just begun or ended.
    """
    logits, targets = [], []
    for stream in streams:
        scores = stream.scores[:, : len(classes)].astype(np.float64)
        holds, known = np.zeros(scores.shape), np.ones(scores.shape, bool)
        for label, onset_s, offset_s in stream.sounds:
            column, since = classes.index(label), stream.times_s - onset_s
            holds[(since > _RISE_S) & (stream.times_s <= offset_s), column] = 1.0
            known[(since > 0) & (since <= _RISE_S), column] = False
            known[(stream.times_s > offset_s) & (stream.times_s <= offset_s + _FALL_S), column] = False
        sure = (known | (holds > 0)).all(axis=1)
        logits.append(log_odds(scores)[sure])
        targets.append(holds[sure])
    return np.concatenate(logits).astype(np.float32), np.concatenate(targets).astype(np.float32)


def recalibrated(stream: Scored, temperature: float) -> Scored:
    """A stream scored at temperature 1, at another."""
    safe = stream.scores.astype(np.float64).clip(LEAST_SCORE, 1 - LEAST_SCORE)
    odds = (safe / (1 - safe)) ** (1 / temperature)
    return replace(stream, scores=(odds / (1 + odds)).astype(np.float32))


@dataclass(frozen=True)
class Temper:
    """What is fixed per class before fitting: how long such a sound lasts.

    A class of single bangs must not be smoothed away; a steady sound must prove itself. ``wanted``
    is the weight of its recall, as in F-beta: where a miss is worse than a false alarm; ``alarms`` the
    share of a profile's false alarms that it may raise: where one gets somebody out of bed.
    """

    shortest_s: float
    smoothings_s: tuple[float, ...]
    attacks_s: tuple[float, ...]
    release_s: float
    wanted: float = 1.0
    alarms: float = 1.0


_URGENT = 0.25
_BRIEF = Temper(0.25, (0.0, 0.5), (0.0, 0.25, 0.5), 1.0)
_STEADY = Temper(2.0, (0.0, 1.0, 2.0), (0.0, 0.5, 1.0), 2.0)
_WANTED = 2.0
# Long sounds that are worth nothing late.
_PROMPT = Temper(2.0, (0.0, 0.5, 1.0), (0.0, 0.25, 0.5), 2.0, _WANTED, _URGENT)
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
    """What a profile may cost, per class.

    alarms_per_hour : false alarms on background; share_of_others : of short sounds that are none of
    the classes, the share that may raise this one; least_enter : floor of ``enter``; speech : whether
    background of speech may raise it; margin : log-odds by which ``enter`` is lowered when the alarms
    are counted: what just keeps quiet on an hour of background does not on the next; least_heard : share of
    the sounds that must be told of, else the class keeps silent: its false alarms would buy next to nothing;
    never_silent : a class that no threshold keeps within the budget is given the strictest one
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
"""The kind of background on which the profile ``quiet`` may raise nothing."""
ENTERS = np.round(np.concatenate([np.arange(0.1, 0.95, 0.025), [0.95, 0.96, 0.97, 0.98, 0.985, 0.99]]), 3)
"""None above .99: there a thousandth decides, and an attack does what such a threshold would."""
_EXIT_SHARE = 0.15
"""Of ``enter``: a sound that goes on must not be reported anew at every weak hop."""
RISE_S = 2.4
"""How long before an event's first row its score may begin to rise: five hops of 0.48 s."""
RULE = (BUDGETS, TEMPERS, ENTERS.tolist(), _EXIT_SHARE, RISE_S, "what repeats counts once")
"""By what settings are chosen: where it is another, so are they."""
OTHER_S = 5.0
"""Length of a short sound in the streams of others: ESC's clips."""
COLLAR_S = 0.5
_EARLY_S, _LATE_S = 0.5, 3.0
"""Where, around a sound's onset, what its event is dated from is looked for."""
_TOLD_S = 2.0
"""A decision that comes so long after the sound's end still tells of it."""


@dataclass(frozen=True)
class CalibrationStreams:
    """Streams that models score without having trained on them, all at one hop.

    scenes : sounds at known times, of all classes; beds : background alone; others : short sounds that
    are none of the classes, one after another; window_s, hop_s : of the model; shortest_s : what the
    monitor takes for a class's shortest sound where no card of ours tells it
    """

    scenes: tuple[Scored, ...]
    beds: tuple[Scored, ...]
    others: tuple[Scored, ...]
    window_s: float
    hop_s: float
    shortest_s: float | None = None

    def allows(self, label: str, settings: ClassSettings, shortest_s: float) -> bool:
        """Whether such a sound can surely switch the class on, and the monitor takes the settings."""
        times = (self.window_s, self.hop_s)
        if check_feasible(label, settings, shortest_s, *times) is not None:
            return False
        problem = check_feasible(label, settings, self.shortest_s or shortest_s, *times)
        return problem is None or problem.severity == "warn"


def fit_class(
    label: str, column: int, heard: CalibrationStreams, temper: Temper | None = None,
    budgets: Mapping[ProfileName, Budget] = BUDGETS,
) -> ClassCard:  # fmt: skip
    """Fit the settings of one class, whose score is ``column`` of the streams.

    temper : None for one of :data:`TEMPERS`
    """
    temper = temper or TEMPERS[label]
    profiles: dict[ProfileName, ClassSettings] = {}
    for name, budget in budgets.items():
        profiles[name] = _fit_profile(label, column, heard, temper, budget)
    return ClassCard(shortest_s=temper.shortest_s, profiles=profiles)


def _fit_profile(
    label: str, column: int, heard: CalibrationStreams, temper: Temper, budget: Budget
) -> ClassSettings:
    """The best of all timings and thresholds that keep to the budget and are feasible."""
    best, best_value = None, 0.0
    last = None
    for smoothing_s, attack_s in product(temper.smoothings_s, temper.attacks_s):
        scenes, beds, others = (
            Tape(streams, column, smoothing_s, heard.hop_s)
            for streams in (heard.scenes, heard.beds, heard.others)
        )
        speech = Tape(() if budget.speech else _speech(heard.beds), column, smoothing_s, heard.hop_s)
        alarms = budget.alarms_per_hour * temper.alarms
        for enter in ENTERS[budget.least_enter <= ENTERS]:
            settings = _settings(float(enter), smoothing_s, attack_s, temper, budget)
            lower = _settings(lowered(float(enter), budget.margin), smoothing_s, attack_s, temper, budget)
            if not (
                # Whole alarms are counted: 58 minutes at one an hour allow one.
                beds.alarms(lower) <= round(alarms * beds.seconds / 3600)
                and len(others.starts(settings)) <= budget.share_of_others * others.seconds / OTHER_S
                and not speech.alarms(lower)
            ):
                continue
            if not heard.allows(label, settings, temper.shortest_s):
                continue
            last = settings
            value, told, onset_shift_s = _worth(label, scenes, settings, temper.wanted)
            if value > best_value + 1e-9 and told >= budget.least_heard:
                best, best_value = settings.model_copy(update={"onset_shift_s": onset_shift_s}), value
    if best is None:
        least = float(ENTERS[-1]) if budget.never_silent else NEVER
        strictest = _settings(least, temper.smoothings_s[0], temper.attacks_s[-1], temper, budget)
        best = strictest if last is None or budget.least_heard else last
    return best.model_copy(update={"offset_shift_s": _offset_shift(label, column, heard, best)})


def _settings(
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
    """A score further down by ``by`` in log-odds."""
    return score / (score + math.exp(by) * (1.0 - score))


def _speech(beds: Sequence[Scored]) -> tuple[Scored, ...]:
    return tuple(bed for bed in beds if bed.name.startswith(f"{SPEECH}/"))


def _worth(label: str, tape: Tape, settings: ClassSettings, wanted: float) -> tuple[float, float, float]:
    """Mean of the F-scores of onsets within the collar and of sounds heard; share heard; shift of onsets."""
    truths, starts = tape.truths(label), tape.starts(settings)
    dated = np.sort(tape.rises(starts, settings))
    shift = _onset_shift(dated, truths, tape.hop_s)
    if shift is None:
        return 0.0, 0.0, 0.0
    hits = _matched(dated - shift, truths[:, 0], COLLAR_S / tape.hop_s)
    late = _TOLD_S / tape.hop_s
    spans = [(starts > onset) & (starts <= offset + late) for onset, offset in truths]
    told = np.array([span.any() for span in spans]).mean()
    true = np.logical_or.reduce(spans).mean()
    onsets = _f_beta(hits / len(truths), hits / len(starts), 1.0)
    value = (onsets + _f_beta(float(told), float(true), wanted)) / 2
    return value, float(told), round(shift * tape.hop_s, 2)


def _onset_shift(dated: NDArray[np.float64], truths: NDArray[np.float64], hop_s: float) -> float | None:
    """Median rows from onset to where the event is dated from."""
    found = []
    for onset, _ in truths:
        after = dated[(dated >= onset - _EARLY_S / hop_s) & (dated <= onset + _LATE_S / hop_s)]
        if len(after):
            found.append(after[0] - onset)
    return float(np.median(found)) if found else None


def _matched(found: NDArray[np.float64], onsets: NDArray[np.float64], collar: float) -> int:
    """The most pairs of an event and an onset within the collar, each used once."""
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


def _offset_shift(label: str, column: int, heard: CalibrationStreams, settings: ClassSettings) -> float:
    """Median seconds from a sound's end to the first row below exit, of sounds that were over ``enter``."""
    tape = Tape(heard.scenes, column, settings.smoothing_s, heard.hop_s)
    starts = tape.starts(settings)
    late = []
    for onset, offset in tape.truths(label):
        if ((starts > onset) & (starts <= offset)).any():
            below = tape.first_below(offset, settings.exit)
            if below is not None:
                late.append((below - offset) * heard.hop_s)
    return round(float(np.median(late)), 2) if late else 1.0
