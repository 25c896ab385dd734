"""Noise levels per minute in the history; a row takes about 80 bytes, a year about 40 MB."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from monitor.delivery.store.outbox import Outbox
from monitor.level.minutes import MINUTE_S, Minute
from monitor.level.summary import joined

Rows = Callable[[str, Sequence[object]], list[tuple[Any, ...]]]
"""Runs a SELECT with values; as :meth:`Outbox.rows`."""

_COLUMNS = "minute, duration, laeq, lafmax, lcpeak, l10, l50, l90, overload, offset_db, distribution"
_SELECT = f"SELECT {_COLUMNS} FROM levels WHERE minute >= ? AND minute < ? ORDER BY minute"
_INSERT = f"INSERT OR REPLACE INTO levels ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class LevelHistory:
    """Writes minutes to the history and reads them.

    Parameters
    ----------
    outbox : Outbox
        The history.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def add(self, minute: Minute) -> None:
        """Store a minute, merged with the part of it that was stored before a restart, if any.

        Raises
        ------
        OutboxError
            The history cannot be written.
        """
        before = read_minutes(self._outbox.rows, minute.minute, minute.minute + 1)
        whole = joined(before[0], minute) if before else minute
        self._outbox.write([insertion(whole, whole.minute)])

    def minutes(self, since: float, until: float) -> list[Minute]:
        """Return the minutes that begin in [since, until), UTC seconds since 1970, in order."""
        return read_minutes(self._outbox.rows, -(-since // MINUTE_S), -(-until // MINUTE_S))


def read_minutes(rows: Rows, first: float, beyond: float) -> list[Minute]:
    """Return the minutes in [first, beyond), counted since 1970, in order."""
    return [_minute(row) for row in rows(_SELECT, (first, beyond))]


def insertion(minute: Minute, number: int) -> tuple[str, tuple[object, ...]]:
    """Return the statement and values that store ``minute`` as minute ``number`` since 1970."""
    return _INSERT, (number, *_row(minute))


def _row(minute: Minute) -> tuple[object, ...]:
    levels = (
        minute.laeq_dbfs,
        minute.lafmax_dbfs,
        minute.lcpeak_dbfs,
        minute.l10_dbfs,
        minute.l50_dbfs,
        minute.l90_dbfs,
        minute.overload_s,
    )
    offset = None if minute.offset_db is None else round(100 * minute.offset_db)
    tenths = (round(10 * value) for value in levels)
    return (round(10 * minute.duration_s), *tenths, offset, minute.distribution)


def _minute(row: tuple[Any, ...]) -> Minute:
    number, duration, *tenths, offset, distribution = row
    laeq, lafmax, lcpeak, l10, l50, l90, overload = (value / 10 for value in tenths)
    return Minute(
        minute=number,
        duration_s=duration / 10,
        laeq_dbfs=laeq,
        lafmax_dbfs=lafmax,
        lcpeak_dbfs=lcpeak,
        l10_dbfs=l10,
        l50_dbfs=l50,
        l90_dbfs=l90,
        overload_s=overload,
        offset_db=None if offset is None else offset / 100,
        distribution=distribution,
    )
