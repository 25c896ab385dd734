"""AudioSet logits of recordings, row by row, cached so that each is computed once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.features.resample import Resampler, mono
from monitor.model.load import LoadedModel
from monitor.sources.files import FileSource
from training.base.atomic import atomic_write
from training.base.progress import Tick
from training.errors import DataError


@dataclass(frozen=True)
class SoundRows:
    """A recording's rows of the ``sounds`` output, one per hop, as the daemon computes them.

    Parameters
    ----------
    name
        Name of the recording.
    kind
        Known content: a category, or the kind of background.
    source
        Recordings of one source stay in one fold.
    logits
        Shape (rows, labels), float16.
    """

    name: str
    kind: str
    source: str
    logits: NDArray[np.float16]
    hop_s: float

    @property
    def seconds(self) -> float:
        return len(self.logits) * self.hop_s


@dataclass(frozen=True)
class Recorded:
    """A recording to be scored; see :class:`SoundRows`."""

    path: Path
    name: str
    kind: str
    source: str


def score_all(
    model: LoadedModel, recordings: Sequence[Recorded], cache: Path, tick: Tick
) -> tuple[SoundRows, ...]:
    """Return the rows of every recording, from ``cache`` where available.

    Parameters
    ----------
    cache
        A folder with a file for each set of recordings and each network.

    Raises
    ------
    AudioError
        If a recording cannot be read.
    DataError
        If there is none.
    """
    if not recordings:
        raise DataError("there are no recordings to score")
    hop_s = model.card.hop / model.card.sample_rate
    file = cache / f"sounds-{_key(model, recordings)}.npz"
    if file.is_file():
        with np.load(file) as stored:
            logits = [stored[str(number)] for number in range(len(recordings))]
    else:
        logits = []
        for recording in recordings:
            logits.append(score(model, recording.path))
            tick(1)
        cache.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as partial, partial.open("wb") as stream:
            np.savez(stream, **{str(number): rows for number, rows in enumerate(logits)})
    return tuple(
        SoundRows(r.name, r.kind, r.source, x, hop_s) for r, x in zip(recordings, logits, strict=True)
    )


def score(model: LoadedModel, path: Path) -> NDArray[np.float16]:
    """Return the logits of the ``sounds`` output for every hop of a recording, the last padded with zeros."""
    card, classifier = model.card, model.classifier()
    source = FileSource(path)
    try:
        resampler = Resampler(source.rate, card.sample_rate)
        pieces = [resampler.push(mono(block.samples)) for block in source.blocks()]
        samples = np.concatenate([*pieces, resampler.flush()])
    finally:
        source.close()
    hops = max(1, -(-len(samples) // card.hop))
    padded = np.zeros(hops * card.hop, np.float32)
    padded[: len(samples)] = samples
    rows = []
    for hop in padded.reshape(hops, card.hop):
        sounds = classifier.push(hop).sounds
        if sounds is None:
            raise DataError(f"model {card.name} gives no sounds")
        rows.append(sounds.astype(np.float16))
    return np.stack(rows)


def _key(model: LoadedModel, recordings: Sequence[Recorded]) -> str:
    """Return the cache key: the network, its card's front end, and the files by name and size."""
    digest = hashlib.sha256(model.package.flatbuffer)
    digest.update(repr((model.card.front_end, model.card.hop, model.card.warmup)).encode())
    for recording in recordings:
        digest.update(f"{recording.name}|{recording.path.stat().st_size}\n".encode())
    return digest.hexdigest()[:16]
