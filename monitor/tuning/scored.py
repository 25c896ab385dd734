"""Read score files written by ``replay --scores``: one recording for each stream."""

from __future__ import annotations

import csv
import lzma
import zipfile
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.errors import UsageError

_COLUMNS = ("file", "time_s", "level_dbfs")
_ARRAYS = (*_COLUMNS, "scores", "labels")
_DAMAGE = (
    KeyError, ValueError, TypeError, AttributeError, EOFError, RuntimeError, OverflowError, MemoryError,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip
"""What NumPy and zipfile raise for an archive with wrong bytes, besides OSError."""


@dataclass(frozen=True)
class Recording:
    """The scores of one recording, one row for each hop.

    Parameters
    ----------
    times_s : NDArray[np.float64]
        Ends of the windows, seconds, shape (rows,), rising.
    levels_dbfs : NDArray[np.float32]
        Level of the newest hop of each row, shape (rows,), −120 … 0.
    scores : NDArray[np.float32]
        Calibrated scores before smoothing and thresholds, shape (rows, labels), 0 … 1.
    """

    name: str
    times_s: NDArray[np.float64]
    levels_dbfs: NDArray[np.float32]
    scores: NDArray[np.float32]

    @property
    def seconds(self) -> float:
        return float(self.times_s[-1])


def read_scores(path: Path, labels: Sequence[str]) -> list[Recording]:
    """Read the recordings of a .csv or .npz file.

    Parameters
    ----------
    labels : Sequence[str]
        Labels of the model; the file must have the same, in the same order.

    Raises
    ------
    UsageError
        If the file is unreadable, not a score file, of another model, or has values out of range.
    """
    if path.suffix not in (".csv", ".npz"):
        raise UsageError(f"{path}: the name of a score file ends in .csv or .npz (replay --scores)")
    try:
        columns = _read_csv(path, labels) if path.suffix == ".csv" else _read_npz(path, labels)
    except OSError as error:
        raise UsageError(f"{path}: cannot read the scores ({error.strerror or error})") from error
    _check_values(path, columns)
    return list(_recordings(path, columns))


@dataclass(frozen=True)
class _Columns:
    files: list[str]
    times_s: NDArray[np.float64]
    levels_dbfs: NDArray[np.float32]
    scores: NDArray[np.float32]


def _read_csv(path: Path, labels: Sequence[str]) -> _Columns:
    files: list[str] = []
    values = array("d")
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream)
        try:
            header = next(rows, [])
            if tuple(header[:3]) != _COLUMNS:
                raise UsageError(f"{path}: not a score file; replay --scores writes file,time_s,level_dbfs,…")
            _check_labels(path, header[3:], labels)
            for file, *numbers in rows:
                if len(numbers) != len(labels) + 2:
                    raise ValueError("it is cut short")
                files.append(file)
                values.extend(map(float, numbers))
        except (ValueError, csv.Error) as error:
            raise UsageError(f"{path}:{rows.line_num}: not a row of scores ({error})") from error
    table = np.array(values).reshape(len(files), len(labels) + 2)
    rest = table[:, 1:].astype(np.float32)
    return _Columns(files, table[:, 0], rest[:, 0], rest[:, 1:])


def _read_npz(path: Path, labels: Sequence[str]) -> _Columns:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in _ARRAYS}
        files, times_s, levels_dbfs, scores, names = arrays.values()
        _check_labels(path, names.tolist(), labels)
        rows = len(files)
        if not (times_s.shape == levels_dbfs.shape == (rows,) and scores.shape == (rows, len(labels))):
            raise ValueError("its arrays differ in length")
        return _Columns(
            [str(file) for file in files],
            times_s.astype(np.float64),
            levels_dbfs.astype(np.float32),
            scores.astype(np.float32),
        )
    except _DAMAGE as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{path}: not a score file of replay --scores ({reason})") from error


def _check_labels(path: Path, found: Sequence[str], labels: Sequence[str]) -> None:
    if list(found) != list(labels):
        odd = next((name for name in found if name not in labels), None)
        what = f"has {odd!r}" if odd is not None else f"has {len(found)} labels in another order or number"
        raise UsageError(
            f"{path}: {what}, the model in use does not; name the model that was replayed: --set model.path=…"
        )


def _check_values(path: Path, columns: _Columns) -> None:
    if not columns.files:
        raise UsageError(f"{path}: holds no scores; was the replay interrupted?")
    numbers = (columns.times_s, columns.levels_dbfs, columns.scores)
    if not all(np.isfinite(values).all() for values in numbers):
        raise UsageError(f"{path}: holds values that are not finite; write it again with replay --scores")
    if columns.scores.min(initial=0.0) < 0 or columns.scores.max(initial=0.0) > 1:
        raise UsageError(f"{path}: scores must lie in 0…1; write it again with replay --scores")


def _recordings(path: Path, columns: _Columns) -> Iterator[Recording]:
    files = np.array(columns.files)
    cuts = np.flatnonzero(files[1:] != files[:-1]) + 1
    for rows in np.split(np.arange(len(files)), cuts):
        name, times_s = str(files[rows[0]]), columns.times_s[rows]
        if times_s[0] <= 0 or (np.diff(times_s) <= 0).any():
            raise UsageError(f"{path}: the time goes back within {name}; is the recording in it twice?")
        yield Recording(name, times_s, columns.levels_dbfs[rows], columns.scores[rows])
