"""A record of the history and what became of it; rows that cannot be read are counted."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.records import EventRecord

log = logging.getLogger(__name__)

_NAMED = 5
"""Maximum number of unreadable rows that are listed."""


@dataclass(frozen=True)
class StoredEvent:
    """A stored record and its delivery status.

    Parameters
    ----------
    record : EventRecord
        The record.
    recorded_at : str
        When it was stored, UTC ISO 8601.
    delivered_at : str or None
        When the broker acknowledged it, UTC ISO 8601; None until then.
    delayed : bool
        Whether it was published late, with ``delayed: true``.
    """

    record: EventRecord
    recorded_at: str
    delivered_at: str | None
    delayed: bool


class RecordReader:
    """Parses records, and passes over those that are corrupt or of an incompatible version.

    Parameters
    ----------
    path : Path
        The history, for messages.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unreadable: set[int] = set()

    @property
    def damage(self) -> str | None:
        """One-line description of the unreadable rows found so far; None if there are none."""
        if not self._unreadable:
            return None
        rows = ", ".join(str(seq) for seq in sorted(self._unreadable)[:_NAMED])
        more = f", …, {len(self._unreadable)} rows" if len(self._unreadable) > _NAMED else ""
        return f"history {self._path}: passed over what cannot be read (seq {rows}{more})"

    def record(self, seq: int, text: object) -> EventRecord | None:
        """Parse a record; None if that is impossible."""
        try:
            return EventRecord.from_json(text if isinstance(text, str) else str(text))
        except ValueError as error:
            self.note(seq, str(error).splitlines()[0])
            return None

    def stored(self, seq: int, text: object, *status: Any) -> StoredEvent | None:
        """Parse a row: seq, record, recorded_at, delivered_at, delayed."""
        record = self.record(seq, text)
        if record is None:
            return None
        recorded_at, delivered_at, delayed = status
        return StoredEvent(record, recorded_at, delivered_at, bool(delayed))

    def all_of(self, rows: Iterable[tuple[Any, ...]]) -> list[StoredEvent]:
        return [one for row in rows if (one := self.stored(*row)) is not None]

    def note(self, seq: int, reason: str) -> None:
        """Count an unreadable row, and log it once."""
        if seq not in self._unreadable:
            log.warning(
                "history %s: event record %d cannot be read (%s); passed over", self._path, seq, reason
            )
        self._unreadable.add(seq)
