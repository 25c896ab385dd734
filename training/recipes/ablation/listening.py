"""What a network makes of its test part: clips, a few soundscapes, the backgrounds.

The whole-sequence form scores them, which is the streaming form to 1e-5 without its conversion,
after a window of silence, as the monitor begins. Rows are the network's columns: of windows one a hop,
of a stream six.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.features.logmel import log_mel
from monitor.features.resample import Resampler
from training.base.arrays import Floats
from training.base.maths import logistic
from training.data.audio import Waveform, read
from training.data.corpora import CLASSES
from training.data.splits import Part
from training.features.front_end import FrontEnd
from training.fit.windows import Scaling
from training.mixing import soundscapes
from training.mixing.soundscapes import ScapePlan, make_soundscapes
from training.mixing.streams import TAIL_S, Scored, Span
from training.networks.streaming import Form
from training.scoring.calibration import rows_of
from training.scoring.evaluation import REPEATED_S, UNHEARD_S

SCAPES = 12
"""Soundscapes of a minute."""
PIECE_S, FALSE_SHARE = 5.0, 0.01
"""A class's threshold is what its score exceeds in this share of five-second pieces of background."""
WHOLE_S = 0.48
"""Tracks are cut to a multiple of this, in which both forms' columns end."""
_AT_ONCE = 8_000
"""Frames of a batch."""

Decibels = NDArray[np.float16]


@dataclass(frozen=True)
class Material:
    """A test part as frames in dB, each of shape (frames, n_mels).

    clips : of its events, short ones repeated to three seconds; scapes : with the sounds in them;
    none above the rate at which soundscapes are laid; frame_s : between frames; silence : one frame
    """

    clips: tuple[Decibels, ...]
    scapes: tuple[tuple[Decibels, tuple[Span, ...]], ...]
    beds: tuple[Decibels, ...]
    frame_s: float
    silence: Decibels


def prepare(part: Part, front_end: FrontEnd, scapes: int = SCAPES) -> Material:
    """Compute the frames of all that is to be heard; soundscapes are the same for every front end."""
    spec, rate = front_end.spec, front_end.rate
    together = round(WHOLE_S * rate / spec.hop)

    def frames(samples: Waveform) -> Decibels:
        return log_mel(samples, spec, rate, together).astype(np.float16)

    clips = (read(clip.path, rate) for clip, _ in part.events)
    laid = make_soundscapes(part, ScapePlan(scapes)) if rate <= soundscapes.RATE else []
    return Material(
        tuple(frames(np.resize(clip, max(len(clip), REPEATED_S * rate))) for clip in clips),
        tuple(
            (
                frames(_at(scape.samples, rate)),
                tuple((t.label, t.onset_s, t.offset_s) for t in scape.truths),
            )
            for scape in laid
        ),
        tuple(frames(read(clip.path, rate)) for clip in part.backgrounds),
        spec.hop / rate,
        frames(np.zeros(together * spec.hop, np.float32))[0],
    )


def _at(samples: Waveform, rate: int) -> Waveform:
    resampler = Resampler(soundscapes.RATE, rate)
    return np.concatenate([resampler.push(samples), resampler.flush()])


@dataclass(frozen=True)
class ScoredMaterial:
    """Mean logits of clips, shape (clips, labels); soundscapes and backgrounds by column."""

    clips: Floats
    scapes: tuple[Scored, ...]
    beds: tuple[Scored, ...]


def listen(model: Any, network: Form, scaling: Scaling, material: Material) -> ScoredMaterial:
    """Let the whole-sequence form hear the material."""

    def columns(tracks: Sequence[Decibels]) -> list[Floats]:
        return _columns(model, network, scaling, material.silence, tracks)

    column_s = network.stride * material.frame_s
    unheard = round(UNHEARD_S / column_s) - 1
    clips = np.stack([logits[unheard:].mean(axis=0) for logits in columns(material.clips)])
    scapes = columns([track for track, _ in material.scapes])
    beds = columns(material.beds)
    return ScoredMaterial(
        clips,
        tuple(
            _scored(logits, column_s, truths)
            for logits, (_, truths) in zip(scapes, material.scapes, strict=True)
        ),
        tuple(_scored(logits, column_s) for logits in beds),
    )


