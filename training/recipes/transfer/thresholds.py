"""Operating-point constraints of the shipped model's profiles, and the figures of a fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitor.model.card import ProfileName, Support
from training.base.maths import log_odds
from training.data.corpora import CLASSES
from training.data.splits import Part
from training.mixing.streams import Scored
from training.recipes.transfer.held_out import Kind
from training.recipes.transfer.scores import RawStreams, fit_supports, supported
from training.recipes.transfer.trunk import FRAMES, HOP_FRAMES
from training.scoring.calibration import TEMPERS, Budget, CalibrationStreams, fit_class
from training.scoring.evaluation import UNHEARD_S
from training.scoring.held_out import Decided, FoldScores

URGENT = ("siren", "gun_shot", "car_horn")
"""Classes that together may raise at most a quarter of a profile's false alarms."""
_URGENT_SHARE = 0.25
_FRAME_S = 0.01

BUDGETS: Mapping[ProfileName, Budget] = {
    "quiet": Budget(
        alarms_per_hour=1.0, speech=False, margin=0.3, share_of_others=0.006, least_enter=0.3,
        cooldown_s=2.0, least_heard=0.0, never_silent=True,
    ),
    "sensitive": Budget(
        alarms_per_hour=15.0, speech=True, margin=0.0, share_of_others=0.015, least_enter=0.05,
        cooldown_s=1.0, least_heard=0.0,
    ),
}  # fmt: skip
"""False alarms are of all classes together; those of ``quiet`` are counted with lowered thresholds."""


MAY_HOLD: Mapping[str, tuple[str, ...]] = {
    "faisal/faisal_imgmidi-city-sounds-traffic-345540": ("car_horn",),
    "faisal/faisal_freesound-community-desk-fan-66784": ("air_conditioner",),
}
"""Backgrounds of collections that nobody screened, and classes that may truly be in them: horns in
traffic, a fan. What these classes score there counts for nothing."""


@dataclass(frozen=True)
class PartScores:
    """Scores of a part that was held out from the network."""

    fold: int
    seed: int
    part: Part
    streams: RawStreams

    def hearing(self, supports: Mapping[str, Support]) -> FoldScores:
        """Return the part's streams with the daemon's scores."""
        by_kind = {
            kind: tuple(supported(raw, supports) for raw in raws) for kind, raws in self.streams.items()
        }
        return FoldScores(
            self.fold,
            self.seed,
            self.part,
            np.stack([_mean_logits(clip) for clip in by_kind["clips"]]),
            _heard(by_kind),
            by_kind["alone"],
        )


@dataclass(frozen=True)
class Rules:
    """Decision rules for a network's outputs: supports of the classes, and their settings."""

    supports: Mapping[str, Support]
    decided: Decided


def choose(folds: Sequence[PartScores]) -> Rules:
    """Fit supports and settings on held-out folds."""
    supports = fit_supports(one.streams for one in folds)
    heard = [one.hearing(supports).heard for one in folds]
    pooled = CalibrationStreams(
        tuple(s for one in heard for s in one.scenes),
        tuple(s for one in heard for s in one.beds),
        tuple(s for one in heard for s in one.others),
        FRAMES * _FRAME_S,
        HOP_FRAMES * _FRAME_S,
    )
    classes = {
        label: fit_class(label, column, pooled, replace(TEMPERS[label], alarms=_share(label)), BUDGETS)
        for column, label in enumerate(CLASSES)
    }
    return Rules(supports, Decided(1.0, classes, None))


def _share(label: str) -> float:
    """Return one class's share of a profile's false-alarm limit."""
    if label in URGENT:
        return _URGENT_SHARE / len(URGENT)
    return (1.0 - _URGENT_SHARE) / (len(CLASSES) - len(URGENT))


def _heard(by_kind: Mapping[Kind, tuple[Scored, ...]]) -> CalibrationStreams:
    beds = tuple(_screened(bed) for bed in by_kind["beds"])
    return CalibrationStreams(
        by_kind["scapes"], beds, by_kind["others"], FRAMES * _FRAME_S, HOP_FRAMES * _FRAME_S
    )


def _screened(bed: Scored) -> Scored:
    scores = bed.scores.copy()
    for label in MAY_HOLD.get(bed.name, ()):
        scores[:, CLASSES.index(label)] = 0.0
    return replace(bed, scores=scores)


def _mean_logits(clip: Scored) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    mean: np.ndarray[tuple[int], np.dtype[np.float32]]
    mean = log_odds(clip.scores[clip.times_s >= UNHEARD_S].astype(np.float64)).mean(axis=0)
    return mean.astype(np.float32)
