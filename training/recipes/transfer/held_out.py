"""Streams of a held-out part as output of the frozen blocks.

All networks that hold out the part score the same streams, so audio, front end and frozen blocks
are computed once, hop by hop with the daemon's own front end and window.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from monitor.features.logmel import LogMel
from monitor.features.window import SlidingWindow
from monitor.model.classifier import Inference
from monitor.records import Level, Samples
from training.base.atomic import atomic_write
from training.base.parallel import in_processes
from training.base.progress import Progress
from training.data.splits import Part
from training.features.front_end import AudioSetFrontEnd
from training.mixing.soundscapes import ScapePlan, make_soundscapes
from training.mixing.streams import Scored
from training.recipes.transfer.trunk import HOP_FRAMES, Maps, maps_of
from training.scoring.evaluation import Streamer
from training.scoring.held_out import ALONE_SNR_DB, SCAPES

Kind = Literal["scapes", "beds", "others", "alone", "sirens", "clips"]
KINDS: tuple[Kind, ...] = ("scapes", "beds", "others", "alone", "sirens", "clips")
"""Soundscapes; backgrounds; sounds of no class; each foreground clip 15 dB over a background; sirens 5 dB
over it; clips as they are."""
_FAINT_DB = (5.0, 5.0)


@dataclass(frozen=True)
class Stream:
    """A stream without scores, and the feature maps of its rows, shape (rows, 8, 8, 48)."""

    bare: Scored
    maps: Maps


Streams = dict[Kind, tuple[Stream, ...]]


class FrozenScorer:
    """Returns the feature map of each hop's window in place of scores."""

    def __init__(self, front_end: AudioSetFrontEnd, frozen: bytes) -> None:
        spec = front_end.spec
        self._front_end, self._frozen = LogMel(spec, front_end.rate, HOP_FRAMES), frozen
        self._window = SlidingWindow(spec.frames, (spec.n_mels,), warmup="repeat")

    def reset(self) -> None:
        self._front_end.reset()
        self._window.reset()

    def push(self, hop: Samples) -> Inference:
        window = self._window.push(self._front_end.push(hop))
        return Inference(maps_of(window[None], self._frozen)[0].ravel())


def streams_of(
    part: Part, front_end: AudioSetFrontEnd, frozen: bytes, jobs: int, report: Progress
) -> Streams:
    """Return the streams of a part for seed 0, from the cache where available."""
    paths = {
        kind: front_end.cache / f"streams-{kind}-{_key(part, kind, front_end, frozen)}.npz" for kind in KINDS
    }
    absent = [kind for kind in KINDS if not paths[kind].is_file()]
    work = partial(_make, part, front_end, frozen, paths)
    for kind in in_processes(work, absent, jobs, ordered=False, threads=1):
        report(f"streams of {kind} made")
    return {kind: load_streams(paths[kind]) for kind in KINDS}


def _make(
    part: Part, front_end: AudioSetFrontEnd, frozen: bytes, paths: dict[Kind, Path], kind: Kind
) -> Kind:
    streamer = Streamer(FrozenScorer(front_end, frozen), HOP_FRAMES * front_end.spec.hop, front_end.rate)
    save_streams(paths[kind], list(scored_streams(streamer, part, front_end.rate, kind)))
    return kind


def scored_streams(streamer: Streamer, part: Part, rate: int, kind: Kind) -> Iterator[Scored]:
    """Score a part's streams of one kind, drawn with seed 0."""
    if kind == "scapes":
        yield from streamer.soundscapes(make_soundscapes(part, ScapePlan(SCAPES, rate=rate)))
    elif kind == "beds":
        yield from streamer.beds(part.backgrounds)
    elif kind == "others":
        yield from streamer.joined(part.negatives, "ESC")
    elif kind == "alone":
        yield from streamer.scenes(part, ALONE_SNR_DB, 0)
    elif kind == "sirens":
        sirens = tuple((clip, label) for clip, label in part.events if label == "siren")
        yield from streamer.scenes(replace(part, events=sirens), _FAINT_DB, 0)
    else:
        for (_, label), one in zip(part.events, streamer.clips(clip for clip, _ in part.events), strict=True):
            yield replace(one, name=label)


def save_streams(path: Path, streams: Sequence[Scored]) -> None:
    facts = [(s.name, s.label, s.onset_s, s.offset_s, s.hop_s, s.truths, s.again) for s in streams]
    rows = [(v.rms_dbfs, v.peak_dbfs, v.background_dbfs, v.clipped) for s in streams for v in s.levels]
    with atomic_write(path) as whole, whole.open("wb") as file:
        np.savez(
            file,
            maps=np.concatenate([s.scores for s in streams]),
            rows=np.array([len(s.scores) for s in streams]),
            levels=np.array(rows),
            facts=np.array(json.dumps(facts)),
        )


def load_streams(path: Path) -> tuple[Stream, ...]:
    with np.load(path) as stored:
        ends = np.cumsum(stored["rows"])[:-1]
        maps, levels = np.split(stored["maps"], ends), np.split(stored["levels"], ends)
        facts = json.loads(str(stored["facts"]))
    empty = np.zeros((0, 0), np.float32)
    return tuple(
        Stream(
            Scored(
                name, label, onset_s, offset_s, np.arange(1, len(rows) + 1) * hop_s, empty,
                tuple(Level(rms, peak, background, int(clipped)) for rms, peak, background, clipped in level),
                tuple((str(t), float(a), float(b)) for t, a, b in truths),
                tuple((float(a), float(b)) for a, b in again),
            ),
            rows.reshape(-1, 8, 8, 48),
        )
        for (name, label, onset_s, offset_s, hop_s, truths, again), rows, level in zip(
            facts, maps, levels, strict=True
        )
    )  # fmt: skip


def _key(part: Part, kind: Kind, front_end: AudioSetFrontEnd, frozen: bytes) -> str:
    """Return a cache key that covers everything the streams of a kind depend on."""
    digest = hashlib.sha256(frozen + front_end.spec.model_dump_json().encode())
    if kind in ("scapes", "alone", "sirens", "clips"):
        for clip, label in part.events:
            digest.update(f"{clip.path.name} {label} {clip.salience}\n".encode())
    if kind in ("scapes", "alone", "sirens", "beds"):
        digest.update("".join(f"{clip.path.name}\n" for clip in part.backgrounds).encode())
    if kind == "others":
        digest.update("".join(f"{clip.path.name}\n" for clip in part.negatives).encode())
    return digest.hexdigest()[:20]
