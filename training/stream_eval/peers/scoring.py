"""Streams of held-out folds through mn04 and YAMNet as published; cached, so that a run resumes."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from monitor.features.resample import Resampler
from training.base.arrays import Floats
from training.base.atomic import atomic_write
from training.base.maths import logistic
from training.base.progress import Progress
from training.data.audio import RATE, Waveform, read
from training.data.corpora import CLASSES, YAMNET_FILE
from training.data.repeats import repeated
from training.data.splits import Part
from training.export.conversion import to_tflite
from training.mixing.soundscapes import Soundscape
from training.mixing.streams import Scored, foreground_scenes
from training.networks import mn04
from training.networks.yamnet import WINDOW, Yamnet
from training.recipes.transfer.held_out import streams_of
from training.recipes.transfer.make import Workshop
from training.recipes.transfer.scores import AUDIOSET_LABELS
from training.recipes.transfer.trunk import FRAMES, HOP_FRAMES, outputs_of, upper_blocks
from training.scoring.held_out import ALONE_SNR_DB
from training.stream_eval.peers.systems import FoldHeard, Heard

_FRAME_S = 0.01
_YAMNET_HOP = 7680
"""Samples between YAMNet's windows: 0.48 s."""
CLASS_MAP = "yamnet_class_map.csv"


def mn04_heard(part: Part, shop: Workshop, fold: int) -> FoldHeard:
    """Return a held-out part through mn04, from the streams of the default recipe."""
    report: Progress = lambda text: shop.report(f"fold {fold}: {text}")  # noqa: E731
    streams = streams_of(part, shop.sources.front_end, shop.frozen, shop.jobs, report)
    run = outputs_of(to_tflite(upper_blocks(shop.pretrained)))
    groups = columns_of(mn04.audioset_labels(shop.pretrained.labels))

    def heard(stream: Any) -> Heard:
        given = [run(maps) for maps in stream.maps]
        logits = np.stack([one[mn04.AUDIOSET] for one in given])
        embedding = np.stack([one[mn04.EMBEDDING] for one in given])
        return Heard(stream.bare, logistic(highest(logits, groups)).astype(np.float32), embedding)

    scapes, beds, others, alone = (
        tuple(map(heard, streams[kind])) for kind in ("scapes", "beds", "others", "alone")
    )
    return FoldHeard(scapes, beds, others, alone, FRAMES * _FRAME_S, HOP_FRAMES * _FRAME_S)


def columns_of(names: Sequence[str]) -> list[list[int]]:
    """Return the columns of each class's AudioSet labels among those that a network has."""
    return [[names.index(name) for name in AUDIOSET_LABELS[label] if name in names] for label in CLASSES]


def highest(scores: Floats, groups: Sequence[Sequence[int]]) -> Floats:
    """Return the highest score of each group of columns, shape (rows, groups)."""
    return np.stack([scores[:, group].max(axis=1) for group in groups], axis=1)


def yamnet_heard(part: Part, scapes: Sequence[Soundscape], folder: Path, cache: Path) -> FoldHeard:
    """Return a held-out part through YAMNet, on the soundscapes that the other networks get.

    Parameters
    ----------
    folder
        Holds the network with its embedding as an output, and its table of labels.
    """
    network = Yamnet(folder / YAMNET_FILE)
    with (folder / CLASS_MAP).open(encoding="utf-8", newline="") as file:
        groups = columns_of([row["display_name"] for row in csv.DictReader(file)])

    def kept(kind: str, streams: Callable[[], Iterable[tuple[Scored, Waveform]]]) -> tuple[Heard, ...]:
        path = cache / f"yamnet-{kind}-{_key(part, scapes, network.digest)}.npz"
        if not path.is_file():
            _save(path, [(bare, *_scored(network, samples, groups)) for bare, samples in streams()])
        return tuple(_load(path))

    return FoldHeard(
        kept("scapes", lambda: map(_soundscape, scapes)),
        kept("beds", lambda: _beds(part)),
        kept("others", lambda: _others(part)),
        kept("alone", lambda: _alone(part)),
        WINDOW / RATE,
        _YAMNET_HOP / RATE,
    )


