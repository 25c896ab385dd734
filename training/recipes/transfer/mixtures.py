"""Training mixtures as output of the frozen blocks.

The frozen blocks never change, so each window passes through them once, and an epoch costs only the
upper blocks. The draw depends on the part, the plan and its seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from training.base.arrays import Floats
from training.base.atomic import atomic_write
from training.base.parallel import in_processes
from training.base.progress import Progress
from training.data.corpora import LABELS, Clip
from training.data.splits import Part
from training.features.front_end import AudioSetFrontEnd
from training.features.mel_bank import Bank, band_widths
from training.mixing.mixer import Mixer, MixerSource, Recipe
from training.mixing.prepare import event_sampler, other_sampler, targets_of
from training.recipes.transfer.trunk import Maps, maps_of

_FLOOR = 1e-9
_CUT_POWER = 10**-4.5
"""Mel power above a low-pass: the leakage of a resampler's stop band."""


def _recipe() -> Recipe:
    return Recipe(
        negatives=0.25, bands=3, mixstyle=0.0, mask=0.3, mask_bands=16, mask_frames=20, heard_frames=40,
        smoothing=0.04,
    )  # fmt: skip


@dataclass(frozen=True)
class MixturePlan:
    """How windows are drawn.

    Parameters
    ----------
    count
        Windows of labelled sounds.
    batch
        Windows mixed at a time; each batch has its own random generator.
    unlabelled
        Windows of unlabelled sounds added to each batch.
    unlabelled_db
        Their gain in dB, drawn uniformly.
    low_pass
        Share of low-passed windows; corpora differ in bandwidth, which must not reveal the class.
    low_pass_band
        Lowest cut-off band.
    """

    recipe: Recipe = field(default_factory=_recipe)
    count: int = 30_000
    batch: int = 128
    unlabelled: int = 20
    unlabelled_db: tuple[float, float] = (-15.0, 10.0)
    low_pass: float = 0.4
    low_pass_band: int = 88
    seed: int = 0


@dataclass(frozen=True)
class Mixtures:
    """Windows as output of the frozen blocks.

    Parameters
    ----------
    maps
        Shape (n, 8, 8, 48).
    targets
        0 … 1, shape (n, labels).
    labelled
        1 where the targets are known, else 0, shape (n,).
    """

    maps: Maps
    targets: Floats
    labelled: Floats


@dataclass(frozen=True)
class Sources:
    """Clips whose mel power is kept in one bank, from which each part selects its own.

    Parameters
    ----------
    clips
        Every clip that a part may contain.
    unlabelled
        Recordings without known content.
    """

    clips: tuple[Clip, ...]
    unlabelled: tuple[Clip, ...]
    front_end: AudioSetFrontEnd

    def bank(self) -> Bank:
        return _bank((*self.clips, *self.unlabelled), self.front_end)

    def numbers(self, clips: Sequence[Clip]) -> list[int]:
        """Return the clips' numbers in the bank."""
        at = {clip.path: number for number, clip in enumerate((*self.clips, *self.unlabelled))}
        return [at[clip.path] for clip in clips]


