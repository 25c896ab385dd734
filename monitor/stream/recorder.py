"""Turn decisions into event records with ids, sequence numbers, seconds and UTC."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

from monitor.clock import Clock, iso_utc, parse_utc
from monitor.events.notices import Notices
from monitor.records import Decision, EventRecord


class Recorder:
    """Turns one stream's decisions into records.

    Parameters
    ----------
    node, model, model_version : str
        Values for the record.
    rate : int
        Sample rate of the decisions' positions, Hz.
    clock : Clock
        Clock of the stream.
    numbers : Iterator[int]
        Sequence numbers, shared by all streams of a process.
    new_id : Callable[[], str]
        Returns a new event id.
    file : str or None
        Name of the recording in a replay.
    offset_db : float or None
        Difference between sound pressure levels in dB and levels in dBFS; None when not calibrated.
    notices : Notices
        Says which events are worth a notice; shared by all streams of a process.
    """

    def __init__(
        self,
        *,
        node: str,
        model: str,
        model_version: str,
        rate: int,
        clock: Clock,
        numbers: Iterator[int],
        new_id: Callable[[], str],
        file: str | None = None,
        offset_db: float | None = None,
        notices: Notices,
    ) -> None:
        self._notices = notices
        self._node = node
        self._model = (model, model_version)
        self._rate = rate
        self._clock = clock
        self._numbers = numbers
        self._new_id = new_id
        self._file = file
        self._offset_db = offset_db
        self._open: dict[int, tuple[str, float]] = {}

    def record(self, decision: Decision) -> EventRecord:
        """Return the record of a start, or of an end with its start's id and detection delay."""
        start_s, offset_db = decision.start_pos / self._rate, self._offset_db
        if decision.type == "start":
            event_id, delay_s = self._new_id(), decision.decided_pos / self._rate - start_s
            self._open[decision.key] = event_id, delay_s
        else:
            event_id, delay_s = self._open.pop(decision.key)
        end_s = None if decision.end_pos is None else decision.end_pos / self._rate
        start_utc = self._clock.utc_at(start_s)
        record = EventRecord(
            event_id=event_id,
            seq=next(self._numbers),
            type=decision.type,
            node=self._node,
            label=decision.label,
            start=iso_utc(start_utc),
            end=None if end_s is None else iso_utc(self._clock.utc_at(end_s)),
            start_s=round(start_s, 3),
            end_s=None if end_s is None else round(end_s, 3),
            duration_s=None if end_s is None else round(end_s - start_s, 3),
            score=round(decision.score, 4),
            score_mean=round(decision.score_mean, 4),
            threshold=round(decision.threshold, 4),
            level_dbfs=round(decision.level_dbfs, 1),
            over_background_db=round(decision.over_background_db, 1),
            delay_s=round(delay_s, 3),
            model=self._model[0],
            model_version=self._model[1],
            clock=self._clock.state,
            overlapping=decision.overlapping,
            file=self._file,
            reason=decision.reason,
            lafmax_dbfs=round(decision.lafmax_dbfs, 1),
            lafmax_db=None if offset_db is None else round(decision.lafmax_dbfs + offset_db, 1),
            over_l90_db=round(decision.over_l90_db, 1),
        )
        return self._notices.judge(record, start_utc)


def cut_off(start: EventRecord, seq: int) -> EventRecord:
    """Return the end record of an event whose process was killed.

    The true end is unknown; the last known moment is the decision of its start.
    """
    end_s = start.start_s + start.delay_s
    return replace(
        start,
        seq=seq,
        type="end",
        end=iso_utc(parse_utc(start.start) + start.delay_s),
        end_s=round(end_s, 3),
        duration_s=start.delay_s,
        reason="stopped",
        notify=False,
        held_back=None,
    )


def uuid7(unix_ms: int, random: bytes) -> str:
    """Return a UUID version 7: 48 bits of time and 74 of the 80 random bits (RFC 9562, 5.7)."""
    value = (unix_ms & (1 << 48) - 1) << 80 | int.from_bytes(random[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def random_ids() -> Callable[[], str]:
    """Return a generator of ids that sort by creation time."""
    return lambda: uuid7(time.time_ns() // 1_000_000, os.urandom(10))


def counted_ids() -> Callable[[], str]:
    """Return a generator of ids that are equal in every run: time zero and a counter."""
    numbers = count(1)
    return lambda: uuid7(0, next(numbers).to_bytes(10, "big"))
