"""Settings that a class may get in a profile, with their worth and their expected false alarms."""

from __future__ import annotations

from itertools import product

import numpy as np

from training.base.maths import log_odds
from training.scoring.allocation import STRETCH_S, Candidate, Limit, Tail
from training.scoring.calibration import (
    ENTERS,
    OTHER_S,
    Budget,
    CalibrationStreams,
    Temper,
    lowered,
    settings_for,
    speech_of,
    worth_of,
)
from training.scoring.event_logic import Tape


def candidates(
    label: str, column: int, given: CalibrationStreams, temper: Temper, budget: Budget, limit: Limit
) -> list[Candidate]:
    """Return the settings that a class may get; the strictest where none is feasible.

    Feasible settings can be triggered by the class's shortest sound, keep to the limit by themselves, and
    raise no alarm on speech, unless ``budget`` permits it.
    """
    found = []
    for smoothing_s, attack_s in product(temper.smoothings_s, temper.attacks_s):
        scenes, beds, others = (
            Tape(streams, column, smoothing_s, given.hop_s)
            for streams in (given.scenes, given.beds, given.others)
        )
        speech = Tape(() if budget.speech else speech_of(given.beds), column, smoothing_s, given.hop_s)
        tail = Tail(beds.peaks(attack_s, STRETCH_S), beds.seconds / 3600)
        sounds = max(1.0, others.seconds / OTHER_S)
        for enter in ENTERS[budget.least_enter <= ENTERS]:
            settings = settings_for(float(enter), smoothing_s, attack_s, temper, budget)
            lower = settings.model_copy(update={"enter": lowered(settings.enter, budget.margin)})
            per_hour = tail.per_hour(float(log_odds(np.array(settings.enter))))
            if per_hour > limit.per_hour or speech.alarms(lower):
                continue
            on_others = len(others.starts(settings)) / sounds
            if on_others > limit.others:
                continue
            if given.allows(label, settings, temper.shortest_s):
                worth, _, shift_s = worth_of(label, scenes, settings, temper.wanted)
                shifted = settings.model_copy(update={"onset_shift_s": shift_s})
                found.append(Candidate(shifted, worth, per_hour, on_others))
    if not found:
        enter, attack_s = float(ENTERS[-1]), temper.attacks_s[-1]
        strictest = settings_for(enter, temper.smoothings_s[0], attack_s, temper, budget)
        found.append(Candidate(strictest, 0.0, 0.0, 0.0))
    return found
