"""Example clips with audio and pictures: clean, perturbation, and result."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.base.arrays import Floats
from training.base.progress import Progress
from training.data.audio import RATE, Waveform
from training.data.corpora import CLASSES
from training.robustness.attacks.methods import Logits, deepfool, right, rounded, snr_db, sounds_of
from training.robustness.attacks.on_features import nearest_features
from training.robustness.played.transfer import logits_by, windows_of
from training.robustness.targets.front_end import log_mel
from training.robustness.targets.networks import Target

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LABELS = ("siren", "dog_bark", "gun_shot", "drilling", "street_music", "jackhammer")
"""Search order of the clips."""
_COUNT = 3
_AUDIBLE = 0.3
"""Peak to which an isolated perturbation is amplified in its file, to be audible."""


@dataclass(frozen=True)
class Example:
    """One clip moved over the nearest boundary, as far as needed in 16 bits.

    Parameters
    ----------
    taken_for
        Predicted class of the result.
    snr_db
        SNR of the perturbation in dB.
    rms_db, max_db
        Smallest change of the clip's features in dB, found by a separate attack.
    picture
        File of the spectrograms.
    sounds
        Files of the clip, the amplified perturbation, and the result.
    """

    model: str
    fold: int
    clip: str
    label: str
    taken_for: str
    snr_db: float
    rms_db: float
    max_db: float
    picture: str
    sounds: tuple[str, ...]


def examples(target: Target, files: Path, say: Progress) -> list[Example]:
    """Write audio and spectrograms into a folder; both contain recordings."""
    logits = logits_by(target)
    say(f"{target.job}: examples")
    found_by_row = _fooled(target, logits)
    if not found_by_row:
        return []
    rows = [*found_by_row]
    clips, truth = [target.clips[row] for row in rows], target.truth[rows]
    sounds, features, results = sounds_of(clips), target.decibels[rows], np.stack([*found_by_row.values()])
    given = target.given(np.array(rows))
    changes = nearest_features(given, features, truth, "DeepFool", 50) - features
    guesses = np.asarray(logits(results)).argmax(axis=1)
    spec = windows_of(target).network.front.spec
    shown = [np.asarray(log_mel(spec, RATE)(some)) for some in (sounds, results - sounds, results)]
    titles = [
        f"{clip.label} → {CLASSES[guess]}, {snr:.0f} dB SNR"
        for clip, guess, snr in zip(clips, guesses, snr_db(sounds, results), strict=True)
    ]
    name = re.sub(r"[^\w]+", "-", f"examples-{target.job.model}") + ".png"
    files.mkdir(parents=True, exist_ok=True)
    _picture([*shown, changes], titles).savefig(files / name, dpi=80, metadata={"Software": None})
    found = []
    for i, clip in enumerate(clips):
        written = _write(files / target.job.model / clip.path.stem, sounds[i], results[i])
        found.append(Example(
            target.job.model, target.job.test_fold, clip.path.stem, clip.label, CLASSES[guesses[i]],
            float(snr_db(sounds, results)[i]), float(np.sqrt(np.mean(changes[i] ** 2))),
            float(np.abs(changes[i]).max()), name, written,
        ))  # fmt: skip
    return found


def _fooled(target: Target, logits: Logits) -> dict[int, Waveform]:
    """Return by row the first clip of each of a few classes that is fooled in 16 bits, and the result."""
    known = right(logits, sounds_of(target.clips), target.truth)
    found: dict[int, Waveform] = {}
    for label in dict.fromkeys((*_LABELS, *CLASSES)):
        for row in (i for i, clip in enumerate(target.clips) if clip.label == label and known[i]):
            sound, truth = sounds_of([target.clips[row]]), target.truth[[row]]
            result = rounded(logits, sound, deepfool(logits, sound, truth), truth)
            if not right(logits, result, truth)[0]:
                found[row] = result[0]
                break
        if len(found) == _COUNT:
            break
    return found


def _write(folder: Path, sound: Waveform, result: Waveform) -> tuple[str, ...]:
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    change = result - sound
    louder = change * (_AUDIBLE / max(float(np.abs(change).max()), 1e-9))
    for name, samples in (("clip", sound), ("perturbation", louder), ("result", result)):
        soundfile.write(folder / f"{name}.wav", samples, RATE, subtype="PCM_16")
    return tuple(f"{folder.name}/{name}.wav" for name in ("clip", "perturbation", "result"))


def _picture(columns: Sequence[Floats], titles: Sequence[str]) -> Figure:
    """Plot mel bands of clip, perturbation and result, and the smallest change of the features in dB."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.7 * len(titles) + 0.3), layout="constrained")
    panels = figure.subplots(len(titles), 4, squeeze=False)
    heads = ("as recorded", "what is added", "result", "least change of the features, dB")
    top = float(columns[0].max())
    for row, title in enumerate(titles):
        for column, values in enumerate(columns):
            axes = panels[row][column]
            change = column == len(columns) - 1
            largest = float(np.abs(values[row]).max())
            limits = {"vmin": -largest, "vmax": largest, "cmap": "RdBu_r"} if change else {
                "vmin": top - 90, "vmax": top, "cmap": "magma"
            }  # fmt: skip
            image = axes.imshow(values[row].T, origin="lower", aspect="auto", **limits)
            axes.set_xticks([])
            axes.set_yticks([])
            if row == 0:
                axes.set_title(heads[column], fontsize=8)
            if change:
                figure.colorbar(image, ax=axes)
        panels[row][0].set_ylabel(title.replace(" → ", "\n→ ").replace(", ", "\n"), fontsize=7)
    return figure
