"""The cached bank of altered clips, rendered once and read like other features.

Slow alterations (phase vocoder, convolution) are made here, before training. Those that are cheap on
mel power (gain, mixing, equaliser, masks) are made per batch by :mod:`training.mixing.mixer`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from monitor.records import Samples
from training.base.progress import Tick
from training.data.corpora import Clip
from training.features.alterations import add_room, change_pitch, change_tempo, room_response, shift
from training.features.spec import FeatureSpec
from training.features.store import FeatureArray, load_items

_RT60_S = (0.15, 0.8)
_DIRECT_DB = (-3.0, 9.0)


@dataclass(frozen=True)
class BankRecipe:
    """Ranges of the alterations; 0 disables one."""

    shift: float = 0.0
    """largest rotation, as a share of the clip"""
    semitones: float = 0.0
    """largest change of pitch, up or down"""
    tempo: float = 0.0
    """largest change of tempo: 0.2 is 1/1.2 … 1.2 times as fast"""
    room: float = 0.0
    """share of copies with room reverberation"""
    seed: int = 0


recipes: Mapping[str, BankRecipe] = MappingProxyType({
    "shift": BankRecipe(shift=0.5),
    "pitch": BankRecipe(semitones=2.5),
    "tempo": BankRecipe(tempo=0.23),
    "room": BankRecipe(room=1.0),
    "all": BankRecipe(shift=0.5, semitones=2.5, tempo=0.23, room=0.5),
})  # fmt: skip
"""Each alteration alone, for the ablation, and all. Ranges of pitch and tempo: Salamon & Bello, SPL 2017."""


@dataclass(frozen=True)
class Change:
    """The alterations of one copy; an :class:`~training.features.store.Alteration`."""

    shift: float
    semitones: float
    tempo: float
    rt60_s: float
    """0: no room"""
    direct_db: float
    seed: int

    def __call__(self, samples: Samples, rate: int) -> Samples:
        if self.tempo != 1.0:
            samples = change_tempo(samples, self.tempo)
        if self.semitones:
            samples = change_pitch(samples, rate, self.semitones)
        samples = shift(samples, self.shift)
        if self.rt60_s:
            rng = np.random.default_rng(self.seed)
            samples = add_room(samples, room_response(rate, self.rt60_s, self.direct_db, rng))
        return samples


def draw(recipe: BankRecipe, clip: Clip, copy: int) -> Change:
    """Return the alterations of one copy of a clip, the same in every run and on every machine."""
    digest = hashlib.sha256(f"{recipe.seed} {clip.path.stem} {copy}".encode()).digest()
    seed = int.from_bytes(digest[:4], "little")
    # All factors are drawn even if unused, so that disabling one does not change the others.
    by_shift, by_pitch, by_tempo, of_room, rt60_s, direct = np.random.default_rng(seed).random(6).tolist()
    in_room = of_room < recipe.room
    return Change(
        shift=round(recipe.shift * (2 * by_shift - 1), 3),
        semitones=round(recipe.semitones * (2 * by_pitch - 1), 2),
        tempo=round((1.0 + recipe.tempo) ** (2 * by_tempo - 1), 3),
        rt60_s=round(_within(_RT60_S, rt60_s), 3) if in_room else 0.0,
        direct_db=round(_within(_DIRECT_DB, direct), 1) if in_room else 0.0,
        seed=seed,
    )


def load_bank(
    clips: Sequence[Clip],
    spec: FeatureSpec,
    recipe: BankRecipe,
    copies: int,
    cache: Path,
    tick: Tick = lambda done: None,
    workers: int = 2,
) -> FeatureArray:
    """Return features of ``copies`` altered copies of each clip; copies missing in ``cache`` are rendered.

    Row ``copy · len(clips) + clip`` of ``values`` is that copy of that clip.
    """
    items = [(clip.path, draw(recipe, clip, copy)) for copy in range(copies) for clip in clips]
    return load_items(items, spec, cache, tick, workers)


def _within(limits: tuple[float, float], share: float) -> float:
    return limits[0] + (limits[1] - limits[0]) * share
