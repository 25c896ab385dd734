"""Mixtures with one sound at a known time, and a model's scores over a stream.

Such a mixture is background, then a sound with known onset and SNR, then background again; the
acceptance test of the monitor is based on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.events.background import BackgroundLevel
from monitor.events.level import measure
from monitor.events.tracker import EventTracker
from monitor.model.classifier import Inference
from monitor.records import Decision, Level, Samples
from monitor.settings import ClassSettings
from training.base.maths import amplitude_of_db
from training.data.audio import Waveform, read
from training.data.splits import Part
from training.errors import DataError

Span = tuple[str, float, float]

LEAD_S = 3.0
TAIL_S = 2.0
_PEAK = 0.95


@dataclass(frozen=True)
class Scene:
    """A waveform with one sound from ``onset_s`` to ``offset_s``; label "" if there is none."""

    name: str
    label: str
    samples: Waveform
    onset_s: float
    offset_s: float


@dataclass(frozen=True)
class Scored:
    """Scores of a mixture, one row per hop."""

    name: str
    label: str
    onset_s: float
    offset_s: float
    times_s: NDArray[np.float64]
    scores: NDArray[np.float32]
    """Calibrated, shape (rows, labels)."""
    levels: tuple[Level, ...]
    truths: tuple[Span, ...] = ()
    """The sounds of a stream that has several."""
    again: tuple[tuple[float, float], ...] = ()
    """Stretches in seconds that repeat an earlier one, in which alarms are not counted again."""

    @property
    def hop_s(self) -> float:
        return float(self.times_s[0])

    @property
    def sounds(self) -> tuple[Span, ...]:
        """Label, onset and offset in seconds of every sound in the stream."""
        alone = ((self.label, self.onset_s, self.offset_s),) if self.label else ()
        return self.truths or alone

    @property
    def seconds(self) -> float:
        """Duration without repeated stretches."""
        return float(self.times_s[-1]) - sum(end - start for start, end in self.again)

    def counts(self, at_s: float) -> bool:
        """Return whether ``at_s`` lies outside every stretch that repeats an earlier one."""
        return not any(start <= at_s < end for start, end in self.again)


def scene(
    name: str, label: str, sound: Waveform, bed: Waveform, snr_db: float, rate: int, rng: np.random.Generator
) -> Scene:
    """Mix ``sound`` into a stretch of ``bed``, with its mean power ``snr_db`` over the background beneath.

    Background that is too short is looped; the mixture is attenuated if it would clip.
    """
    lead, tail = int(LEAD_S * rate), int(TAIL_S * rate)
    needed = lead + len(sound) + tail
    repeated = np.tile(bed, -(-needed // len(bed)) + 1) if len(bed) <= needed else bed
    begin = int(rng.integers(len(repeated) - needed))
    mixed = repeated[begin : begin + needed].copy()
    under = mixed[lead : lead + len(sound)]
    gain = rms(sound) / max(rms(under), 1e-6) * amplitude_of_db(-snr_db)
    mixed *= np.float32(gain)
    mixed[lead : lead + len(sound)] += sound
    peak = float(np.abs(mixed).max())
    if peak > _PEAK:
        mixed *= np.float32(_PEAK / peak)
    return Scene(name, label, mixed, LEAD_S, LEAD_S + len(sound) / rate)


def foreground_scenes(part: Part, snr_db: tuple[float, float], rate: int, seed: int) -> Iterator[Scene]:
    """Mix every foreground clip of the part with one of its backgrounds.

    Backgrounds, their offsets and the levels are drawn from ``seed``.

    Raises
    ------
    DataError
        If the part has no background, or only digital silence.
    """
    rng = np.random.default_rng(seed)
    beds = [read(clip.path, rate) for clip in part.backgrounds]
    beds = [bed for bed in beds if np.abs(bed).max() > 1e-4]
    if not beds:
        raise DataError(
            "no background fell to a fold or a third of the training part; put more files into background/"
        )
    for clip, label in part.events:
        bed = beds[int(rng.integers(len(beds)))]
        level_db = float(rng.uniform(*snr_db))
        if clip.salience == 1:
            yield scene(clip.path.stem, label, read(clip.path, rate), bed, level_db, rate, rng)


def rms(samples: Waveform) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


class Scorer(Protocol):
    """Interface: a row of scores per hop, as of :class:`monitor.model.classifier.Classifier`."""

    def reset(self) -> None: ...

    def push(self, hop: Samples) -> Inference: ...


def score(stream: Scene, classifier: Scorer, hop: int, rate: int) -> Scored:
    """Run the daemon's classifier over a mixture from its initial state, padding the last hop with zeros."""
    classifier.reset()
    hops = -(-len(stream.samples) // hop)
    padded = np.zeros(hops * hop, np.float32)
    padded[: len(stream.samples)] = stream.samples
    background = BackgroundLevel(hop / rate)
    rows, levels = [], []
    for samples in padded.reshape(hops, hop):
        rms_dbfs, peak_dbfs, clipped = measure(samples)
        levels.append(Level(rms_dbfs, peak_dbfs, background.push(rms_dbfs), clipped))
        rows.append(classifier.push(samples).scores.copy())
    times = np.arange(1, hops + 1) * hop / rate
    return Scored(
        stream.name, stream.label, stream.onset_s, stream.offset_s, times, np.stack(rows), tuple(levels)
    )


def decide(
    scored: Scored, labels: Sequence[str], settings: Mapping[str, ClassSettings], rate: int
) -> tuple[Decision, ...]:
    """Run the daemon's event logic over the rows of a mixture; return the starts of its events."""
    hop = round(scored.hop_s * rate)
    tracker = EventTracker(labels, settings, rate=rate, hop=hop, loud=None)
    decisions: list[Decision] = []
    for row, (scores, level) in enumerate(zip(scored.scores, scored.levels, strict=True)):
        decisions += tracker.push((row + 1) * hop, scores, level)
    return tuple(decision for decision in decisions if decision.type == "start")
