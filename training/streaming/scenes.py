"""Training scenes: sounds begin and end at known times over a background, in the mel-power domain.

Independent sounds add in power, so a scene is a gather from the :class:`~training.audio.Bank`
and a sum. A scene is what a microphone hears for some seconds: a bed, or a room's own noise,
and some sounds of the classes and of none, each at its own time and level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.audio import Bank
from training.data import LABELS
from training.mixing import Floats, Sampler, equaliser, mixstyle
from training.streaming.network import STRIDE


@dataclass(frozen=True)
class SceneRecipe:
    """How scenes are drawn; probabilities 0…1, ranges in dB, seconds in frames of 20 ms.

    sounds : probabilities of none, one, two… sounds of the classes in a scene
    snr_db : a sound over the bed; without a bed over the room's noise
    distract : a sound of no class, placed like the others
    """

    frames: int = 500
    sounds: tuple[float, ...] = (0.15, 0.25, 0.3, 0.2, 0.1)
    snr_db: tuple[float, float] = (-3.0, 25.0)
    bed: float = 0.8
    distract: float = 0.35
    distract_db: tuple[float, float] = (0.0, 25.0)
    stretch: float = 0.12
    bands: int = 2
    equaliser_db: float = 6.0
    bed_db: tuple[float, float] = (-55.0, -20.0)
    noise_db: tuple[float, float] = (15.0, 60.0)
    """the room's noise under the bed"""
    silent_start: float = 0.1
    """streams that begin with digital silence, as the first hops of the daemon do"""
    mixstyle: float = 0.3
    mixstyle_beta: float = 0.4
    mask: float = 0.3
    mask_bands: int = 8
    faint_label: float = 0.9
    smoothing: float = 0.02


@dataclass(frozen=True)
class Timing:
    """When a label holds, in columns after the sound's own: it must have been heard ``rise``, and may
    be forgotten ``fall`` after its end; between, the column is not judged."""

    rise: int = 3
    fall: int = 12


@dataclass(frozen=True)
class Scenes:
    """decibels : shape (n, frames, n_mels); targets and weights : shape (n, columns, labels)"""

    decibels: Floats
    targets: Floats
    weights: Floats


