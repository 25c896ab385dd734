"""Keeps the history within its bounds of age and size, in short transactions.

Age is counted by ``seq``: what was stored before a row that is too old is too old as well. So a row
that was stored while the clock was wrong is neither deleted at once nor kept for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from monitor.clock import iso_utc
from monitor.delivery.store.outbox import Outbox

_DAY_S = 86400.0
_CHUNK = 500
"""Number of rows changed in one transaction; events wait to be stored for so long."""
_MINUTES = 1440
_STEP_S = 3600.0
"""A larger step of the clock between two passes postpones deletion by one pass."""
_PLAUSIBLE = iso_utc(1735689600.0)
"""Rows from before this date (2025) were stored while the clock was not set."""

_WAITING = "delivered_at IS NULL AND expired_at IS NULL"
_OLDEST_WAITING = f"SELECT seq, recorded_at FROM events INDEXED BY events_waiting WHERE {_WAITING}"
_LAST_OLD = f"""SELECT max(seq) FROM ({{rows}} ORDER BY seq LIMIT {_CHUNK})
    WHERE recorded_at >= '{_PLAUSIBLE}' AND recorded_at < ?"""
_EXPIRE = f"""UPDATE events SET expired_at = ? WHERE seq IN
    (SELECT seq FROM events INDEXED BY events_waiting WHERE {_WAITING} AND seq <= ?)"""
_DELETE_UP_TO = "DELETE FROM events WHERE seq <= ?"
_NOT_WAITING = f"SELECT seq FROM events WHERE NOT ({_WAITING}) ORDER BY seq LIMIT {_CHUNK}"
_NEXT_WAITING = (
    f"SELECT seq FROM events INDEXED BY events_waiting WHERE {_WAITING} ORDER BY seq LIMIT {_CHUNK}"
)
_DELETE = "DELETE FROM events WHERE seq IN ({rows})"


@dataclass(frozen=True)
class Limits:
    """Bounds of a history.

    Parameters
    ----------
    days : float
        How long events and noise levels are kept.
    waiting_days : float
        How long an event waits for the broker before it is given up; at most ``days``.
    size : int
        Bytes in use, beyond which the oldest events are deleted: first those that do not wait.
    delivers : bool
        Whether events are sent to a broker at all; if not, none of them waits.
    """

    days: float
    waiting_days: float
    size: int
    delivers: bool = True


class Retention:
    """Deletes what is beyond the limits.

    Every method raises OutboxError if the history cannot be written.

    Parameters
    ----------
    outbox : Outbox
        The history.
    limits : Limits
        Its bounds.
    utc, monotonic : callable
        Clocks, seconds.
    """

    def __init__(
        self,
        outbox: Outbox,
        limits: Limits,
        *,
        utc: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self._limits = limits
        self._utc = utc
        self._monotonic = monotonic
        self._offset: float | None = None

    def steps(self) -> Iterator[None]:
        """Do one pass; yields after each transaction, so that the caller may let others write."""
        if self._clock_is_steady():
            now = self._utc()
            if self._limits.delivers:
                yield from self._expire(now)
            yield from self._delete_old(now)
        yield from self._shrink()

    def _clock_is_steady(self) -> bool:
        offset = self._utc() - self._monotonic()
        before, self._offset = self._offset, offset
        return before is not None and abs(offset - before) < _STEP_S

    def _expire(self, now: float) -> Iterator[None]:
        cutoff = iso_utc(now - self._limits.waiting_days * _DAY_S)
        while (last := self._number(_LAST_OLD.format(rows=_OLDEST_WAITING), cutoff)) is not None:
            self._outbox.write(self._giving_up(last))
            yield

    def _delete_old(self, now: float) -> Iterator[None]:
        before = now - self._limits.days * _DAY_S
        rows = "SELECT seq, recorded_at FROM events"
        while (last := self._number(_LAST_OLD.format(rows=rows), iso_utc(before))) is not None:
            self._outbox.write([*self._giving_up(last), (_DELETE_UP_TO, (last,))])
            yield
        self._outbox.write([("DELETE FROM levels WHERE minute < ?", (int(before // 60),))])
        yield

    def _shrink(self) -> Iterator[None]:
        while self._size() > self._limits.size:
            if self._limits.delivers and self._number(_NOT_WAITING) is not None:
                self._outbox.write([(_DELETE.format(rows=_NOT_WAITING), ())])
            elif (last := self._number(f"SELECT max(seq) FROM ({_NEXT_WAITING})")) is not None:
                self._outbox.write([*self._giving_up(last), (_DELETE_UP_TO, (last,))])
            elif self._number("SELECT minute FROM levels LIMIT 1") is not None:
                oldest = f"SELECT minute FROM levels ORDER BY minute LIMIT {_MINUTES}"
                self._outbox.write([(f"DELETE FROM levels WHERE minute IN ({oldest})", ())])
            else:
                return
            yield

    def _giving_up(self, last: int) -> list[tuple[str, tuple[object, ...]]]:
        """Return the statements that count the rows up to ``last`` that still wait for the broker."""
        return [(_EXPIRE, (iso_utc(self._utc()), last))] if self._limits.delivers else []

    def _size(self) -> int:
        """Return the bytes in use; pages of deleted rows are used again before the file grows."""
        pages, free, page = (
            self._number(f"PRAGMA {name}") or 0 for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * page

    def _number(self, sql: str, *values: object) -> int | None:
        rows = self._outbox.rows(sql, values)
        return None if not rows or rows[0][0] is None else int(rows[0][0])
