"""``--scores``: write the scores of every window as CSV or NPZ."""

from __future__ import annotations

import zipfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import UsageError
from monitor.listeners import Listener
from monitor.records import HopResult


class ScoresWriter(Listener):
    """Writes scores until :meth:`close`.

    Raises
    ------
    UsageError
        If the file cannot be written; raised by every method.
    """

    def close(self) -> None:
        raise NotImplementedError


def scores_writer(path: Path, labels: Sequence[str]) -> ScoresWriter:
    """Return the writer for a path that ends in .csv or .npz."""
    if path.suffix == ".csv":
        return ScoresCsv(path, labels)
    if path.suffix == ".npz":
        return ScoresNpz(path, labels)
    raise UsageError(f"--scores {path}: the name must end in .csv or .npz")


class ScoresCsv(ScoresWriter):
    """Writes one row for each hop: file, time_s, level_dbfs and a column for each label, six digits."""

    def __init__(self, path: Path, labels: Sequence[str]) -> None:
        self._path = path
        self._row = "{},{:.3f},{:.1f}" + ",{:.6f}" * len(labels) + "\n"
        with _errors(path):
            self._stream = path.open("w", encoding="utf-8", newline="")
            self._stream.write(",".join(map(_quoted, ("file", "time_s", "level_dbfs", *labels))) + "\n")

    def on_hop(self, file: str, hop: HopResult) -> None:
        row = self._row.format(_quoted(file), hop.time_s, hop.level.rms_dbfs, *hop.scores.tolist())
        with _errors(self._path):
            self._stream.write(row)

    def close(self) -> None:
        with _errors(self._path):
            self._stream.close()


class ScoresNpz(ScoresWriter):
    """Writes arrays: file, time_s, level_dbfs, scores (rows, labels) and labels.

    They stay in memory until the end, 5 MB for twelve hours at a hop of half a second.
    """

    def __init__(self, path: Path, labels: Sequence[str]) -> None:
        self._path = path
        self._labels = labels
        self._files: list[str] = []
        self._times = array("d")
        self._levels = array("f")
        self._scores = array("f")
        with _errors(path):
            path.open("ab").close()

    def on_hop(self, file: str, hop: HopResult) -> None:
        self._files.append(file)
        self._times.append(hop.time_s)
        self._levels.append(hop.level.rms_dbfs)
        self._scores.frombytes(hop.scores.tobytes())

    def close(self) -> None:
        columns = {
            "file": np.array(self._files, np.str_),
            "time_s": np.array(self._times, np.float64),
            "level_dbfs": np.array(self._levels, np.float32),
            "scores": np.array(self._scores, np.float32).reshape(-1, len(self._labels)),
            "labels": np.array(self._labels, np.str_),
        }
        with _errors(self._path):
            _write_npz(self._path, columns)


def _write_npz(path: Path, columns: dict[str, NDArray[Any]]) -> None:
    """Write a file for ``numpy.load``; ``numpy.savez`` cannot store an array named ``file``."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, column in columns.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.save(stream, column, allow_pickle=False)


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"--scores {path}: cannot write ({error.strerror}); check the path") from error


def _quoted(text: str) -> str:
    """Return a CSV field, quoted only if it contains a comma, a quote or a line break."""
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