def _scored(network: Yamnet, samples: Waveform, groups: Sequence[Sequence[int]]) -> tuple[Floats, Floats]:
    """Return scores and embedding of windows that end every hop from the first hop on."""
    lead = np.zeros(WINDOW - _YAMNET_HOP, np.float32)
    rows = -(-len(samples) // _YAMNET_HOP)
    tail = np.zeros(rows * _YAMNET_HOP - len(samples), np.float32)
    scores, embedding = network.heard(np.concatenate([lead, samples, tail]))
    return highest(scores[:rows], groups), embedding[:rows]


def _soundscape(scape: Soundscape) -> tuple[Scored, Waveform]:
    resampler = Resampler(scape.rate, RATE)
    samples = np.concatenate([resampler.push(scape.samples), resampler.flush()])
    truths = tuple((t.label, t.onset_s, t.offset_s) for t in scape.truths)
    return replace(_bare(scape.name, samples), truths=truths), samples


def _beds(part: Part) -> Iterator[tuple[Scored, Waveform]]:
    for clip in part.backgrounds:
        samples = read(clip.path, RATE)
        yield replace(_bare(clip.recording, samples), again=tuple(repeated(samples, RATE))), samples


def _others(part: Part) -> Iterator[tuple[Scored, Waveform]]:
    if part.negatives:
        samples = np.concatenate([read(clip.path, RATE) for clip in part.negatives])
        yield _bare("ESC", samples), samples


def _alone(part: Part) -> Iterator[tuple[Scored, Waveform]]:
    for scene in foreground_scenes(part, ALONE_SNR_DB, RATE, 0):
        bare = _bare(scene.name, scene.samples)
        yield replace(bare, label=scene.label, onset_s=scene.onset_s, offset_s=scene.offset_s), scene.samples


def _bare(name: str, samples: Waveform) -> Scored:
    rows = -(-len(samples) // _YAMNET_HOP)
    times = np.arange(1, rows + 1) * _YAMNET_HOP / RATE
    return Scored(name, "", 0.0, len(samples) / RATE, times, np.zeros((rows, 0), np.float32), ())


def _key(part: Part, scapes: Sequence[Soundscape], network: str) -> str:
    digest = hashlib.sha256(network.encode())
    for clip in (*(clip for clip, _ in part.events), *part.negatives, *part.backgrounds):
        digest.update(f"{clip.path.name} {clip.path.stat().st_size}\n".encode())
    for scape in scapes:
        digest.update(repr(scape.truths).encode())
    return digest.hexdigest()[:20]


def _save(path: Path, streams: Sequence[tuple[Scored, Floats, Floats]]) -> None:
    facts = [(s.name, s.label, s.onset_s, s.offset_s, s.truths, s.again) for s, _, _ in streams]
    with atomic_write(path) as whole, whole.open("wb") as file:
        np.savez(
            file,
            facts=np.array(repr(facts)),
            rows=np.array([len(scores) for _, scores, _ in streams]),
            scores=np.concatenate([scores for _, scores, _ in streams]),
            embedding=np.concatenate([embedding for _, _, embedding in streams]).astype(np.float16),
        )


def _load(path: Path) -> Iterator[Heard]:
    import ast

    with np.load(path) as stored:
        ends = np.cumsum(stored["rows"])[:-1]
        scores, embedding = np.split(stored["scores"], ends), np.split(stored["embedding"], ends)
        facts = ast.literal_eval(str(stored["facts"]))
    for (name, label, onset_s, offset_s, truths, again), row, one in zip(
        facts, scores, embedding, strict=True
    ):
        times = np.arange(1, len(row) + 1) * _YAMNET_HOP / RATE
        empty = np.zeros((len(row), 0), np.float32)
        yield Heard(Scored(name, label, onset_s, offset_s, times, empty, (), truths, again), row, one)