class SceneMixer:
    """Makes batches of scenes.

    Parameters as of :class:`training.mixing.Mixer`.
    """

    def __init__(
        self, bank: Bank, targets: Floats, events: Sampler, others: Sampler, widths: Floats, floor: float,
        recipe: SceneRecipe, timing: Timing,
    ) -> None:  # fmt: skip
        self._bank, self._targets, self._widths, self._floor = bank, targets, widths, floor
        self._events, self._others, self._recipe, self._timing = events, others, recipe, timing

    def batch(self, size: int, rng: np.random.Generator) -> Scenes:
        recipe = self._recipe
        n_mels = self._bank.power.shape[1]
        power = np.zeros((size, recipe.frames, n_mels), np.float32)
        labels = Labels(size, recipe.frames // STRIDE, self._timing, self._targets.shape[1])
        for row in range(size):
            self._draw(power[row], row, labels, rng)
        decibels = 10.0 * np.log10(np.maximum(power, self._floor))
        if rng.random() < recipe.mixstyle:
            mixstyle(decibels, recipe.mixstyle_beta, rng)
        mask_bands(decibels, recipe.mask, recipe.mask_bands, rng)
        targets, weights = labels.finished()
        half = recipe.smoothing / 2
        return Scenes(decibels, targets * (1 - 2 * half) + half, weights)

    def _draw(self, scene: Floats, row: int, labels: Labels, rng: np.random.Generator) -> None:
        recipe = self._recipe
        level = 10 ** (rng.uniform(*recipe.bed_db) / 10)
        self._lay_bed(scene, level, rng)
        count = int(rng.choice(len(recipe.sounds), p=recipe.sounds))
        for clip in self._events.draw(count, rng):
            gain_db = rng.uniform(*recipe.snr_db)
            lo, hi = self._lay(scene, int(clip), level, gain_db, rng)
            labels.add(row, self._targets[clip], lo, hi)
        if rng.random() < recipe.distract:
            for clip in self._others.draw(int(rng.integers(1, 4)), rng):
                self._lay(scene, int(clip), level, rng.uniform(*recipe.distract_db), rng)
        scene *= equaliser(1, scene.shape[1], recipe.equaliser_db, rng)
        if rng.random() < recipe.silent_start:
            scene[: int(rng.integers(1, 100))] = 0.0

    def _lay_bed(self, scene: Floats, level: float, rng: np.random.Generator) -> None:
        """A background at the scene's level, and the steady noise of room and microphone."""
        recipe = self._recipe
        if rng.random() < recipe.bed:
            clip = int(self._others.draw(1, rng)[0])
            sound = self._sound(clip, rng)
            longer = len(sound) - len(scene)
            at = np.arange(len(scene)) + (int(rng.integers(longer)) if longer > 0 else 0)
            scene += sound[at % len(sound)] * np.float32(level / max(self._bank.level[clip], 1e-12))
            level *= 10 ** (-rng.uniform(*recipe.noise_db) / 10)
        tilt = equaliser(1, scene.shape[1], 10.0, rng)[0] / self._widths.mean() / scene.shape[1]
        # Power of steady noise in a band fluctuates about as chi-square with few degrees of freedom.
        grain = rng.standard_gamma(3.0, scene.shape, dtype=np.float32) / 3.0
        scene += grain * (tilt * np.float32(level))

    def _lay(
        self, scene: Floats, clip: int, level: float, gain_db: float, rng: np.random.Generator
    ) -> tuple[int, int]:
        """Add a sound somewhere; return its first and one past its last frame within the scene."""
        sound = self._sound(clip, rng)
        start = int(rng.integers(-len(sound) // 2, len(scene) - 10))
        lo, hi = max(0, start), min(len(scene), start + len(sound))
        factor = level / max(self._bank.level[clip], 1e-12) * 10 ** (gain_db / 10)
        scene[lo:hi] += sound[lo - start : hi - start] * np.float32(factor)
        return lo, hi

    def _sound(self, clip: int, rng: np.random.Generator) -> Floats:
        """The clip's mel power, faster or slower, shifted along the bands, coloured; a scene of it."""
        recipe, bank = self._recipe, self._bank
        frames, n_mels = int(bank.frames[clip]), bank.power.shape[1]
        rate = 1.0 + rng.uniform(-recipe.stretch, recipe.stretch)
        longest = int(recipe.frames * rate)
        begin = int(rng.integers(frames - longest)) if frames > longest else 0
        rows = begin + np.arange(0, min(frames - begin, longest), rate).astype(np.int64)
        shift = int(rng.integers(-recipe.bands, recipe.bands + 1))
        bands = np.clip(np.arange(n_mels) - shift, 0, n_mels - 1)
        sound: Floats = bank.power[bank.first[clip] + rows][:, bands]
        return sound * equaliser(1, n_mels, recipe.equaliser_db, rng)


class Labels:
    """What holds in which column, as sounds are added; the last label is ``background``."""

    def __init__(self, size: int, columns: int, timing: Timing, count: int = len(LABELS)) -> None:
        self._targets = np.zeros((size, columns, count), np.float32)
        self._open = np.zeros((size, columns, count), bool)
        self._timing = timing

    def add(self, row: int, target: Floats, lo: int, hi: int) -> None:
        """A sound with ``target`` from frame ``lo`` to ``hi``."""
        columns = self._targets.shape[1]
        begin, end = lo // STRIDE, -(-hi // STRIDE)
        # A very short sound is heard once it is over.
        sure = min(begin + self._timing.rise, max(begin + 1, end))
        last = min(columns, max(end, sure + 2))
        mine = target > 0
        self._open[row, begin:sure, mine] = True
        self._open[row, last : min(columns, last + self._timing.fall), mine] = True
        held = self._targets[row, sure:last]
        np.maximum(held, target, out=held)

    def finished(self) -> tuple[Floats, Floats]:
        """Return targets and weights; ``background`` holds where nothing else does."""
        targets, column = self._targets, self._targets.shape[2] - 1
        unsure = self._open & (targets == 0)
        targets[:, :, column] = (targets[:, :, :column].max(axis=2) == 0).astype(np.float32)
        unsure[:, :, column] = unsure[:, :, :column].any(axis=2)
        return targets, 1.0 - unsure.astype(np.float32)


def mask_bands(decibels: Floats, share: float, widest: int, rng: np.random.Generator) -> None:
    """Cover a stretch of bands with each scene's mean (SpecAugment, bands alone)."""
    for scene in decibels:
        if rng.random() < share:
            width = int(rng.integers(1, widest + 1))
            start = int(rng.integers(scene.shape[1] - width))
            scene[:, start : start + width] = scene.mean()