def _columns(
    model: Any, network: Form, scaling: Scaling, silence: Decibels, tracks: Sequence[Decibels]
) -> list[Floats]:
    """Logits of every column of each track, shape (columns, labels)."""
    stride = network.stride
    skipped = -(-network.frames // stride)
    before = np.tile(silence, (skipped * stride, 1))
    found: list[Floats] = [np.empty(0, np.float32)] * len(tracks)
    for together in _batches([len(track) for track in tracks]):
        longest = max(len(tracks[i]) for i in together)
        # What is after a track changes nothing in it: no column looks ahead.
        filled = [np.pad(tracks[i], ((0, longest - len(tracks[i])), (0, 0)), "edge") for i in together]
        rows = scaling.apply(np.stack([np.concatenate([before, track]) for track in filled]))
        logits = np.asarray(model(rows, training=False)[0], np.float32)
        for i, track in zip(together, logits, strict=True):
            found[i] = track[skipped : skipped + len(tracks[i]) // stride]
    return found


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Tracks of like length together, by number."""
    batch: list[int] = []
    for i in np.argsort(lengths, kind="stable"):
        if batch and (len(batch) + 1) * lengths[i] > _AT_ONCE:
            yield batch
            batch = []
        batch.append(int(i))
    if batch:
        yield batch


def _scored(logits: Floats, column_s: float, truths: tuple[Span, ...] = ()) -> Scored:
    scores = logistic(logits.astype(np.float64)).astype(np.float32)
    times = np.arange(1, len(scores) + 1, dtype=np.float64) * column_s
    return Scored("", "", 0.0, 0.0, times, scores, (), truths)


@dataclass(frozen=True)
class Streams:
    """What a network is worth on streams.

    precision : average precision of rows per class; None where the class is in no soundscape
    sounds, delays_s : every sound of the soundscapes and the seconds from its onset until its score is
    over the class's threshold; None if it never is while it sounds or within two seconds after
    """

    precision: Mapping[str, float | None]
    sounds: tuple[str, ...]
    delays_s: tuple[float | None, ...]


def judge(heard: ScoredMaterial) -> Streams:
    """Judge soundscapes and backgrounds; the threshold of a class is what its score on backgrounds allows."""
    from sklearn.metrics import average_precision_score

    logits, targets = rows_of([*heard.scapes, *heard.beds], CLASSES)
    precision = {
        label: round(float(average_precision_score(targets[:, k], logits[:, k])), 4)
        if targets[:, k].any()
        else None
        for k, label in enumerate(CLASSES)
    }
    over = thresholds(heard.beds)
    found = [
        (label, _delay(scape, CLASSES.index(label), onset_s, offset_s, over))
        for scape in heard.scapes
        for label, onset_s, offset_s in scape.sounds
    ]
    return Streams(precision, tuple(label for label, _ in found), tuple(delay for _, delay in found))


def thresholds(beds: Sequence[Scored]) -> NDArray[np.float32]:
    """Return the score of each class that :data:`FALSE_SHARE` of the pieces of background exceed."""
    loudest = []
    for bed in beds:
        rows = round(PIECE_S / bed.hop_s)
        loudest += [bed.scores[at : at + rows].max(axis=0) for at in range(0, len(bed.scores), rows)]
    pieces = np.sort(np.stack(loudest), axis=0)[::-1]
    over: NDArray[np.float32] = pieces[int(FALSE_SHARE * len(pieces)), : len(CLASSES)]
    return over


def _delay(
    scape: Scored, column: int, onset_s: float, offset_s: float, over: NDArray[np.float32]
) -> float | None:
    while_it_sounds = (scape.times_s > onset_s) & (scape.times_s <= offset_s + TAIL_S)
    reached = scape.times_s[while_it_sounds & (scape.scores[:, column] > over[column])]
    return round(float(reached[0]) - onset_s, 2) if len(reached) else None
