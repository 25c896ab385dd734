"""What a job leaves behind: the record of the study, with the streams beside the clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from training.recipes.ablation.listening import Streams
from training.records.envelope import Envelope, Key
from training.records.jobs import JOBS, SCHEMA, JobRecord
from training.records.store import Store


@dataclass(frozen=True, eq=False)
class AblationRecord:
    """A finished job; ``streams`` is None where none could be heard, ``cpu_s`` is what all of it took."""

    job: JobRecord
    streams: Streams | None
    cpu_s: float

    def write(self, folder: Path) -> Path:
        """Write the record to its place under ``folder``, whole or not at all; return the path."""
        return Store(folder, ABLATIONS).write(str(self.job.job), self)


class AblationCodec:
    """Records of ablation jobs as envelopes: those of jobs, with more in them."""

    kind = "ablation"
    schema = SCHEMA

    def pack(self, record: AblationRecord) -> Envelope:
        """See :class:`~training.records.store.Codec`."""
        envelope = JOBS.pack(record.job)
        streams = None if record.streams is None else asdict(record.streams)
        content = {**envelope.content, "streams": streams, "cpu_s": record.cpu_s}
        return replace(envelope, kind=self.kind, content=content)

    def unpack(self, envelope: Envelope) -> AblationRecord:
        """See :class:`~training.records.store.Codec`."""
        given = envelope.content["streams"]
        streams = given and Streams(given["precision"], tuple(given["sounds"]), tuple(given["delays_s"]))
        return AblationRecord(JOBS.unpack(envelope), streams, envelope.content["cpu_s"])

    def upgrade(self, parts: Mapping[str, Any]) -> Envelope:
        """See :class:`~training.records.store.Codec`."""
        return replace(JOBS.upgrade(parts), kind=self.kind)

    def decisive(self, key: Key) -> Key:
        """See :class:`~training.records.store.Codec`."""
        return JOBS.decisive(key)


ABLATIONS = AblationCodec()


def read_all(folder: Path) -> tuple[AblationRecord, ...]:
    """Return every record under ``folder``, ordered by job."""
    return tuple(sorted(Store(folder, ABLATIONS).read_all().values(), key=lambda record: record.job.job))