def make_mixtures(
    part: Part, sources: Sources, plan: MixturePlan, frozen: bytes, jobs: int, report: Progress
) -> Mixtures:
    """Return the mixtures of a part, from the cache where available.

    Parameters
    ----------
    frozen
        Result of :func:`training.recipes.transfer.trunk.frozen_blocks`.
    jobs
        Number of processes.
    """
    path = sources.front_end.cache / f"mixtures-{_key(part, sources, plan, frozen)}.npz"
    if not path.is_file():
        sources.bank()  # once, before each process loads it
        work = partial(_batch, part, sources, plan, frozen)
        pieces = []
        for piece in in_processes(work, range(plan.count // plan.batch), jobs, ordered=True, threads=1):
            pieces.append(piece)
            if not len(pieces) % 50:
                report(f"{len(pieces) * plan.batch} of {plan.count} mixtures")
        maps, targets, labelled = (np.concatenate(column) for column in zip(*pieces, strict=True))
        with atomic_write(path) as whole, whole.open("wb") as file:
            np.savez(file, maps=maps, targets=targets, labelled=labelled)
    with np.load(path) as stored:
        return Mixtures(stored["maps"], stored["targets"], stored["labelled"])


def _batch(
    part: Part, sources: Sources, plan: MixturePlan, frozen: bytes, number: int
) -> tuple[Maps, Floats, Floats]:
    rng = np.random.default_rng((plan.seed, number))
    decibels, targets = _mixer(part, sources, plan).batch(plan.batch, rng)
    windows = np.concatenate([_power(decibels), _unlabelled(sources, plan, decibels.shape[1], rng)])
    _low_pass(windows, plan, rng)
    rest = len(windows) - plan.batch
    return (
        maps_of(normalised(windows, sources.front_end), frozen),
        np.concatenate([targets, np.zeros((rest, len(LABELS)), np.float32)]),
        np.repeat(np.array([1.0, 0.0], np.float32), [plan.batch, rest]),
    )


def normalised(power: Floats, front_end: AudioSetFrontEnd) -> Floats:
    """Return mel power normalised as the network's input."""
    spec = front_end.spec
    mean, std = spec.normalisation.mean[0], spec.normalisation.std[0]
    values: Floats = ((np.log(power + spec.offset) - mean) / std).astype(np.float32)
    return values


def _power(decibels: Floats) -> Floats:
    power: Floats = np.exp(decibels * np.float32(np.log(10.0) / 10.0))
    return power


def _unlabelled(sources: Sources, plan: MixturePlan, frames: int, rng: np.random.Generator) -> Floats:
    bank = sources.bank()
    power = np.zeros((plan.unlabelled, frames, bank.power.shape[1]), np.float32)
    for row in range(plan.unlabelled if sources.unlabelled else 0):
        clip = len(sources.clips) + int(rng.integers(len(sources.unlabelled)))
        start = bank.first[clip] + int(rng.integers(max(1, bank.frames[clip] - frames)))
        piece = bank.power[start : start + min(frames, int(bank.frames[clip]))]
        power[row, : len(piece)] = piece * 10 ** (rng.uniform(*plan.unlabelled_db) / 10)
    return power


def _low_pass(power: Floats, plan: MixturePlan, rng: np.random.Generator) -> None:
    cut = np.flatnonzero(rng.random(len(power)) < plan.low_pass)
    bands = rng.integers(plan.low_pass_band, power.shape[2], len(cut))
    for row, band in zip(cut, bands, strict=True):
        np.minimum(power[row, :, band:], _CUT_POWER, out=power[row, :, band:])


@lru_cache(maxsize=1)
def _mixer(part: Part, sources: Sources, plan: MixturePlan) -> Mixer:
    front_end = sources.front_end
    clips = [*(clip for clip, _ in part.events), *part.negatives, *part.backgrounds]
    source = MixerSource(
        sources.bank().only(sources.numbers(clips)),
        targets_of(part, plan.recipe.faint_label),
        event_sampler(part),
        other_sampler(part),
        band_widths(front_end.spec, front_end.rate),
    )
    return Mixer(source, front_end.spec.frames, _FLOOR, plan.recipe)


@lru_cache(maxsize=1)
def _bank(clips: tuple[Clip, ...], front_end: AudioSetFrontEnd) -> Bank:
    return front_end.bank(clips, lambda done: None)


def _key(part: Part, sources: Sources, plan: MixturePlan, frozen: bytes) -> str:
    digest = hashlib.sha256(frozen)
    digest.update(f"{asdict(plan)} {sources.front_end.spec.model_dump_json()}".encode())
    for clip, label in part.events:
        digest.update(f"{Path(clip.path).name} {label}\n".encode())
    for clip in (*part.negatives, *part.backgrounds, *sources.unlabelled):
        digest.update(f"{Path(clip.path).name}\n".encode())
    return digest.hexdigest()[:20]
