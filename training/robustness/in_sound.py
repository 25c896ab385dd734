"""Attacks on sounds: how far under a sound a perturbation may lie and still change a network's mind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.audio import Waveform
from training.errors import DataError
from training.mixing import Floats
from training.prepare import RATE
from training.robustness import published_front_end
from training.robustness.attacks import (
    Labels,
    Logits,
    deepfool,
    descend,
    noise_like,
    quantised,
    right,
    snr_db,
    sounds_of,
)
from training.robustness.disturbances import coloured
from training.robustness.targets import Target
from training.robustness.transfer import heard_by

SNRS_DB = (60.0, 50.0, 40.0, 30.0, 20.0, 10.0)
LOUD_DB = -20.0
"""The perturbation drowns the sound: no network survives this."""
NOTHING_DB = float("inf")
_BATCH = 50
Kept = NDArray[np.bool_]


@dataclass(frozen=True)
class Attacked:
    """One network of one fold under attack by sound; a row per clip, in the order of the clips.

    right : whether the undisturbed sound is taken for what it is
    alone : by run ("20 dB", "Gaussian noise at 20 dB"), whether it still is after that run alone
    withstood : by SNR ("20"), whether it still is after every run so far: quieter ones included
    full_scale_db : by SNR, the perturbation's peak in dB of full scale
    snr_db, peak_db : of the least perturbation that DeepFool found; None where the sound was wrong
    held_by_16_bits : whether that perturbation still fools after rounding to 16 bits; None as above
    """

    model: str
    fold: int
    seed: int
    clips: tuple[str, ...]
    labels: tuple[str, ...]
    right: tuple[bool, ...]
    alone: Mapping[str, tuple[bool, ...]]
    withstood: Mapping[str, tuple[bool, ...]]
    full_scale_db: Mapping[str, tuple[float, ...]]
    snr_db: tuple[float | None, ...]
    peak_db: tuple[float | None, ...]
    held_by_16_bits: tuple[bool | None, ...]


def attack_sound(target: Target, steps: int, say: Callable[[str], None]) -> Attacked:
    """Attack a network by sound, at its own rate, at every SNR and by the least perturbation.

    Raises
    ------
    DataError : the network hears no sound
    """
    job = target.job
    heard, rate = _on_sounds(target)
    parts = []
    for first in range(0, len(target.clips), _BATCH):
        rows = slice(first, first + _BATCH)
        parts.append(_batch(heard, sounds_of(target.clips[rows], rate), target.truth[rows], steps))
        say(f"{job}: {min(first + _BATCH, len(target.clips))} of {len(target.clips)} clips attacked by sound")

    def joined(key: str) -> Any:
        return tuple(value for part in parts for value in part[key])

    def by_name(key: str) -> dict[str, Any]:
        return {name: tuple(v for part in parts for v in part[key][name]) for name in parts[0][key]}

    return Attacked(
        job.model, job.test_fold, job.seed,
        tuple(clip.path.stem for clip in target.clips), tuple(clip.label for clip in target.clips),
        joined("right"), by_name("alone"), by_name("withstood"), by_name("full_scale_db"), joined("snr_db"),
        joined("peak_db"), joined("held_by_16_bits"),
    )  # fmt: skip


def _on_sounds(target: Target) -> tuple[Logits, int]:
    """The network as a function of sounds, and their rate."""
    if target.published is not None:
        return published_front_end.on_waveforms(target.published), target.published.spec.rate
    if target.windows is None:
        raise DataError(f"{target.job.model}: hears no sound; attack its features alone")
    return heard_by(target), RATE


def _batch(heard: Logits, sounds: Floats, truth: Labels, steps: int) -> dict[str, Any]:
    known = right(heard, sounds, truth)
    moved = sounds.copy()
    if known.any():
        moved[known] = deepfool(heard, sounds[known], truth[known])
    over = known & ~right(heard, moved, truth)
    rounded = ~right(heard, quantised(moved), truth)
    return {
        "right": known.tolist(),
        **_at_every_snr(heard, sounds, truth, known, steps),
        "snr_db": [
            round(float(v), 2) if o else None for v, o in zip(snr_db(sounds, moved), over, strict=True)
        ],
        "peak_db": [v if o else None for v, o in zip(_peaks(moved - sounds), over, strict=True)],
        "held_by_16_bits": [bool(v) if o else None for v, o in zip(rounded, over, strict=True)],
    }


def _at_every_snr(heard: Logits, sounds: Floats, truth: Labels, known: Kept, steps: int) -> dict[str, Any]:
    alone, withstood, peaks = {}, {}, {}
    kept = known.copy()
    for budget_db in (NOTHING_DB, *SNRS_DB, LOUD_DB):
        name = f"{budget_db:g}"
        perturbed = descend(heard, sounds, truth, budget_db, steps if np.isfinite(budget_db) else 1)
        left = right(heard, perturbed, truth)
        kept &= left
        alone[f"{name} dB"], withstood[name] = left.tolist(), kept.tolist()
        peaks[name] = _peaks(perturbed - sounds)
        for colour, slope in (("Gaussian", 0.0), ("pink", 1.0)):
            control = noise_like(perturbed, sounds, _noise(slope))
            alone[f"{colour} noise at {name} dB"] = right(heard, control, truth).tolist()
    return {"alone": alone, "withstood": withstood, "full_scale_db": peaks}


def _noise(slope: float) -> Callable[[Waveform], Waveform]:
    colour, rng = coloured(slope), np.random.default_rng(0)
    return lambda sound: colour(sound, rng)


def _peaks(perturbations: Floats) -> list[float]:
    """Peaks in dB of full scale; a step of 16 bits (−90 dB) is the least there is, and stands for none."""
    peaks = np.maximum(np.abs(perturbations).max(axis=1), 1 / 32768)
    return [round(float(20 * np.log10(peak)), 1) for peak in peaks]
