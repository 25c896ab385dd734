"""Training batches: sounds placed, equalised and added in the mel-power domain.

Uncorrelated sounds add in power, so a batch is a gather from the :class:`~training.features.mel_bank.Bank`
and a sum; numpy makes 64 windows in milliseconds, far less than a training step takes.
Labels are independent: a window may hold two classes, or none (``background``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.base.maths import amplitude_of_db, db_of_power, power_of_db
from training.features.mel_bank import Bank

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


HEARD_FRAMES = 20
"""A label applies if at least 0.4 s of the sound, or half of a shorter one, is in the window."""


@dataclass(frozen=True)
class Recipe:
    """How windows are generated; probabilities 0…1, ranges in dB, bands or frames."""

    negatives: float = 0.15
    """share of windows with none of the ten classes"""
    partial: float = 0.35
    """long clips that begin or end inside the window, as events in a stream do"""
    tiled: float = 0.4
    """short clips repeated to fill the window, as at the start of a stream; else placed once"""
    second: float = 0.45
    """a second event over the first, within ± second_db"""
    second_db: float = 9.0
    background: float = 0.5
    background_db: tuple[float, float] = (-3.0, 25.0)
    """event over background; a sound that does not fill its window always has one"""
    stretch: float = 0.15
    bands: int = 2
    equaliser_db: float = 6.0
    level_db: tuple[float, float] = (-25.0, 10.0)
    noise_db: tuple[float, float] = (25.0, 70.0)
    """steady noise of room and microphone under the mixture"""
    room: float = 0.0
    """sounds in a reverberant room"""
    room_frames: tuple[float, float] = (10.0, 75.0)
    """reverberation time at low frequencies; half of it at high ones"""
    room_db: tuple[float, float] = (-5.0, 10.0)
    """direct-to-reverberant ratio"""
    mixstyle: float = 0.4
    mixstyle_beta: float = 0.4
    mask: float = 0.5
    mask_bands: int = 8
    mask_frames: int = 12
    faint_label: float = 0.9
    """target of a clip that its corpus marks as background (salience 2)"""
    heard_frames: int = HEARD_FRAMES
    """a label applies if this many frames of the sound, or half of a shorter one, are in the window"""
    smoothing: float = 0.1
    """targets lie in smoothing/2 … 1 − smoothing/2"""


PLAIN = Recipe(
    partial=0.0, second=0.0, background=0.0, stretch=0.0, bands=0, equaliser_db=0.0, level_db=(0.0, 0.0),
    room=0.0, mixstyle=0.0, mask=0.0,
)  # fmt: skip
"""No augmentation, for ablation."""

_KNOTS = 5
_PAST = 25
"""Frames before a window whose reverberation reaches into it."""


class Sampler:
    """Draws clips: classes uniformly, recordings by the square root of their clip count, clips uniformly.

    One Freesound recording can have a hundred slices and would dominate its class under uniform sampling.
    """

    def __init__(self, labels: Sequence[str], recordings: Sequence[str], offset: int = 0) -> None:
        groups: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for i, (label, recording) in enumerate(zip(labels, recordings, strict=True)):
            groups[label][recording].append(offset + i)
        self._clips: list[Ints] = []
        self._weights: list[NDArray[np.float64]] = []
        for by_recording in groups.values():
            clips = np.concatenate([np.array(c) for c in by_recording.values()])
            weights = np.concatenate([np.full(len(c), len(c) ** -0.5) for c in by_recording.values()])
            self._clips.append(clips)
            self._weights.append(weights / weights.sum())

    def draw(self, count: int, rng: np.random.Generator) -> Ints:
        """Return ``count`` clip numbers."""
        classes = rng.integers(len(self._clips), size=count)
        drawn = np.empty(count, np.int64)
        for k in np.unique(classes):
            mine = classes == k
            drawn[mine] = rng.choice(self._clips[k], int(mine.sum()), p=self._weights[k])
        return drawn


@dataclass(frozen=True)
class MixerSource:
    """The sounds that batches are mixed from.

    ``bank`` holds the mel power of all clips (events, then negatives and backgrounds); ``targets`` those
    of each clip, shape (clips, labels), 0…1; ``events`` and ``others`` sample clip numbers of the bank;
    ``widths`` are the band weights of :func:`training.features.mel_bank.band_widths`.
    """

    bank: Bank
    targets: Floats
    events: Sampler
    others: Sampler
    widths: Floats


class Mixer:
    """Generates batches of (windows in dB, targets).

    ``source`` holds the sounds, ``recipe`` the augmentation; windows have ``frames`` frames; ``floor`` is the
    lowest power of a band.
    """

    def __init__(self, source: MixerSource, frames: int, floor: float, recipe: Recipe) -> None:
        self._bank, self._targets, self._widths = source.bank, source.targets, source.widths
        self._events, self._others = source.events, source.others
        self._frames, self._floor, self._recipe = frames, floor, recipe
        self._past = _PAST if recipe.room else 0

    def batch(self, size: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Return windows, shape (size, frames, n_mels) in dB, and targets, shape (size, labels)."""
        recipe = self._recipe
        first = self._events.draw(size, rng)
        empty = rng.random(size) < recipe.negatives
        first[empty] = self._others.draw(int(empty.sum()), rng)
        mixture, whole = self._place(first, rng)
        targets = self._targets[first].copy()
        level = self._bank.level[first]

        pair = np.flatnonzero((rng.random(size) < recipe.second) & ~empty)
        second = self._events.draw(len(pair), rng)
        gain_db = rng.uniform(-recipe.second_db, recipe.second_db, len(pair))
        placed, _ = self._place(second, rng)
        mixture[pair] += placed * _scale(level[pair], self._bank.level[second], gain_db)
        targets[pair] = pair_targets(targets[pair], self._targets[second], gain_db)
        if recipe.room:
            in_rooms(mixture, recipe, rng)
        mixture = mixture[:, self._past :]

        behind = np.flatnonzero((rng.random(size) < recipe.background) | ~whole)
        beds = self._others.draw(len(behind), rng)
        snr_db = rng.uniform(*recipe.background_db, len(behind))
        placed, _ = self._place(beds, rng)
        scale = _scale(level[behind], self._bank.level[beds], -snr_db)
        mixture[behind] += placed[:, self._past :] * scale

        decibels = self._to_decibels(mixture, level, rng)
        _mask(decibels, recipe, rng)
        if rng.random() < recipe.mixstyle:
            mixstyle(decibels, recipe.mixstyle_beta, rng)
        smooth = recipe.smoothing
        return decibels, (targets * (1.0 - smooth) + smooth / 2).astype(np.float32)

    def _place(self, clips: Ints, rng: np.random.Generator) -> tuple[Floats, NDArray[np.bool_]]:
        """Return equalised windows of the clips with reverberation tails, and which their clip fills."""
        recipe, frames, count = self._recipe, self._frames, len(clips)
        rate = rng.uniform(1.0 - recipe.stretch, 1.0 + recipe.stretch, count)
        length = np.maximum(1, (self._bank.frames[clips] / rate).astype(np.int64))
        heard = np.minimum(recipe.heard_frames, np.maximum(1, length // 2))
        long = length >= frames
        loose = np.where(long, rng.random(count) < recipe.partial, rng.random(count) >= recipe.tiled)
        inside = rng.integers(0, np.maximum(1, length - frames + 1))
        sliding = rng.integers(heard - frames, length - heard + 1)
        start = np.where(loose, sliding, np.where(long, inside, rng.integers(0, length)))
        at = start[:, None] + np.arange(-self._past, frames)
        at = np.where((long | loose)[:, None], at, at % length[:, None])
        source = self._bank.first[clips][:, None] + np.minimum(
            (at * rate[:, None]).astype(np.int64), self._bank.frames[clips][:, None] - 1
        )
        rows = np.where((at >= 0) & (at < length[:, None]), source, 0)
        bands = np.arange(self._bank.power.shape[1])
        shift = rng.integers(-recipe.bands, recipe.bands + 1, count)
        bands = np.clip(bands - shift[:, None], 0, len(bands) - 1)
        placed = self._bank.power[rows[:, :, None], bands[:, None, :]]
        placed *= equaliser(count, placed.shape[2], recipe.equaliser_db, rng)[:, None, :]
        filled = (start >= 0) & (start + frames <= length)
        return placed, np.where(loose, filled, True)

    def _to_decibels(self, mixture: Floats, level: Floats, rng: np.random.Generator) -> Floats:
        count, n_mels = len(mixture), mixture.shape[2]
        mixture *= equaliser(count, n_mels, self._recipe.equaliser_db, rng)[:, None, :]
        noise_db = rng.uniform(*self._recipe.noise_db, count)
        tilt = equaliser(count, n_mels, 10.0, rng) / self._widths.mean() / n_mels
        room = (tilt * (level * power_of_db(-noise_db))[:, None])[:, None, :]
        # The band power of steady noise is approximately chi-square with few degrees of freedom.
        mixture += room * rng.standard_gamma(3.0, mixture.shape, dtype=np.float32) / 3.0
        low_db, high_db = self._recipe.level_db
        gain = power_of_db(rng.uniform(low_db, high_db, count))
        mixture *= gain.astype(np.float32)[:, None, None]
        decibels: Floats = db_of_power(np.maximum(mixture, self._floor))
        return decibels


def _scale(reference: Floats, level: Floats, gain_db: NDArray[np.float64]) -> Floats:
    """Return the factor that sets ``level`` to ``gain_db`` over ``reference``, broadcastable over windows."""
    factor: Floats = (reference / np.maximum(level, 1e-9) * power_of_db(gain_db)).astype(np.float32)
    return factor[:, None, None]


def pair_targets(first: Floats, second: Floats, second_over_first_db: NDArray[np.float64]) -> Floats:
    """Return joint targets: a sound far below the other loses part of its own; ``background`` is 0."""
    amplitude = amplitude_of_db(second_over_first_db)
    share = (amplitude / (1.0 + amplitude)).astype(np.float32)[:, None]
    mixed: Floats = np.maximum(
        first * np.minimum(1.0, 2.0 * (1.0 - share)), second * np.minimum(1.0, 2.0 * share)
    )
    mixed[:, -1] = 0.0
    return mixed


def equaliser(count: int, n_mels: int, range_db: float, rng: np.random.Generator) -> Floats:
    """Return smooth random power gains, shape (count, n_mels)."""
    knots = rng.uniform(-range_db, range_db, (count, _KNOTS))
    position = np.linspace(0.0, _KNOTS - 1.0, n_mels)
    left = np.minimum(position.astype(int), _KNOTS - 2)
    share = position - left
    curve = knots[:, left] * (1.0 - share) + knots[:, left + 1] * share
    gains: Floats = power_of_db(curve).astype(np.float32)
    return gains


def in_rooms(power: Floats, recipe: Recipe, rng: np.random.Generator) -> None:
    """Add reverberation to a share of the windows: in power, an exponentially decaying sum of the past.

    Reference: Polack's statistical model of late reverberation (thesis, Le Mans, 1988).
    """
    rows = np.flatnonzero(rng.random(len(power)) < recipe.room)
    shortest, longest = np.log(recipe.room_frames)
    low = np.exp(rng.uniform(shortest, longest, len(rows)))
    frames = low[:, None] * np.linspace(1.0, 0.5, power.shape[2])
    kept = (10 ** (-6 / frames)).astype(np.float32)
    tail_db = -rng.uniform(*recipe.room_db, len(rows))
    share = (1 / (1 + power_of_db(-tail_db))).astype(np.float32)[:, None]
    dry, ringing = power[rows], np.zeros_like(power[rows, 0])
    for at in range(power.shape[1]):
        power[rows, at] = (1 - share) * dry[:, at] + share * (1 - kept) / kept * ringing
        ringing = kept * (ringing + dry[:, at])


def _mask(decibels: Floats, recipe: Recipe, rng: np.random.Generator) -> None:
    """Replace a stretch of bands and one of frames by the window's mean (SpecAugment)."""
    for axis, longest in ((2, recipe.mask_bands), (1, recipe.mask_frames)):
        size = decibels.shape[axis]
        width = rng.integers(0, longest + 1, len(decibels)) * (rng.random(len(decibels)) < recipe.mask)
        start = rng.integers(0, size - longest, len(decibels))
        at = np.arange(size)
        covered = (at >= start[:, None]) & (at < (start + width)[:, None])
        covered = covered[:, None, :] if axis == 2 else covered[:, :, None]
        np.copyto(decibels, decibels.mean(axis=(1, 2), keepdims=True), where=covered)


def mixstyle(decibels: Floats, beta: float, rng: np.random.Generator) -> None:
    """Freq-MixStyle: interpolate mean and deviation per band between each window and a partner.

    Reference: CPJKU/cpjku_dcase23; labels are unchanged.
    """
    mean = decibels.mean(axis=1, keepdims=True)
    deviation = decibels.std(axis=1, keepdims=True) + 1e-3
    share = rng.beta(beta, beta, (len(decibels), 1, 1)).astype(np.float32)
    partner = rng.permutation(len(decibels))
    decibels -= mean
    decibels *= (share * deviation + (1 - share) * deviation[partner]) / deviation
    decibels += share * mean + (1 - share) * mean[partner]
