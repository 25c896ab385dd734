"""Embeddings of streams by a large network, row by row in place of scores."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from monitor.features.spec import WaveformSpec
from monitor.model.card import Card
from monitor.model.classifier import Classifier, Invoke
from monitor.records import Level
from training.base.arrays import Floats
from training.base.atomic import atomic_write
from training.base.progress import Tick
from training.data.audio import RATE, read
from training.data.corpora import Clip
from training.data.repeats import repeated
from training.data.splits import Part
from training.features.front_end import HOP
from training.mixing.soundscapes import ScapePlan, Soundscape, make_soundscapes
from training.mixing.streams import Scene, Scored, foreground_scenes, score
from training.networks.yamnet import EMBEDDING, WINDOW


class Ear:
    """An embedding network that runs window by window as in the daemon.

    Parameters
    ----------
    run
        Maps a window of samples to its embedding, shape (1024,).
    digest
        Identifies the network in the cache.
    """

    def __init__(self, run: Invoke, digest: str) -> None:
        self.run, self.digest = run, digest
        groups = {str(number): (number,) for number in range(EMBEDDING)}
        # This card's scores are used raw: each is a component of the embedding.
        self._classifier = Classifier(NETWORK_CARD, run, groups)

    def streams(self, scenes: Iterable[Scene], tick: Tick) -> list[Scored]:
        """Return the streams with the embedding of every row, shape (rows, 1024), in place of scores."""
        heard = []
        for done, scene in enumerate(scenes, 1):
            heard.append(score(scene, self._classifier, HOP, RATE))
            if done % 100 == 0:
                tick(done)
        return heard


NETWORK_CARD = Card(
    schema=1,
    name="yamnet",
    version="1",
    created="",
    licence="Apache-2.0",
    data_licences=(),
    sample_rate=RATE,
    window=WINDOW,
    hop=HOP,
    front_end=WaveformSpec(),
    output="sigmoid",
    classes={},
)
"""Card of the embedding network, whose outputs trigger no events."""


@dataclass(frozen=True)
class EmbeddedStreams:
    """Embedded streams of a part: foreground sounds over background, backgrounds, sounds of no class.

    Parameters
    ----------
    clips
        All sounds of the classes alone, in the part's order.
    scapes
        Soundscapes.
    """

    scenes: tuple[Scored, ...]
    beds: tuple[Scored, ...]
    others: tuple[Scored, ...]
    clips: tuple[Scored, ...]
    scapes: tuple[Scored, ...]


def hear(
    ear: Ear, part: Part, snr_db: tuple[float, float], scapes: int, seed: int, cache: Path, tick: Tick
) -> EmbeddedStreams:
    """Embed the streams of a part; each kind is cached in ``cache``, so that an interrupted run resumes.

    Parameters
    ----------
    scapes
        Number of soundscapes.
    """
    digest = hashlib.sha256(f"{ear.digest} {snr_db} {seed} {HOP}".encode())
    for clip in (*(c for c, _ in part.events), *part.negatives, *part.backgrounds):
        digest.update(f"{clip.path.name} {clip.path.stat().st_size}\n".encode())
    key = digest.hexdigest()[:16]

    def kept(kind: str, scenes: Iterable[Scene]) -> tuple[Scored, ...]:
        path = cache / f"hearing-{key}-{kind}.npz"
        if not path.is_file():
            _save(path, ear.streams(scenes, tick))
        return _load(path)

    plan = ScapePlan(scapes, seed=seed)
    beds = kept("beds", _alone((clip, "") for clip in part.backgrounds))
    return EmbeddedStreams(
        kept("scenes", foreground_scenes(part, snr_db, RATE, seed)),
        tuple(
            replace(bed, again=tuple(repeated(read(clip.path, RATE), RATE)))
            for bed, clip in zip(beds, part.backgrounds, strict=True)
        ),
        kept("others", _alone((clip, "") for clip in part.negatives)),
        kept("clips", _alone(part.events)),
        _with_truths(make_soundscapes(part, plan), lambda scenes: kept(f"scapes{scapes}", scenes)),
    )


def _with_truths(
    scapes: Sequence[Soundscape], hear_all: Callable[[Iterable[Scene]], tuple[Scored, ...]]
) -> tuple[Scored, ...]:
    """Embed soundscapes as streams and add their ground truth, which the cache does not keep."""
    heard = hear_all(Scene(s.name, "", s.samples, 0.0, s.seconds) for s in scapes)
    return tuple(
        replace(stream, truths=tuple((t.label, t.onset_s, t.offset_s) for t in scape.truths))
        for stream, scape in zip(heard, scapes, strict=True)
    )


def _alone(clips: Iterable[tuple[Clip, str]]) -> Iterable[Scene]:
    """Return unmixed recordings as streams, labelled from start to end."""
    for clip, label in clips:
        samples = read(clip.path, RATE)
        yield Scene(clip.recording, label, samples, 0.0, len(samples) / RATE)


def _save(path: Path, streams: Sequence[Scored]) -> None:
    with atomic_write(path) as partial, partial.open("wb") as file:
        _write(file, streams)


def _write(file: IO[bytes], streams: Sequence[Scored]) -> None:
    np.savez(
        file,
        name=np.array([s.name for s in streams], np.str_),
        label=np.array([s.label for s in streams], np.str_),
        span_s=np.array([(s.onset_s, s.offset_s) for s in streams], np.float64).reshape(-1, 2),
        rows=np.array([len(s.times_s) for s in streams], np.int64),
        embedding=_stacked([s.scores for s in streams]).astype(np.float16),
        level=np.array(
            [(x.rms_dbfs, x.peak_dbfs, x.background_dbfs, x.clipped) for s in streams for x in s.levels]
        ).reshape(-1, 4),
    )


def _load(path: Path) -> tuple[Scored, ...]:
    with np.load(path) as stored:
        ends = np.cumsum(stored["rows"])[:-1]
        embeddings, levels = np.split(stored["embedding"], ends), np.split(stored["level"], ends)
        facts = zip(stored["name"], stored["label"], stored["span_s"], strict=True)
        return tuple(
            Scored(str(name), str(label), float(span[0]), float(span[1]), _times(rows), rows, _levels(level))
            for (name, label, span), rows, level in zip(facts, embeddings, levels, strict=False)
        )


def _stacked(rows: Sequence[Floats]) -> Floats:
    return np.concatenate([np.zeros((0, EMBEDDING), np.float32), *rows])


def _times(rows: NDArray[np.float16]) -> NDArray[np.float64]:
    times: NDArray[np.float64] = np.arange(1, len(rows) + 1) * HOP / RATE
    return times


def _levels(rows: NDArray[np.float64]) -> tuple[Level, ...]:
    return tuple(Level(rms, peak, bed, int(clipped)) for rms, peak, bed, clipped in rows.tolist())
