"""Read access to the history for the web page: separate connection, keyset pagination, hourly counts."""

from __future__ import annotations

import heapq
import json
import os
import sqlite3
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from monitor.clock import iso_utc
from monitor.delivery.store.database import open_readonly, sqlite_errors
from monitor.history.notebook import unpack, unpack_rows

By = Literal["hour", "day", "week"]

_LATEST = "9999"
_EVENTS = """SELECT s.start, s.seq, coalesce(e.record, s.record), v.verdict, m.picture IS NOT NULL
    FROM events AS s
    LEFT JOIN events AS e ON e.event_id = s.event_id AND e.type = 'end'
    LEFT JOIN verdicts AS v ON v.event_id = s.event_id
    LEFT JOIN moments AS m ON m.event_id = s.event_id
    WHERE s.type = 'start'"""
_ONE = f"{_EVENTS} AND s.event_id = ?"
_FROM, _BEYOND = "s.start >= ? AND (s.start, s.seq) < (?, ?)", "ORDER BY s.start DESC, s.seq DESC LIMIT ?"
_PAGE = f"{_EVENTS} AND {_FROM} {_BEYOND}"
_PAGE_OF_LABEL = f"{_EVENTS} AND {_FROM} AND s.label = ? {_BEYOND}"
_COUNTS = """SELECT label, strftime(?, hour || ':00', ?), sum(events) FROM hours
    WHERE hour >= ? AND hour < ? AND events > 0 GROUP BY 1, 2 ORDER BY 1, 2"""
_FORMATS: dict[By, str] = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "week": "%w %H"}
_PRECISION = """SELECT label, strftime('%Y-%m-%d', moment, 'weekday 0', '-6 days') AS week,
    sum(verdict = 'right'), sum(verdict = 'false_alarm'), sum(verdict = 'missed')
    FROM verdicts WHERE moment >= ? GROUP BY 1, 2 ORDER BY 1, 2"""
_UNTIL = "coalesce(json_extract(e.record, '$.end'), {start})"
_END = "LEFT JOIN events AS e ON e.type = 'end' AND e.event_id = {of}.event_id"
_MARKED = f"""SELECT v.event_id, v.label, v.verdict, v.moment, {_UNTIL.format(start="v.moment")},
        coalesce(v.embedding, m.embedding) AS found
    FROM verdicts AS v LEFT JOIN moments AS m ON m.event_id = v.event_id {_END.format(of="v")}
    WHERE v.model = ? AND found IS NOT NULL ORDER BY v.moment"""
_EMBEDDED = f"""SELECT m.event_id, s.label, coalesce(v.verdict, ''), s.start,
        {_UNTIL.format(start="s.start")}, m.embedding
    FROM moments AS m JOIN events AS s ON s.event_id = m.event_id AND s.type = 'start'
    {_END.format(of="m")}
    LEFT JOIN verdicts AS v ON v.event_id = m.event_id
    WHERE m.model = ? AND m.embedding IS NOT NULL"""
_NEWEST = f"{_EMBEDDED} ORDER BY s.start DESC LIMIT ?"
_CHOSEN = f"{_EMBEDDED} AND m.event_id = ?"


@dataclass(frozen=True)
class StoredMoment:
    """A moment as read back; see :class:`monitor.history.notebook.Moment`."""

    start_s: float
    hop_s: float
    picture: NDArray[np.uint8] | None
    embedding: NDArray[np.float32] | None


@dataclass(frozen=True)
class Marked:
    """An event or a marked moment, with its embeddings.

    Attributes
    ----------
    event_id
        None for a moment without an event.
    verdict
        Empty if nobody judged the event.
    moment, until
        When it began and ended, UTC ISO 8601; equal where no end is known.
    rows
        Embeddings, that of the highest score first, shape (rows, n).
    """

    event_id: str | None
    label: str
    verdict: str
    moment: str
    until: str
    rows: NDArray[np.float32]


@dataclass(frozen=True)
class Page:
    """A page of events, newest first, as records with ``verdict`` and ``picture`` (whether there is one).

    Attributes
    ----------
    following
        Key of the next page; None = this is the last.
    """

    events: list[dict[str, Any]]
    following: str | None


