"""Operating-point constraints of the shipped model's profiles, and the figures of a fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.model.card import ClassCard, ProfileName, Support
from monitor.settings import ClassSettings
from training.base.maths import log_odds
from training.data.corpora import CLASSES
from training.data.splits import Part
from training.mixing.streams import Scored
from training.recipes.transfer.held_out import Kind
from training.recipes.transfer.may_hold import counted
from training.recipes.transfer.scores import RawStreams, fit_supports, supported
from training.recipes.transfer.trunk import FRAMES, HOP_FRAMES
from training.scoring.allocation import Limit, allocate
from training.scoring.calibration import TEMPERS, Budget, CalibrationStreams, offset_shift
from training.scoring.candidates import candidates
from training.scoring.evaluation import UNHEARD_S
from training.scoring.held_out import Decided, FoldScores

URGENT = ("siren", "gun_shot", "car_horn")
"""Classes that together may raise at most a quarter of a profile's false alarms."""
_URGENT_SHARE = 0.25
_FRAME_S = 0.01

BUDGETS: Mapping[ProfileName, Budget] = {
    "quiet": Budget(
        alarms_per_hour=1.0, speech=False, margin=0.3, share_of_others=0.02, least_enter=0.3,
        cooldown_s=2.0, least_heard=0.0, never_silent=True,
    ),
    "sensitive": Budget(
        alarms_per_hour=15.0, speech=True, margin=0.0, share_of_others=0.08, least_enter=0.05,
        cooldown_s=1.0, least_heard=0.0,
    ),
}  # fmt: skip
"""Limits are of all classes together; ``quiet`` raises nothing on speech with lowered thresholds either."""


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
    profiles = {name: _profile(pooled, budget) for name, budget in BUDGETS.items()}
    classes = {
        label: ClassCard(
            shortest_s=TEMPERS[label].shortest_s,
            profiles={name: profiles[name][label] for name in BUDGETS},
        )
        for label in CLASSES
    }
    return Rules(supports, Decided(1.0, classes))


def _profile(pooled: CalibrationStreams, budget: Budget) -> dict[str, ClassSettings]:
    """Return the settings of the classes that report most within the profile's limits."""
    chosen: dict[str, ClassSettings] = {}
    for share, urgent in ((_URGENT_SHARE, True), (1.0 - _URGENT_SHARE, False)):
        columns = {label: column for column, label in enumerate(CLASSES) if (label in URGENT) == urgent}
        limit = Limit(share * budget.alarms_per_hour, share * budget.share_of_others)
        found = {
            label: candidates(label, column, pooled, TEMPERS[label], budget, limit)
            for label, column in columns.items()
        }
        for label, one in allocate(found, limit).items():
            shift_s = offset_shift(label, columns[label], pooled, one.settings)
            chosen[label] = one.settings.model_copy(update={"offset_shift_s": shift_s})
    return chosen


def _heard(by_kind: Mapping[Kind, tuple[Scored, ...]]) -> CalibrationStreams:
    beds = tuple(counted(bed) for bed in by_kind["beds"])
    return CalibrationStreams(
        by_kind["scapes"], beds, by_kind["others"], FRAMES * _FRAME_S, HOP_FRAMES * _FRAME_S
    )


def _mean_logits(clip: Scored) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    mean: np.ndarray[tuple[int], np.dtype[np.float32]]
    mean = log_odds(clip.scores[clip.times_s >= UNHEARD_S].astype(np.float64)).mean(axis=0)
    return mean.astype(np.float32)
