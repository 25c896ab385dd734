"""Features of many clips: computed once by all cores, kept on disk, mapped into memory.

For each settings there is one folder with ``values.f16`` (one row of ``spec.shape`` per clip, in the order
of computing) and ``rows.txt`` (a line per row: what the row is of). A row is written before its line, so
an interrupted run loses at most the shards in flight and the next one goes on; what was computed for one
list of clips serves every other list. 16-bit floats err by 0.05 %: a hundredth of a column's deviation.
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
"""Clips that a worker takes at once: about a second of work."""


class Alteration(Protocol):
    """A change of the waveform before the analysis; its ``repr`` says all that it depends on."""

    def __call__(self, samples: Samples, rate: int) -> Samples: ...


Item = tuple[Path, Alteration | None]


@dataclass(frozen=True)
class FeatureArray:
    """``values``, shape (clips, frames, columns), in the order of the clips asked for; read-only."""

    values: Values
    spec: FeatureSpec


def load_features(
    clips: Sequence[Clip],
    spec: FeatureSpec,
    cache: Path,
    tick: Tick = lambda done: None,
    workers: int = 2,
) -> FeatureArray:
    """Return the features of ``clips``, computing what ``cache`` does not hold yet.

    Ask once for all clips of a study and index by fold: rows that lie on disk in the order asked for are
    mapped, others are copied into memory. ``tick`` is told how many clips are newly at hand.

    Raises
    ------
    DataError : files cannot be decoded; the first is named, and all others are kept
    """
    return load_items([(clip.path, None) for clip in clips], spec, cache, tick, workers)


def load_items(
    items: Sequence[Item], spec: FeatureSpec, cache: Path, tick: Tick, workers: int
) -> FeatureArray:
    """:func:`load_features` of files each with its change of the waveform."""
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
    """What a worker returns: rows, what they are of, and the files that gave none."""

    names: list[str]
    values: Values
    damaged: list[DataError]


class _Table:
    """The two files of a folder: rows of values and what each is of."""

    def __init__(self, folder: Path, spec: FeatureSpec) -> None:
        self._values, self._names, self._shape = folder / "values.f16", folder / "rows.txt", spec.shape
        text = self._names.read_text() if self._names.exists() else ""
        # A line without its end was being written when the run was stopped.
        names = text[: text.rfind("\n") + 1].splitlines()
        row_bytes = int(np.prod(spec.shape)) * 2
        held = self._values.stat().st_size // row_bytes if self._values.exists() else 0
        self.rows = {name: row for row, name in enumerate(names[:held])}
        whole = "".join(f"{name}\n" for name in self.rows)
        if whole != text:
            self._names.write_text(whole)
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
    # One BLAS thread each: the matrices are small and two threads on a busy core take twenty times as long.
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
    """Decode, change and analyse one file; shape ``spec.shape``."""
    path, alteration = item
    samples = read(path, spec.rate)
    if alteration is not None:
        samples = alteration(samples, spec.rate)
    return extract(samples, spec)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Let one process at a time write; another waits and then finds the rows."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _log.warning("%s: another process is filling this cache; waiting for it", path.parent)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
