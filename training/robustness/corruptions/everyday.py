"""The cost of corruptions: accuracy, F1 and calibration of each model under each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from training.base.arrays import Floats
from training.base.progress import Progress
from training.data.audio import RATE, Waveform, read
from training.data.corpora import CLASSES
from training.robustness.corruptions.disturbances import CLEAN, Disturbance
from training.robustness.targets.subjects import FoldSubjects
from training.scoring.intervals import Interval, difference
from training.scoring.statistics import Figures, Rows, figures


@dataclass(frozen=True)
class Finding:
    """One model under one corruption, pooled over ``folds``; ``lost`` is clean accuracy minus this one's.

    ``alerts`` holds, by profile of a package, the shares of clips reported as their class and as another.
    """

    subject: str
    folds: tuple[int, ...]
    condition: str
    family: str
    what: str
    value: float
    figures: Figures
    lost: Interval
    alerts: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def findings(
    panels: Sequence[FoldSubjects],
    disturbances: Mapping[int, Sequence[Disturbance]],
    pools: Sequence[tuple[int, ...]],
    say: Progress,
) -> list[Finding]:
    """Evaluate every set of subjects under every corruption; the first one must be the clean clip.

    Parameters
    ----------
    disturbances
        By fold, the same corruptions, whose noise is held out from the fold's subjects.
    pools
        Sets of folds to pool; a set with a fold missing from ``panels`` is left out.
    """
    by_number = [*zip(*(disturbances[panel.fold] for panel in panels), strict=True)]
    first = by_number[0][0].name
    if first != CLEAN:
        raise ValueError(f"{first} comes first; {CLEAN} must, as what others are compared to")
    sounds = [[read(clip.path, RATE) for clip in panel.clips] for panel in panels]
    clean: dict[str, _Outcome] = {}
    found = []
    there = {panel.fold for panel in panels}
    for number, each in enumerate(by_number):
        outcomes, disturbance = _outcomes(panels, sounds, each), each[0]
        clean = clean or outcomes
        for name, scored in outcomes.items():
            for pool in pools:
                if there >= {*pool}:
                    before, after = (_of_folds(one.rows, pool) for one in (clean[name], scored))
                    found.append(Finding(
                        name, pool, disturbance.name, disturbance.family, disturbance.what, disturbance.value,
                        figures(after), difference(before, after), scored.alerts(pool),
                    ))  # fmt: skip
            say(f"{name}: {number + 1} of {len(by_number)} disturbances, {disturbance.name}")
    return found


def _of_folds(scored: Rows, folds: Sequence[int]) -> Rows:
    return scored.where(np.array([fold in folds for fold, _ in scored.key]))


@dataclass(frozen=True)
class _Outcome:
    """Outcome of one model's clips, and by profile the classes that each clip raised."""

    rows: Rows
    reported: Mapping[str, Sequence[frozenset[str]]]

    def alerts(self, folds: Sequence[int]) -> dict[str, tuple[float, float]]:
        """Return by profile the shares of the folds' clips reported as their class, and as another."""
        mine = [n for n, (fold, _) in enumerate(self.rows.key) if fold in folds]
        labels = [CLASSES[self.rows.truth[n]] for n in mine]
        found = {}
        for profile, each in self.reported.items():
            raised = [each[n] for n in mine]
            own = [label in some for label, some in zip(labels, raised, strict=True)]
            other = [bool(some - {label}) for label, some in zip(labels, raised, strict=True)]
            found[profile] = (float(np.mean(own)), float(np.mean(other)))
        return found


def _outcomes(
    panels: Sequence[FoldSubjects],
    sounds: Sequence[Sequence[Waveform]],
    disturbances: Sequence[Disturbance],
) -> dict[str, _Outcome]:
    """Return the outcome of each model's clips, its folds pooled."""
    parts: dict[str, list[tuple[FoldSubjects, Floats]]] = {}
    reported: dict[str, dict[str, list[frozenset[str]]]] = {}
    for panel, recorded, disturbance in zip(panels, sounds, disturbances, strict=True):
        disturbed = [
            disturbance(sound, clip.path.stem) for sound, clip in zip(recorded, panel.clips, strict=True)
        ]
        for subject in panel.subjects:
            by_profile = reported.setdefault(subject.name, {})
            if subject.report is None:
                logits = subject.hear(disturbed)
            else:
                heard = subject.report(disturbed)
                logits = heard.logits
                for profile, each in heard.reported.items():
                    by_profile.setdefault(profile, []).extend(each)
            parts.setdefault(subject.name, []).append((panel, logits))
    return {name: _Outcome(rows_of(part), reported[name]) for name, part in parts.items()}


def rows_of(parts: Sequence[tuple[FoldSubjects, Floats]]) -> Rows:
    """Return the scored clips of one model from its outputs per fold, shape (clips, 10)."""
    clips = [(panel.fold, clip) for panel, _ in parts for clip in panel.clips]
    logits = np.concatenate([given for _, given in parts])
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return Rows(
        tuple((fold, clip.path.stem) for fold, clip in clips),
        np.array([clip.recording for _, clip in clips]),
        np.array([clip.salience for _, clip in clips]),
        np.array([CLASSES.index(clip.label) for _, clip in clips]),
        logits.argmax(axis=1),
        np.ones(len(clips)),
        powers / powers.sum(axis=1, keepdims=True),
    )
