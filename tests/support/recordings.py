"""Synthesised recordings for the tests of training: a part of data as a split would give it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from corpora import sound

from training.data.corpora import Clip
from training.data.splits import Part

RATE = 16_000


def make_part(folder: Path, *, recordings: int = 3, seconds: float = 2.5) -> Part:
    """Two classes, one kind of other sound, one kind of background; each recording a file."""
    events = []
    for kind, label in ((2, "dog_bark"), (6, "siren")):
        for number in range(recordings):
            clip = _write(
                folder, f"{kind}{number}", "UrbanSound8K", label, sound(kind, number, 0, seconds, RATE)
            )
            events.append((clip, label))
    negatives = tuple(
        _write(folder, f"9{n}", "ESC", "rain", sound(9, n, 0, seconds, RATE)) for n in range(recordings)
    )
    beds = tuple(
        _write(folder, f"street/{n}", "background", "street", _noise(n, 2 * seconds))
        for n in range(recordings)
    )
    return Part(tuple(events), negatives, beds)


def _noise(seed: int, seconds: float) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return (0.05 * noise).astype(np.float32)


def _write(folder: Path, recording: str, corpus: str, label: str, samples: np.ndarray) -> Clip:
    path = folder / f"{corpus}-{recording.replace('/', '-')}.wav"
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    return Clip(path, corpus, recording, label, 1)
