"""Features of many clips: computed once on all cores, stored on disk, mapped into memory.

Each combination of settings has a folder with ``values.f16`` (one row of ``spec.shape`` per clip, in the
order of computation) and ``rows.txt`` (the key of each row). A row is written before its key, so an
interrupted run loses only the shards in progress and can be resumed. Any list of clips uses the rows that
exist. The rounding to 16 bits is at most 0.05 %, a hundredth of a column's deviation.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.records import Samples
from training.base.parallel import in_processes
from training.base.progress import Tick
from training.data.audio import read
from training.data.corpora import Clip
from training.errors import DataError
from training.features.extract import extract
from training.features.spec import FeatureSpec

Values = NDArray[np.float16]

_log = logging.getLogger(__name__)
_VERSION = 1
_SHARD = 16
"""Clips per task of a worker: about a second of work."""


class Alteration(Protocol):
    """A change of the waveform before the analysis; its ``repr`` must contain all its settings."""

    def __call__(self, samples: Samples, rate: int) -> Samples: ...


Item = tuple[Path, Alteration | None]


@dataclass(frozen=True)
class FeatureArray:
    """``values``, shape (clips, frames, columns), in the order of the requested clips; read-only."""

    values: Values
    spec: FeatureSpec


def load_features(
    clips: Sequence[Clip],
    spec: FeatureSpec,
    cache: Path,
    tick: Tick = lambda done: None,
    workers: int = 2,
) -> FeatureArray:
    """Return the features of ``clips``; those missing in ``cache`` are computed.

    Load all clips of a study at once and index them by fold: rows that are contiguous on disk are
    mapped, others are copied into memory. ``tick`` counts the clips as they become available.

    Raises
    ------
    DataError
        If files cannot be decoded: it names the first one; the features of all others are stored.
    """
    return load_items([(clip.path, None) for clip in clips], spec, cache, tick, workers)


def load_items(
    items: Sequence[Item], spec: FeatureSpec, cache: Path, tick: Tick, workers: int
) -> FeatureArray:
    """Do the same as :func:`load_features` for files with an alteration each."""
    folder = cache / f"{spec.kind}-{hashlib.sha256(f'{_VERSION} {spec!r}'.encode()).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    keys = [_key(item) for item in items]
    with _held(folder / "lock"):
        table = _Table(folder, spec)
        missing = {k: item for k, item in zip(keys, items, strict=True) if k not in table.rows}
        if len(missing) < len(items):
            tick(len(items) - len(missing))
        damaged: list[DataError] = []
        for shard in _computed(list(missing.items()), spec, workers):
            table.append(shard.names, shard.values)
            damaged += shard.damaged
            tick(len(shard.names))
    if damaged:
        others = f" (and {len(damaged) - 1} more; see sound-training data check)" if damaged[1:] else ""
        raise DataError(f"{damaged[0]}{others}")
    return FeatureArray(table.gather(keys), spec)


@dataclass(frozen=True)
class _Shard:
    """The result of a worker's task: rows, their keys, and the errors of files without a row."""

    names: list[str]
    values: Values
    damaged: list[DataError]


class _Table:
    """The two files of a folder: rows of values and their keys."""

    def __init__(self, folder: Path, spec: FeatureSpec) -> None:
        self._values, self._names, self._shape = folder / "values.f16", folder / "rows.txt", spec.shape
        text = self._names.read_text() if self._names.exists() else ""
        # A line without its end was cut off by an interruption.
        names = text[: text.rfind("\n") + 1].splitlines()
        row_bytes = int(np.prod(spec.shape)) * 2
        held = self._values.stat().st_size // row_bytes if self._values.exists() else 0
        self.rows = {name: row for row, name in enumerate(names[:held])}
        complete = "".join(f"{name}\n" for name in self.rows)
        if complete != text:
            self._names.write_text(complete)
        with self._values.open("ab") as file:
            file.truncate(len(self.rows) * row_bytes)

    def append(self, names: Iterable[str], values: Values) -> None:
        with self._values.open("ab") as file:
            file.write(values.tobytes())
        with self._names.open("a") as file:
            for name in names:
                self.rows[name] = len(self.rows)
                file.write(f"{name}\n")

    def gather(self, names: Sequence[str]) -> Values:
        rows = np.array([self.rows[name] for name in names], np.int64)
        if not len(rows):
            return np.empty((0, *self._shape), np.float16)
        mapped: Values = np.memmap(self._values, np.float16, "r", shape=(len(self.rows), *self._shape))
        if np.array_equal(rows, rows[0] + np.arange(len(rows))):
            return mapped[rows[0] : rows[0] + len(rows)]
        picked = mapped[rows]
        picked.flags.writeable = False
        return picked


def _key(item: Item) -> str:
    path, alteration = item
    stat = path.stat()
    name = f"{path.parent.name}/{path.name} {stat.st_size} {stat.st_mtime_ns}"
    return hashlib.sha256(f"{name} {alteration!r}".encode()).hexdigest()[:24]


def _computed(missing: Sequence[tuple[str, Item]], spec: FeatureSpec, workers: int) -> Iterator[_Shard]:
    shards = [missing[i : i + _SHARD] for i in range(0, len(missing), _SHARD)]
    if workers == 1 or len(shards) < 2:
        yield from (_compute(shard, spec) for shard in shards)
        return
    # One BLAS thread each: the matrices are small, and two threads on a busy core take 20 times as long.
    yield from in_processes(partial(_compute, spec=spec), shards, workers, ordered=True, threads=1)


def _compute(shard: Sequence[tuple[str, Item]], spec: FeatureSpec) -> _Shard:
    done: dict[str, NDArray[np.float16]] = {}
    damaged = []
    for name, item in shard:
        try:
            done[name] = features_of(item, spec).astype(np.float16)
        except DataError as error:
            damaged.append(error)
    values = np.stack([*done.values()]) if done else np.empty((0, *spec.shape), np.float16)
    return _Shard([*done], values, damaged)


def features_of(item: Item, spec: FeatureSpec) -> NDArray[np.float32]:
    """Decode, alter and analyse one file; shape ``spec.shape``."""
    path, alteration = item
    samples = read(path, spec.rate)
    if alteration is not None:
        samples = alteration(samples, spec.rate)
    return extract(samples, spec)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Lock the cache for one process; another waits and then finds the rows."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _log.warning("%s: waiting for another process that is filling this cache", path.parent)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
