"""Measure the CPU time of each part of the pipeline, and of its library alone on the same work.

Each part runs over a minute of audio at a time, so that no clock is read between two hops. What a
whole replay costs beyond the sum of its parts is reported as the rest.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.bench.reference import Reference
from monitor.features.logmel import mel_matrix
from monitor.features.resample import Resampler, mono
from monitor.features.spec import MelSpec
from monitor.level.track import LevelTrack
from monitor.pipeline import StreamParts
from monitor.records import Level, Samples
from monitor.sources.files import FileSource
from monitor.stream.assembly import Assembly

STREAM, READING, METER, RESAMPLING = "a new stream", "reading", "level meter", "resampling"
LEVEL = "level"
FRONT_END, INFERENCE, EVENTS = "front end", "inference", "events"
PATTERNS = "patterns"
PARTS = (STREAM, READING, METER, RESAMPLING, LEVEL, FRONT_END, INFERENCE, PATTERNS, EVENTS)
_BATCH_S = 60


class Costs:
    """CPU seconds by part, for the monitor and for the libraries alone."""

    def __init__(self) -> None:
        self.cpu_s: defaultdict[str, float] = defaultdict(float)
        self.floor_s: defaultdict[str, float] = defaultdict(float)
        self.audio_s = 0.0

    def part(self, name: str) -> AbstractContextManager[None]:
        return _timed(self.cpu_s, name)

    def floor(self, name: str) -> AbstractContextManager[None]:
        return _timed(self.floor_s, name)


@contextmanager
def _timed(seconds: defaultdict[str, float], name: str) -> Iterator[None]:
    began = time.process_time()
    yield
    seconds[name] += time.process_time() - began


def measure_parts(assembly: Assembly, files: Sequence[Path], reference: Reference | None) -> Costs:
    """Run every part over the recordings, each as its own stream, and the reference on the same audio.

    Raises
    ------
    AudioError
        If a recording cannot be read to its end.
    """
    costs = Costs()
    for file in files:
        _measure_file(assembly, file, costs, reference)
    return costs


def _measure_file(assembly: Assembly, file: Path, costs: Costs, reference: Reference | None) -> None:
    card = assembly.model.card
    with costs.part(STREAM):
        source = FileSource(file)
        stream = _Stream(assembly, costs, source.rate)
        resampler = Resampler(source.rate, card.sample_rate)
    if reference is not None:
        reference.begin(source.rate)
    blocks = source.blocks()
    library = _Library(file, costs)
    try:
        while True:
            with costs.part(READING):
                batch = [block.samples for block in islice(blocks, _BATCH_S)]
            if not batch:
                break
            with costs.part(RESAMPLING):
                resampled = [resampler.push(mono(samples)) for samples in batch]
            with costs.part(METER):
                for samples in batch:
                    stream.track.push(mono(samples))
            audio = np.concatenate([mono(samples) for samples in batch])
            costs.audio_s += len(audio) / source.rate
            library.read(len(audio))
            library.resample(audio, source.rate, card.sample_rate)
            stream.push(np.concatenate(resampled))
            if reference is not None:
                reference.push(audio)
        stream.push(resampler.flush())
        stream.finish()
    finally:
        source.close()
        library.close()


class _Stream:
    """Runs one stream part by part, from samples at the model's rate to decisions."""

    def __init__(self, assembly: Assembly, costs: Costs, source_rate: int) -> None:
        self._card = assembly.model.card
        self.track = LevelTrack(source_rate, self._card.sample_rate)
        self._costs = costs
        self._parts: StreamParts = assembly.new_parts()
        # A second classifier measures the floor: the stream's own state must not change.
        self._alone = assembly.new_parts().classifier
        self._rest = np.empty(0, np.float32)
        self._position = 0
        spec = self._card.front_end
        self._log_mel = None
        if isinstance(spec, MelSpec):
            self._log_mel = _LogMelFloor(spec, self._card.sample_rate, self._card.hop)

    def push(self, samples: Samples) -> None:
        hop = self._card.hop
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) - len(samples) % hop
        self._rest = samples[whole:]
        if whole:
            self._analyse(samples[:whole].reshape(-1, hop))

    def finish(self) -> None:
        """Analyse the last hop, padded with silence."""
        if len(self._rest):
            last = np.zeros((1, self._card.hop), np.float32)
            last[0, : len(self._rest)] = self._rest
            self._analyse(last)

    def _analyse(self, hops: NDArray[np.float32]) -> None:
        costs, classifier = self._costs, self._parts.classifier
        with costs.part(LEVEL):
            ends = range(self._position + len(hops[0]), self._position + hops.size + 1, len(hops[0]))
            levels = [
                self._parts.level(hop, self.track.take(end)) for hop, end in zip(hops, ends, strict=True)
            ]
        with costs.part(FRONT_END):
            rows = [classifier.front_end.push(hop) for hop in hops]
        raw = []
        with costs.part(INFERENCE):
            for row in rows:
                given = classifier.memory.push(row)
                raw.append(classifier.invoke(given))
        with costs.part(PATTERNS):
            alarms = [self._parts.alarms(hop) for hop in hops]
        with costs.part(EVENTS):
            for outputs, level, scores in zip(raw, levels, alarms, strict=True):
                self._decide(outputs, level, scores)
        if self._log_mel is not None:
            with costs.floor(FRONT_END):
                self._log_mel.run(len(hops))
        # The input stays in the CPU caches; it is copied into the interpreter and the outputs out of it.
        with costs.floor(INFERENCE):
            for _ in rows:
                self._alone.invoke(given)

    def _decide(self, outputs: NDArray[np.float32], level: Level, alarms: NDArray[np.float32]) -> None:
        classifier = self._parts.classifier
        scores = classifier.accepted(classifier.calibrated(outputs))
        self._position += self._card.hop
        self._parts.tracker.push(self._position, np.concatenate([scores, alarms]), level)


class _Library:
    """Reads and resamples the same audio with the libraries alone, a minute at a time."""

    def __init__(self, file: Path, costs: Costs) -> None:
        import soundfile

        self._file = soundfile.SoundFile(file)
        self._costs = costs

    def read(self, frames: int) -> None:
        out = np.empty((frames, self._file.channels), np.float32)
        with self._costs.floor(READING):
            self._file.buffer_read_into(out, "float32")

    def resample(self, audio: Samples, source_rate: int, rate: int) -> None:
        import soxr

        if source_rate != rate:
            with self._costs.floor(RESAMPLING):
                soxr.resample(audio, source_rate, rate)

    def close(self) -> None:
        self._file.close()


class _LogMelFloor:
    """Computes only the FFT of a hop's frames and the product with the mel matrix."""

    def __init__(self, spec: MelSpec, rate: int, hop: int) -> None:
        rng = np.random.default_rng(0)
        self._frames = rng.standard_normal((hop // spec.hop, spec.n_fft), dtype=np.float32)
        self._mel = np.ascontiguousarray(mel_matrix(spec, rate).T, np.float32)
        self._power = np.square(np.abs(np.fft.rfft(self._frames, axis=1))).astype(np.float32)

    def run(self, hops: int) -> None:
        for _ in range(hops):
            np.fft.rfft(self._frames, axis=1, norm="forward")
            self._power @ self._mel
