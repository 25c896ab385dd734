"""The processing chain from audio to decisions, identical for every source: blocks in, hops out.

``AudioBlock → mono → (meter, resample) → hops → (level, scores) → tracker → HopResult``

Pure: uses no files, clocks or threads. Positions count samples at the model's rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.events.background import BackgroundLevel
from monitor.events.level import measure
from monitor.events.loud import LoudSettings
from monitor.events.tracker import EventTracker
from monitor.features.resample import Resampler, mono
from monitor.level.track import HopLevels, LevelTrack
from monitor.model.classifier import Classifier, Rejects
from monitor.model.heads import Head
from monitor.patterns.detector import PatternScores
from monitor.records import AudioBlock, Decision, EndReason, HopResult, Level, Reading, Samples
from monitor.settings import ClassSettings

_NONE = np.empty(0, np.float32)


@dataclass(frozen=True)
class StreamParts:
    """The per-stream components; every stream gets fresh ones so that no state carries over."""

    classifier: Classifier
    tracker: EventTracker
    background: BackgroundLevel
    patterns: PatternScores | None = None
    gain: float = 1.0
    """Factor of the audio that the classifier gets; levels and patterns are of the audio as it is."""

    def level(self, audio: Samples, weighted: HopLevels) -> Level:
        """Measure the newest hop relative to the background level so far."""
        rms_dbfs, peak_dbfs, clipped = measure(audio)
        return Level(
            rms_dbfs,
            peak_dbfs,
            self.background.push(rms_dbfs),
            clipped,
            weighted.lafmax_dbfs,
            weighted.laeq_1s_dbfs,
            weighted.l90_dbfs,
        )

    def alarms(self, audio: Samples) -> NDArray[np.float32]:
        """Return the score of each pattern at the end of the newest hop."""
        return _NONE if self.patterns is None else self.patterns.push(audio)


class Pipeline:
    """Processes one stream.

    Parameters
    ----------
    parts : StreamParts
        Fresh components for this stream.
    source_rate : int
        Sample rate of the blocks, Hz.
    rate : int
        Sample rate of the model, Hz.
    hop : int
        Hop length of the model, samples.
    """

    def __init__(self, parts: StreamParts, *, source_rate: int, rate: int, hop: int) -> None:
        self._parts = parts
        self._rates = (source_rate, rate)
        self._hop = hop
        self._resampler = Resampler(source_rate, rate)
        self._levels = LevelTrack(source_rate, rate)
        self._expected = 0
        self._position = 0
        self._pending = np.zeros(hop, np.float32)
        self._filled = 0
        self.lost_samples = 0
        """Number of samples lost, at the source's rate (see :class:`AudioBlock`)."""

    @property
    def active(self) -> tuple[str, ...]:
        return self._parts.tracker.active

    def push(self, block: AudioBlock) -> Iterator[HopResult]:
        """Yield a result for each hop completed by the block."""
        if block.position != self._expected:
            self._skip_to(block.position)
        self._expected = block.position + len(block.samples)
        samples = mono(block.samples)
        self._levels.push(samples)
        yield from self._hops(self._resampler.push(samples))

    def flush(self) -> Iterator[HopResult]:
        """End the stream: yield the hops still held by the filter and a final hop for the tail.

        For the model, the final hop is padded with silence; its position and level are those of
        the actual audio. A stream containing any audio yields at least one result, even if it is
        shorter than one sample at the model's rate.
        """
        self._levels.flush()
        yield from self._hops(self._resampler.flush())
        if not self._position and self._expected:
            self._filled = max(1, self._filled)
        if self._filled:
            audio = self._pending[: self._filled].copy()
            self._pending[self._filled :] = 0.0
            yield self._analyse(self._pending, audio, last=True)

    def configure(
        self,
        settings: Mapping[str, ClassSettings],
        *,
        loud: LoudSettings | None,
        disabled: Mapping[str, float],
        heads: Sequence[Head],
        rejects: Rejects,
    ) -> tuple[Decision, ...]:
        """Apply new settings and heads from the next hop onwards.

        See :meth:`EventTracker.configure` and :meth:`Classifier.configure`.
        """
        parts = self._parts
        parts.classifier.configure(heads, rejects)
        patterns = () if parts.patterns is None else parts.patterns.labels
        labels = (*parts.classifier.labels, *patterns)
        return parts.tracker.configure(settings, loud=loud, disabled=disabled, labels=labels)

    def last_readings(self) -> tuple[Reading, ...]:
        """Return the meter readings not delivered with any hop, once the stream has ended, flushed or not."""
        self._levels.flush()
        return self._levels.take(None).readings

    def close(self, reason: EndReason) -> tuple[Decision, ...]:
        """End every open event at the current position of the stream."""
        return self._parts.tracker.close(self._position, reason)

    def _skip_to(self, position: int) -> None:
        """Resume at the next hop boundary after lost audio, as at the start of a stream."""
        self.lost_samples += position - self._expected
        source_rate, rate = self._rates
        self._resampler = Resampler(source_rate, rate)
        self._levels.skip_to(position)
        self._parts.classifier.reset()
        if self._parts.patterns is not None:
            self._parts.patterns.reset()
        self._position = round(position * rate / source_rate)
        self._filled = 0

    def _hops(self, samples: Samples) -> Iterator[HopResult]:
        start = 0
        while start < len(samples):
            take = min(self._hop - self._filled, len(samples) - start)
            self._pending[self._filled : self._filled + take] = samples[start : start + take]
            self._filled += take
            start += take
            if self._filled == self._hop:
                yield self._analyse(self._pending, self._pending)

    def _analyse(self, hop: Samples, audio: Samples, *, last: bool = False) -> HopResult:
        parts = self._parts
        self._position += len(audio)
        self._filled = 0
        weighted = self._levels.take(None if last else self._position)
        level = parts.level(audio, weighted)
        found = parts.classifier.push(hop if parts.gain == 1.0 else hop * parts.gain)
        accepted = parts.classifier.accepted(found.scores, found.embedding)
        alarms = parts.alarms(audio)
        judged = np.concatenate([accepted, alarms])
        decisions = parts.tracker.push(self._position, judged, level)
        return HopResult(
            position=self._position,
            time_s=self._position / self._rates[1],
            scores=found.scores,
            level=level,
            decisions=decisions,
            near=parts.tracker.near(np.concatenate([found.scores, alarms]), level, accepted=judged),
            features=found.features,
            embedding=found.embedding,
            sounds=found.sounds,
            labels=parts.classifier.labels,
            readings=weighted.readings,
        )
