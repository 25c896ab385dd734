"""Attacks on waveforms: the lowest perturbation level that changes a prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.base.arrays import Floats
from training.base.maths import db_of_amplitude
from training.base.progress import Progress
from training.data.audio import RATE, Waveform
from training.errors import DataError
from training.robustness.attacks.methods import (
    Labels,
    Logits,
    dead,
    deepfool,
    descend,
    descend_peak,
    nearest_sounds,
    noise_like,
    quantised,
    right,
    rounded,
    snr_db,
    sounds_of,
)
from training.robustness.attacks.runs import Kept, Runs, Values, batches, figures, placed
from training.robustness.corruptions.disturbances import coloured
from training.robustness.played.transfer import logits_by
from training.robustness.targets import published_front_end
from training.robustness.targets.networks import Target

SNRS_DB = (60.0, 50.0, 40.0, 30.0, 20.0, 10.0)
PEAKS_DB = (-80.0, -70.0, -60.0, -50.0, -40.0)
"""Peaks in dBFS."""
LOUD_DB = -20.0
"""The perturbation masks the sound: no network withstands it."""
NOTHING_DB = float("inf")
NOISES = {"Gaussian": 0.0, "pink": 1.0}
SECOND = "FMN"
_BATCH = 50


@dataclass(frozen=True)
class SoundEffort:
    """Attack effort: steps of PGD from the clean sound, of a short first run (0: none), random restarts.

    FMN checks DeepFool with ``second_steps`` on the first ``second_clips`` clips (0: none).
    """

    steps: int = 20
    short: int = 5
    restarts: int = 1
    second_steps: int = 100
    second_clips: int = 25


QUICK = SoundEffort(steps=10, short=0, restarts=0, second_clips=0)


@dataclass(frozen=True)
class Attacked:
    """One network of one fold under attack by waveform; one row per clip, in clip order.

    Parameters
    ----------
    right
        Whether the clean sound is classified correctly.
    dead
        Whether it is, and the gradient of its loss is zero or not finite.
    alone
        By run ("PGD 20 dB", "PGD -60 dBFS", "Gaussian noise at 20 dB"), whether correct before and after.
    withstood
        By SNR ("20"), whether the clip is correct after every run with at least that SNR.
    under_peak
        By peak of the perturbation in dBFS ("-60"), likewise.
    realised_db, peaks_db
        By run of PGD, SNR and peak of the perturbation after rounding to 16 bits; None if rounding
        removes it or the sound was misclassified.
    snr_db
        SNR of DeepFool's smallest perturbation; None for misclassified sounds.
    held_by_16_bits
        Whether that perturbation still succeeds after rounding.
    rounded_snr_db, rounded_peak_db
        Of the perturbation amplified just enough to succeed after rounding.
    second_asked, second_snr_db
        Whether FMN searched for the smallest perturbation too, and its result.
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
    under_peak: Mapping[str, tuple[bool, ...]]
    realised_db: Mapping[str, tuple[float | None, ...]]
    peaks_db: Mapping[str, tuple[float | None, ...]]
    snr_db: tuple[float | None, ...]
    held_by_16_bits: tuple[bool, ...]
    rounded_snr_db: tuple[float | None, ...]
    rounded_peak_db: tuple[float | None, ...]
    second_asked: tuple[bool, ...]
    second_snr_db: tuple[float | None, ...]


def attack_sound(target: Target, effort: SoundEffort, say: Progress) -> Attacked:
    """Attack a network by waveform at its own rate, at every SNR and peak and with minimum norm.

    Raises
    ------
    DataError
        If the network does not take waveforms.
    """
    job, clips = target.job, target.clips
    logits, rate = _on_sounds(target)
    every = [np.arange(len(clips))[first : first + _BATCH] for first in range(0, len(clips), _BATCH)]
    known = np.concatenate([
        right(logits, sounds_of([clips[row] for row in rows], rate), target.truth[rows]) for rows in every
    ])  # fmt: skip
    parts, attacked = [], batches(known)
    for number, rows in enumerate(attacked):
        say(f"{job}: {known.sum()} of {len(clips)} clips are right, batch {number + 1} of {len(attacked)}")
        sounds = sounds_of([clips[row] for row in rows], rate)
        parts.append(_batch(logits, sounds, target.truth[rows], rows < effort.second_clips, effort, say))
    return Attacked(
        job.model, job.test_fold, job.seed, tuple(clip.path.stem for clip in clips),
        tuple(clip.label for clip in clips), tuple(clip.recording for clip in clips), tuple(known.tolist()),
        **{name: placed([part[name] for part in parts], attacked, known) for name in parts[0]},
    )  # fmt: skip


def _on_sounds(target: Target) -> tuple[Logits, int]:
    """Return the network as a function of waveforms, and their sample rate."""
    if target.published is not None:
        return published_front_end.on_waveforms(target.published), target.published.spec.rate
    if target.held_out is not None:
        return target.held_out.on_waveforms, target.held_out.rate
    if target.windows is None:
        raise DataError(f"{target.job.model}: takes no waveforms; attack its features only")
    return logits_by(target), RATE


