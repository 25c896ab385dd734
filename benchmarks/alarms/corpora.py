"""Recordings by corpus and source, split by source into a development and a held-out half."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

Signal = NDArray[np.float32]

_URBAN = (
    "air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling", "engine_idling", "gun_shot",
    "jackhammer", "siren", "street_music",
)  # fmt: skip
"""Classes of UrbanSound8K by their number."""


@dataclass(frozen=True)
class Recording:
    """A file of a corpus.

    Parameters
    ----------
    source
        Original recording, which is never in both halves.
    category
        Its class or its folder.
    """

    path: Path
    corpus: str
    source: str
    category: str

    @property
    def held_out(self) -> bool:
        """Whether it belongs to the held-out half, on which figures are computed."""
        return hashlib.sha256(self.source.encode()).digest()[0] % 2 == 1

    def read(self, rate: int) -> Signal:
        samples, own = soundfile.read(self.path, dtype="float32", always_2d=True)
        return soxr.resample(samples.mean(axis=1), own, rate).astype(np.float32)

    def part(self, rate: int, count: int, rng: np.random.Generator) -> Signal:
        """Return ``count`` samples from a random position; a shorter recording is looped."""
        own = soundfile.info(self.path)
        wanted = count * own.samplerate // rate + own.samplerate
        if own.frames <= wanted:
            samples = self.read(rate)
            return np.resize(samples, count)
        start = int(rng.integers(0, own.frames - wanted))
        samples, _ = soundfile.read(self.path, wanted, start, dtype="float32", always_2d=True)
        return soxr.resample(samples.mean(axis=1), own.samplerate, rate).astype(np.float32)[:count]


def recordings(data: Path) -> list[Recording]:
    """Return all recordings below a data folder, in a fixed order."""
    found = [*_urbansound(data), *_esc(data)]
    for corpus in ("background", "background_more", "effects"):
        for path in sorted((data / corpus).rglob("*.ogg")):
            found.append(Recording(path, corpus, f"{corpus}/{path.stem}", path.parent.name))
    return found


def _urbansound(data: Path) -> Iterator[Recording]:
    for path in sorted((data / "urbansound8k" / "audio").rglob("*.ogg")):
        source, label, *_ = path.stem.split("-")
        yield Recording(path, "urbansound8k", f"freesound/{source}", _URBAN[int(label)])


def _esc(data: Path) -> Iterator[Recording]:
    for corpus in ("esc10", "esc50", "esc50_fold4"):
        with (data / corpus / "meta.csv").open(encoding="utf-8", newline="") as stream:
            for row in sorted(csv.DictReader(stream), key=lambda row: row["filename"]):
                path = data / corpus / "audio" / row["filename"]
                if path.exists():
                    source = path.stem.split("-")[1]
                    yield Recording(path, corpus, f"freesound/{source}", row["category"])
