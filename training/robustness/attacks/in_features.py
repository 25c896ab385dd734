"""Attacks on features: the smallest change of mel bands in dB that changes a prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.base.arrays import Floats
from training.base.progress import Progress
from training.robustness.attacks.methods import Bounds, Labels, Logits, dead, right
from training.robustness.attacks.on_features import (
    Nearest,
    nearest_features,
    push_at_random,
    push_features,
    push_once,
)
from training.robustness.attacks.runs import Runs, batches, figures, placed
from training.robustness.corruptions.disturbances import coloured
from training.robustness.targets.networks import Target

EPSILONS_DB = (0.1, 0.5, 1.0, 3.0)
LARGE_DB = 30.0
"""A budget that no network withstands; if clips stay correct, the gradients are broken."""
RANDOM_DB = 1.0
"""Budget of the random attack, which gets as many tries as PGD has steps."""
NOISES = {"Gaussian noise": 0.0, "pink noise": 1.0}


@dataclass(frozen=True)
class FeatureEffort:
    """Attack effort: steps and random restarts of PGD, steps of the minimum-norm attacks.

    A second method checks DeepFool (``second``) on the correct ones of the first ``second_clips`` clips.
    """

    steps: int = 20
    restarts: int = 1
    deepfool_steps: int = 50
    second: Nearest = "CW"
    second_steps: int = 100
    second_clips: int = 25


QUICK = FeatureEffort(steps=10, restarts=0, second="FMN", second_steps=40, second_clips=100)


@dataclass(frozen=True)
class Pushed:
    """One network of one fold under attack in its features; one row per clip, in clip order.

    Parameters
    ----------
    right
        Whether the clean clip is classified correctly.
    dead
        Whether it is, and the gradient of its loss is zero or not finite.
    alone
        By run ("PGD 0.5 dB", "DeepFool"), whether the clip is correct before and after it.
    withstood
        By ``epsilon_db``, whether the clip is correct after every run whose largest change is within it.
    rms_db, max_db
        Size of DeepFool's smallest change over bins in dB; None for misclassified clips.
    second_asked, second_rms_db
        Whether a second method searched for the smallest change, and its result.
    """

    model: str
    fold: int
    seed: int
    clips: tuple[str, ...]
    labels: tuple[str, ...]
    recordings: tuple[str, ...]
    right: tuple[bool, ...]
    dead: tuple[bool, ...]
    alone: Mapping[str, tuple[bool, ...]]
    withstood: Mapping[str, tuple[bool, ...]]
    rms_db: tuple[float | None, ...]
    max_db: tuple[float | None, ...]
    second: str
    second_asked: tuple[bool, ...]
    second_rms_db: tuple[float | None, ...]


def attack_features(target: Target, effort: FeatureEffort, say: Progress) -> Pushed:
    """Attack a network with every method and budget."""
    job, clips = target.job, target.clips
    every = np.arange(len(clips))
    known = right(target.given(every), target.decibels, target.truth)
    parts, attacked = [], batches(known)
    for number, rows in enumerate(attacked):
        say(f"{job}: {known.sum()} of {len(clips)} clips are right, batch {number + 1} of {len(attacked)}")
        parts.append(_batch(target, rows, effort, say))
    found = {name: placed([part[name] for part in parts], attacked, known) for name in parts[0]}
    return Pushed(
        job.model, job.test_fold, job.seed, tuple(clip.path.stem for clip in clips),
        tuple(clip.label for clip in clips), tuple(clip.recording for clip in clips), tuple(known.tolist()),
        second=effort.second, **found,
    )  # fmt: skip


class _Session:
    """All runs on the same clips."""

    def __init__(self, logits: Logits, decibels: Floats, truth: Labels, bounds_db: Bounds) -> None:
        self.logits, self.decibels, self.truth, self.bounds_db = logits, decibels, truth, bounds_db
        self.runs = Runs()

    def run(self, name: str, pushed: Floats, epsilon_db: float = np.inf) -> None:
        """Evaluate the result of a run within bounds; ``epsilon_db`` is its budget up to rounding."""
        pushed = np.clip(pushed, *self.bounds_db)
        largest = np.abs(pushed - self.decibels).max(axis=(1, 2)).astype(np.float64)
        left = right(self.logits, pushed, self.truth)
        self.runs.add(name, left, max_db=np.minimum(largest, epsilon_db))

    def noise(self, like: str, pushed: Floats) -> None:
        """Evaluate noise with the norm of each clip's change; pink along time in each band."""
        change = pushed - self.decibels
        norms = np.linalg.norm(change.reshape(len(change), -1), axis=1)
        for name, slope in NOISES.items():
            colour, rng = coloured(slope), np.random.default_rng(0)
            flat = np.stack([colour(np.zeros(change[0].size, np.float32), rng) for _ in change])
            scaled = flat * (norms / np.linalg.norm(flat, axis=1))[:, None]
            by_band = scaled.reshape(len(change), change.shape[2], change.shape[1])
            noise = by_band.swapaxes(1, 2).astype(np.float32)
            self.run(f"{name} as strong as {like}", self.decibels + noise)

    def rms(self, name: str, pushed: Floats) -> list[float | None]:
        change = pushed - self.decibels
        rms = np.sqrt(np.mean(change.astype(float) ** 2, axis=(1, 2)))
        return figures(rms, ~self.runs.left[name])