class HistoryReader:
    """Reads one history, also after its file was replaced; thread-safe.

    Every method raises OutboxError if the database cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None

    def events(
        self,
        *,
        since: float | None = None,
        until: float | None = None,
        labels: Sequence[str] = (),
        after: str | None = None,
        limit: int = 200,
    ) -> Page:
        """Return events that began in [since, until), newest first.

        Parameters
        ----------
        since, until
            UTC seconds since 1970.
        labels
            Labels to include; empty = all.
        after
            ``following`` of the previous page.

        Raises
        ------
        ValueError
            ``after`` is not a page key.
        """
        first = "" if since is None else iso_utc(since)
        beyond = (_LATEST if until is None else iso_utc(until), 0) if after is None else _page_key(after)
        if labels:
            # One index lookup per label, so that a rare label is found without scanning the others.
            found = [self._select(_PAGE_OF_LABEL, (first, *beyond, label, limit + 1)) for label in labels]
            rows = list(heapq.merge(*found, key=lambda row: (row[0], row[1]), reverse=True))
        else:
            rows = self._select(_PAGE, (first, *beyond, limit + 1))
        page = rows[:limit]
        following = f"{page[-1][0]},{page[-1][1]}" if len(rows) > limit else None
        return Page([_event(row) for row in page], following)

    def event(self, event_id: str) -> dict[str, Any] | None:
        rows = self._select(_ONE, (event_id,))
        return _event(rows[0]) if rows else None

    def moment(self, event_id: str) -> StoredMoment | None:
        sql = "SELECT start_s, hop_s, frames, bands, picture, embedding FROM moments WHERE event_id = ?"
        for start_s, hop_s, frames, bands, packed, embedding in self._select(sql, (event_id,)):
            picture = None
            if packed is not None:
                picture = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(frames, bands)
            return StoredMoment(start_s, hop_s, picture, unpack(embedding))
        return None

    def counts(
        self, by: By, *, since: float, until: float, offset_min: int = 0
    ) -> list[tuple[str, str, int]]:
        """Return (label, bucket, events) of whole hours in [since, until).

        Parameters
        ----------
        by
            ``hour`` and ``day`` name the local hour or day; ``week`` has the form ``"0 13"``, Sunday at 13 h.
        offset_min
            Offset of local time from UTC, minutes.
        """
        values = (_FORMATS[by], f"{offset_min:+d} minutes", iso_utc(since)[:13], iso_utc(until)[:13])
        return [(label, at, count) for label, at, count in self._select(_COUNTS, values)]

    def precision(self, since: float) -> list[tuple[str, str, int, int, int]]:
        """Return (label, Monday of the week, right, false alarms, missed) of verdicts since ``since``."""
        return [
            (label, week, right, wrong, missed)
            for label, week, right, wrong, missed in self._select(_PRECISION, (iso_utc(since),))
        ]

    def peaks(self, label: str, since: float) -> list[float]:
        """Return the score peaks of a class since ``since``."""
        sql = "SELECT peak FROM peaks WHERE label = ? AND at >= ? ORDER BY at"
        return [peak for (peak,) in self._select(sql, (label, iso_utc(since)))]

    def marked(self, model: str, size: int) -> list[Marked]:
        """Return what was judged or marked and has embeddings of a model, oldest first.

        Parameters
        ----------
        model
            Name and version of the model.
        size
            Length of an embedding.
        """
        return _marked(self._select(_MARKED, (model,)), size)

    def embedded(self, model: str, size: int, *, limit: int) -> list[Marked]:
        """Return the newest events with embeddings of a model, judged or not, newest first."""
        return _marked(self._select(_NEWEST, (model, limit)), size)

    def chosen(self, model: str, size: int, event_ids: Sequence[str]) -> list[Marked]:
        """Return those of the events that have embeddings of a model."""
        rows = [row for event_id in event_ids for row in self._select(_CHOSEN, (model, event_id))]
        return _marked(rows, size)

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _select(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        with sqlite_errors(self._path), self._lock:
            return self._opened().execute(sql, values).fetchall()

    def _opened(self) -> sqlite3.Connection:
        """Return the connection to the present file: a damaged one is replaced while we read."""
        try:
            status = os.stat(self._path)
            inode = status.st_dev, status.st_ino
        except OSError:
            inode = None
        if self._connection is None or inode != self._inode:
            self._drop()
            self._connection, self._inode = open_readonly(self._path), inode
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _marked(rows: Sequence[tuple[Any, ...]], size: int) -> list[Marked]:
    return [
        Marked(event_id, label, verdict, moment, until, unpack_rows(raw, size))
        for event_id, label, verdict, moment, until, raw in rows
        if len(raw) % (2 * size) == 0
    ]


def _page_key(text: str) -> tuple[str, int]:
    start, _, seq = text.partition(",")
    if not seq.isdigit() or len(seq) > 18:
        raise ValueError("no key of a page")
    return start, int(seq)


def _event(row: tuple[Any, ...]) -> dict[str, Any]:
    _, _, record, verdict, picture = row
    return {**json.loads(record), "verdict": verdict, "picture": bool(picture)}
