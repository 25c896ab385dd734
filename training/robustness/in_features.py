"""Attacks on features: how few decibels in the mel bands it takes to change a network's mind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.mixing import Floats
from training.robustness.attacks import (
    Labels,
    Logits,
    Nearest,
    nearest_features,
    push_features,
    push_once,
    right,
)
from training.robustness.disturbances import coloured
from training.robustness.targets import Target

EPSILONS_DB = (0.1, 0.5, 1.0, 3.0)
LARGE_DB = 30.0
"""No network survives this; a run that leaves clips right is a run whose gradients are broken."""
_BATCH = 50
Kept = NDArray[np.bool_]


@dataclass(frozen=True)
class Effort:
    """How hard is tried: steps and extra random starts of PGD, steps of the attacks for the least change.

    ``second`` checks DeepFool by another method, on the first ``second_clips`` clips of every batch.
    """

    steps: int = 20
    restarts: int = 1
    deepfool_steps: int = 50
    second: Nearest = "CW"
    second_steps: int = 100
    second_clips: int = 25


QUICK = Effort(steps=10, restarts=0, second="FMN", second_steps=40, second_clips=_BATCH)


@dataclass(frozen=True)
class Pushed:
    """One network of one fold, attacked in its features; a row per clip, in the order of the clips.

    right : whether the undisturbed clip is taken for what it is
    alone : by run ("PGD 0.5 dB"), whether it still is after that run alone
    withstood : by ``epsilon_db``, whether it still is after every run so far: lesser budgets included
    rms_db, max_db : of the least change that DeepFool found, over bins; None where the clip was wrong
    noise : by colour, whether noise as strong as DeepFool's change leaves it right
    second_rms_db : of the least change that another method found; None where it was not asked
    """

    model: str
    fold: int
    seed: int
    clips: tuple[str, ...]
    labels: tuple[str, ...]
    right: tuple[bool, ...]
    alone: Mapping[str, tuple[bool, ...]]
    withstood: Mapping[str, tuple[bool, ...]]
    rms_db: tuple[float | None, ...]
    max_db: tuple[float | None, ...]
    noise: Mapping[str, tuple[bool, ...]]
    second: str
    second_rms_db: tuple[float | None, ...]


def attack_features(target: Target, effort: Effort, say: Callable[[str], None]) -> Pushed:
    """Attack a network by every run and budget."""
    parts = []
    for first in range(0, len(target.clips), _BATCH):
        rows = np.arange(first, min(first + _BATCH, len(target.clips)))
        parts.append(_batch(target, rows, effort))
        say(f"{target.job}: {rows[-1] + 1} of {len(target.clips)} clips attacked in features")
    job = target.job

    def joined(key: str) -> Any:
        return tuple(value for part in parts for value in part[key])

    def by_name(key: str) -> dict[str, Any]:
        return {name: tuple(v for part in parts for v in part[key][name]) for name in parts[0][key]}

    return Pushed(
        job.model, job.test_fold, job.seed,
        tuple(clip.path.stem for clip in target.clips), tuple(clip.label for clip in target.clips),
        joined("right"), by_name("alone"), by_name("withstood"), joined("rms_db"), joined("max_db"),
        by_name("noise"), effort.second, joined("second_rms_db"),
    )  # fmt: skip


def _batch(target: Target, rows: NDArray[np.int64], effort: Effort) -> dict[str, Any]:
    decibels, truth, logits = target.decibels[rows], target.truth[rows], target.given(rows)
    known = right(logits, decibels, truth)
    alone, withstood = _pushed(logits, decibels, truth, known, effort)
    near = np.flatnonzero(known)
    moved = decibels.copy()
    if len(near):
        some = target.given(rows[near])
        moved[near] = nearest_features(some, decibels[near], truth[near], "DeepFool", effort.deepfool_steps)
    over = known & ~right(logits, moved, truth)
    change = moved - decibels
    return {
        "right": known.tolist(),
        "alone": alone,
        "withstood": withstood,
        "rms_db": _where(over, _rms(change)),
        "max_db": _where(over, np.abs(change).max(axis=(1, 2))),
        "noise": {name: right(logits, decibels + noise, truth).tolist() for name, noise in _noises(change)},
        "second_rms_db": _second(target, rows, near[near < effort.second_clips], effort),
    }


def _pushed(
    logits: Logits, decibels: Floats, truth: Labels, known: Kept, effort: Effort
) -> tuple[dict[str, list[bool]], dict[str, list[bool]]]:
    """What each run alone leaves right, and what all of them do so far."""
    alone: dict[str, list[bool]] = {}
    withstood: dict[str, list[bool]] = {}
    kept = known.copy()

    def run(name: str, pushed: Floats) -> None:
        left = right(logits, pushed, truth)
        alone[name] = left.tolist()
        np.logical_and(kept, left, out=kept)

    for epsilon in (0.0, *EPSILONS_DB, LARGE_DB):
        if epsilon in EPSILONS_DB:
            run(f"FGSM {epsilon:g} dB", push_once(logits, decibels, truth, epsilon))
        pushed = push_features(logits, decibels, truth, epsilon, effort.steps if epsilon else 1)
        run(f"PGD {epsilon:g} dB", pushed)
        for restart in range(1, 1 + (effort.restarts if epsilon in EPSILONS_DB else 0)):
            again = push_features(logits, decibels, truth, epsilon, effort.steps, restart)
            run(f"PGD {epsilon:g} dB, start {restart}", again)
        withstood[f"{epsilon:g}"] = kept.tolist()
        for colour, noise in _noises(pushed - decibels):
            # Not among the runs: a control shows what the size of a change does without its direction.
            alone[f"{colour} as strong as PGD {epsilon:g} dB"] = right(
                logits, decibels + noise, truth
            ).tolist()
    return alone, withstood


def _noises(change: Floats) -> list[tuple[str, Floats]]:
    """Noises of the norm of each clip's change; pink along time, band after band."""
    made = []
    norms = np.linalg.norm(change.reshape(len(change), -1), axis=1)
    for name, slope in (("Gaussian noise", 0.0), ("pink noise", 1.0)):
        colour, rng = coloured(slope), np.random.default_rng(0)
        flat = np.stack([colour(np.zeros(change[0].size, np.float32), rng) for _ in change])
        scaled = flat * (norms / np.linalg.norm(flat, axis=1))[:, None]
        by_band = scaled.reshape(len(change), change.shape[2], change.shape[1])
        made.append((name, by_band.swapaxes(1, 2).astype(np.float32)))
    return made


def _second(
    target: Target, rows: NDArray[np.int64], near: NDArray[np.int64], effort: Effort
) -> list[float | None]:
    values: list[float | None] = [None] * len(rows)
    if len(near):
        decibels, truth, logits = (
            target.decibels[rows[near]],
            target.truth[rows[near]],
            target.given(rows[near]),
        )
        moved = nearest_features(logits, decibels, truth, effort.second, effort.second_steps)
        over = ~right(logits, moved, truth)
        for place, rms in zip(near, _where(over, _rms(moved - decibels)), strict=True):
            values[place] = rms
    return values


def _rms(change: Floats) -> NDArray[np.float64]:
    rms: NDArray[np.float64] = np.sqrt(np.mean(change.astype(float) ** 2, axis=(1, 2)))
    return rms


def _where(mask: Kept, values: NDArray[Any]) -> list[float | None]:
    return [round(float(value), 5) if one else None for one, value in zip(mask, values, strict=True)]