def _batch(target: Target, rows: NDArray[np.int64], effort: FeatureEffort, say: Progress) -> dict[str, Any]:
    decibels, truth, logits = target.decibels[rows], target.truth[rows], target.given(rows)
    session, bounds = _Session(logits, decibels, truth, target.bounds_db), target.bounds_db
    for epsilon in (0.0, *EPSILONS_DB, LARGE_DB):
        say(f"FGSM and PGD at {epsilon:g} dB, and noise")
        _at_epsilon(session, epsilon, effort)
    tried = push_at_random(logits, decibels, truth, RANDOM_DB, effort.steps, bounds)
    session.run(f"random changes of {RANDOM_DB:g} dB", tried, RANDOM_DB)
    say("DeepFool")
    nearest = nearest_features(logits, decibels, truth, "DeepFool", effort.deepfool_steps, bounds)
    session.run("DeepFool", nearest)
    session.noise("DeepFool", nearest)
    asked = rows < effort.second_clips
    second = decibels.copy()
    if asked.any():
        say(effort.second)
        some = decibels[asked], truth[asked]
        found = nearest_features(target.given(rows[asked]), *some, effort.second, effort.second_steps, bounds)
        second[asked] = np.clip(found, *bounds)
    session.run(effort.second, second)
    runs = session.runs
    largest = np.abs(nearest - decibels).max(axis=(1, 2))
    return {
        "dead": dead(logits, decibels, truth).tolist(),
        "alone": runs.alone,
        "withstood": {f"{e:g}": runs.withstood("max_db", e) for e in (0.0, *EPSILONS_DB, LARGE_DB)},
        "rms_db": session.rms("DeepFool", nearest),
        "max_db": figures(largest, ~runs.left["DeepFool"]),
        "second_asked": asked.tolist(),
        "second_rms_db": session.rms(effort.second, second),
    }


def _at_epsilon(session: _Session, epsilon: float, effort: FeatureEffort) -> None:
    logits, decibels, truth, bounds = session.logits, session.decibels, session.truth, session.bounds_db
    name, budgeted = f"PGD {epsilon:g} dB", epsilon in EPSILONS_DB
    if budgeted:
        session.run(f"FGSM {epsilon:g} dB", push_once(logits, decibels, truth, epsilon, bounds), epsilon)
    pushed = push_features(logits, decibels, truth, epsilon, effort.steps if epsilon else 1, 0, bounds)
    session.run(name, pushed, epsilon)
    for start in range(1, 1 + (effort.restarts if budgeted else 0)):
        again = push_features(logits, decibels, truth, epsilon, effort.steps, start, bounds)
        session.run(f"{name}, start {start}", again, epsilon)
    # Control: the effect of a change's size without its direction.
    session.noise(name, pushed)
