"""Measure the sound of each clip: length, level, spectrum, envelope."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from monitor.features.logmel import log_mel
from monitor.records import SILENCE_DBFS
from training.base.maths import db_of_power
from training.base.parallel import in_processes
from training.base.progress import Tick
from training.data.audio import read
from training.data.corpora import Clip
from training.features.spec import presets

Floats = NDArray[np.float32]

SPEC = presets["log-mel"]
ENVELOPE_S = 0.05
ENVELOPE_FRAMES = round(SPEC.seconds / ENVELOPE_S)
_FRAMES_PER_CALL = 25
_FULL_SCALE = 0.999
_CLIPS_AT_ONCE = 32


@dataclass(frozen=True)
class Measurement:
    """Measurements of one clip.

    Attributes
    ----------
    rate, channels
        Of the file.
    clipped
        Share of samples at full scale.
    envelope
        Level of each 50 ms relative to the loudest, dB, shape (ENVELOPE_FRAMES,); nan after the end.
    mean, deviation
        Of the log-mel spectrum over time, dB, shape (mel bands,).
    """

    seconds: float
    rate: int
    channels: int
    rms_dbfs: float
    peak_dbfs: float
    clipped: float
    envelope: Floats
    mean: Floats
    deviation: Floats


def measure_all(clips: Sequence[Clip], tick: Tick, workers: int = 2) -> list[Measurement]:
    """Measure clips in several processes; return the results in the order of the clips.

    Raises
    ------
    DataError
        If a file cannot be decoded.
    """
    paths = [clip.path for clip in clips]
    shards = [paths[i : i + _CLIPS_AT_ONCE] for i in range(0, len(paths), _CLIPS_AT_ONCE)]
    measured: list[Measurement] = []
    for shard in _measured(shards, workers):
        measured += shard
        tick(len(shard))
    return measured


def _measured(shards: Sequence[Sequence[Path]], workers: int) -> Iterator[list[Measurement]]:
    if workers == 1 or len(shards) < 2:
        return map(_measure_shard, shards)
    return in_processes(_measure_shard, shards, workers, ordered=True, threads=1)


def _measure_shard(paths: Sequence[Path]) -> list[Measurement]:
    return [measure(path) for path in paths]


def measure(path: Path) -> Measurement:
    """Decode and measure one file; its spectra are those of the monitor's front end."""
    samples = read(path, SPEC.rate)
    about = soundfile.info(path)
    bands = log_mel(samples, SPEC.log_mel(), SPEC.rate, _FRAMES_PER_CALL)[: max(1, len(samples) // SPEC.hop)]
    peak = float(np.abs(samples).max())
    return Measurement(
        seconds=len(samples) / SPEC.rate,
        rate=about.samplerate,
        channels=about.channels,
        rms_dbfs=_decibels(float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))),
        peak_dbfs=_decibels(peak),
        clipped=float(np.mean(np.abs(samples) >= _FULL_SCALE)),
        envelope=envelope(samples, SPEC.rate),
        mean=bands.mean(axis=0),
        deviation=bands.std(axis=0),
    )


def envelope(samples: Floats, rate: int) -> Floats:
    """Return the level of each 50 ms in dB of the loudest, shape (ENVELOPE_FRAMES,); nan after the end."""
    step = round(ENVELOPE_S * rate)
    count = min(ENVELOPE_FRAMES, max(1, len(samples) // step))
    frames = np.resize(samples, count * step).reshape(count, step).astype(np.float64)
    level = db_of_power(np.maximum(np.mean(frames**2, axis=1), 1e-12))
    filled = np.full(ENVELOPE_FRAMES, np.nan, np.float32)
    filled[:count] = level - level.max()
    return filled


def _decibels(amplitude: float) -> float:
    return max(SILENCE_DBFS, 20 * float(np.log10(max(amplitude, 1e-12))))
