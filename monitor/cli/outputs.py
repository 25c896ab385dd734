"""What replay and run write for programs: records as JSON lines, scores as CSV or NPZ."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TextIO

import numpy as np
from numpy.typing import NDArray

from monitor.errors import UsageError
from monitor.records import EventRecord, HopResult


class JsonLines:
    """Writes each record as a line of JSON, at once, so that a pipe sees it when it happens."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream

    def on_hop(self, file: str, hop: HopResult) -> None:
        pass

    def on_record(self, record: EventRecord) -> None:
        print(record.to_json(), file=self._stream, flush=True)


class RecordList:
    """Keeps the records, for ``--expect``."""

    def __init__(self) -> None:
        self.records: list[EventRecord] = []

    def on_hop(self, file: str, hop: HopResult) -> None:
        pass

    def on_record(self, record: EventRecord) -> None:
        self.records.append(record)


class ScoresWriter(Protocol):
    def on_hop(self, file: str, hop: HopResult) -> None: ...

    def on_record(self, record: EventRecord) -> None: ...

    def close(self) -> None: ...


def scores_writer(path: Path, labels: Sequence[str]) -> ScoresWriter:
    """The writer for a path that ends in .csv or .npz."""
    writers = {".csv": ScoresCsv, ".npz": ScoresNpz}
    if path.suffix not in writers:
        raise UsageError(f"--scores {path}: the name must end in .csv or .npz")
    try:
        return writers[path.suffix](path, labels)
    except OSError as error:
        raise UsageError(f"--scores {path}: cannot write ({error.strerror})") from error


class ScoresCsv:
    """One row a hop: file, time_s, level_dbfs and a column per label; six digits."""

    def __init__(self, path: Path, labels: Sequence[str]) -> None:
        self._stream = path.open("w", encoding="utf-8", newline="")
        self._row = "{},{:.3f},{:.1f}" + ",{:.6f}" * len(labels) + "\n"
        self._stream.write(",".join(map(_quoted, ("file", "time_s", "level_dbfs", *labels))) + "\n")

    def on_hop(self, file: str, hop: HopResult) -> None:
        row = self._row.format(_quoted(file), hop.time_s, hop.level.rms_dbfs, *hop.scores.tolist())
        self._stream.write(row)

    def on_record(self, record: EventRecord) -> None:
        pass

    def close(self) -> None:
        self._stream.close()


class ScoresNpz:
    """The same as arrays: file, time_s, level_dbfs, scores (rows, labels) and labels."""

    def __init__(self, path: Path, labels: Sequence[str]) -> None:
        path.touch()
        self._path = path
        self._labels = list(labels)
        self._files: list[str] = []
        self._rows: list[tuple[float, float]] = []
        self._scores: list[NDArray[np.float32]] = []

    def on_hop(self, file: str, hop: HopResult) -> None:
        self._files.append(file)
        self._rows.append((hop.time_s, hop.level.rms_dbfs))
        self._scores.append(hop.scores)

    def on_record(self, record: EventRecord) -> None:
        pass

    def close(self) -> None:
        rows = np.array(self._rows, np.float64).reshape(-1, 2)
        np.savez_compressed(
            self._path,
            file=np.array(self._files, dtype=np.str_),
            time_s=rows[:, 0],
            level_dbfs=rows[:, 1].astype(np.float32),
            scores=np.array(self._scores, np.float32).reshape(-1, len(self._labels)),
            labels=np.array(self._labels, dtype=np.str_),
        )


def _quoted(text: str) -> str:
    """A CSV field; quotes only where a comma, a quote or a line break needs them."""
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