class _Session:
    """All runs on the same sounds; a run has a target SNR, a peak, or neither."""

    def __init__(self, logits: Logits, sounds: Floats, truth: Labels) -> None:
        self.logits, self.sounds, self.truth = logits, sounds, truth
        self.runs = Runs()
        self.realised: dict[str, Values] = {}
        self.peaks: dict[str, Values] = {}

    def run(self, name: str, perturbed: Floats, snr: float = -np.inf, peak: float = np.inf) -> None:
        """Evaluate the result of a run, at its SNR and peak after rounding."""
        self.realised[name] = snr_db(self.sounds, perturbed)
        self.peaks[name] = _peaks(perturbed - self.sounds)
        under, height = np.maximum(self.realised[name], snr), np.minimum(self.peaks[name], peak)
        left = right(self.logits, perturbed, self.truth)
        self.runs.add(name, left, level_db=-under, peak_db=height)

    def least(self, name: str, moved: Floats) -> dict[str, Any]:
        """Evaluate a minimum-norm perturbation, as it is and rounded to 16 bits."""
        over = ~right(self.logits, moved, self.truth)
        held = over & ~right(self.logits, quantised(moved), self.truth)
        self.run(name, rounded(self.logits, self.sounds, moved, self.truth))
        fooled = over & ~self.runs.left[name]
        return {
            "snr_db": figures(snr_db(self.sounds, moved), over, 2),
            "held_by_16_bits": held.tolist(),
            "rounded_snr_db": figures(self.realised[name], fooled, 2),
            "rounded_peak_db": figures(self.peaks[name], fooled, 1),
        }


def _batch(
    logits: Logits, sounds: Floats, truth: Labels, asked: Kept, effort: SoundEffort, say: Progress
) -> dict[str, Any]:
    session = _Session(logits, sounds, truth)
    for snr in (NOTHING_DB, *SNRS_DB, LOUD_DB):
        say(f"PGD at {snr:g} dB SNR, and noise")
        _at_snr(session, snr, effort)
    for peak in PEAKS_DB:
        say(f"PGD with a peak of {peak:g} dBFS")
        session.run(f"PGD {peak:g} dBFS", descend_peak(logits, sounds, truth, peak, effort.steps), peak=peak)
    descents = [name for name in session.realised if name.startswith("PGD")]
    say("DeepFool")
    least = session.least("DeepFool", deepfool(logits, sounds, truth))
    second = sounds.copy()
    if asked.any():
        say(SECOND)
        second[asked] = nearest_sounds(logits, sounds[asked], truth[asked], effort.second_steps)
        found = session.least(SECOND, second)["snr_db"]
    else:
        found = [None] * len(sounds)
    runs, there = session.runs, np.ones(len(sounds), bool)
    return {
        "dead": dead(logits, sounds, truth).tolist(),
        "alone": runs.alone,
        "withstood": {f"{s:g}": runs.withstood("level_db", -s) for s in (NOTHING_DB, *SNRS_DB, LOUD_DB)},
        "under_peak": {f"{p:g}": runs.withstood("peak_db", p) for p in PEAKS_DB},
        "realised_db": {name: figures(session.realised[name], there, 2) for name in descents},
        "peaks_db": {name: figures(session.peaks[name], there, 1) for name in descents},
        **least,
        "second_asked": asked.tolist(),
        "second_snr_db": found,
    }


def _at_snr(session: _Session, snr: float, effort: SoundEffort) -> None:
    """Run PGD briefly, from the clean sound and from random starts, and noise of the same SNR."""
    logits, sounds, truth = session.logits, session.sounds, session.truth
    name, budgeted = f"PGD {snr:g} dB", snr in SNRS_DB
    if budgeted and effort.short:
        session.run(f"{name}, few steps", descend(logits, sounds, truth, snr, effort.short, 0), snr)
    perturbed = descend(logits, sounds, truth, snr, effort.steps if np.isfinite(snr) else 1, 0)
    session.run(name, perturbed, snr)
    for start in range(1, 1 + (effort.restarts if budgeted else 0)):
        session.run(f"{name}, start {start}", descend(logits, sounds, truth, snr, effort.steps, start), snr)
    for colour, slope in NOISES.items():
        session.run(f"{colour} noise at {snr:g} dB", noise_like(perturbed, sounds, _noise(slope)), snr)


def _noise(slope: float) -> Callable[[Waveform], Waveform]:
    colour, rng = coloured(slope), np.random.default_rng(0)
    return lambda sound: colour(sound, rng)


def _peaks(perturbations: Floats) -> Values:
    """Return peaks in dBFS; −∞ for silence."""
    with np.errstate(divide="ignore"):
        peaks: Values = db_of_amplitude(np.abs(perturbations).max(axis=1).astype(np.float64))
    return peaks
