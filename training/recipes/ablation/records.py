"""What a job leaves behind: the record of the study, with the streams beside the clips."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

from training.base.atomic import atomic_write
from training.errors import DataError
from training.recipes.ablation.listening import Streams
from training.records.jobs import JobRecord


@dataclass(frozen=True, eq=False)
class Record:
    """A finished job; ``streams`` is None where none could be heard, ``cpu_s`` is what all of it took."""

    job: JobRecord
    streams: Streams | None
    cpu_s: float

    def write(self, folder: Path) -> Path:
        """Write the record to its place under ``folder``, whole or not at all; return the path."""
        path = self.job.job.path(folder)
        parts = json.loads(self.job.to_json())
        parts["streams"] = None if self.streams is None else asdict(self.streams)
        parts["cpu_s"] = self.cpu_s
        with atomic_write(path) as partial:
            partial.write_text(json.dumps(parts, indent=1) + "\n", encoding="utf-8")
        return path


def read(path: Path) -> Record:
    """Read one record.

    Raises
    ------
    DataError : the file is no record of a job
    """
    try:
        text = path.read_text(encoding="utf-8")
        parts = json.loads(text)
        given = parts["streams"]
        streams = given and Streams(given["precision"], tuple(given["sounds"]), tuple(given["delays_s"]))
        return Record(JobRecord.from_json(text), streams, parts["cpu_s"])
    except (OSError, ValueError, KeyError, TypeError, zlib.error) as error:
        raise DataError(f"{path}: no record ({error!r}); delete it and run its job again") from error


def read_all(folder: Path) -> tuple[Record, ...]:
    """Return every record under ``folder``, ordered by job."""
    return tuple(sorted((read(path) for path in folder.glob("*/*.json")), key=lambda record: record.job.job))
