"""Turn decisions into event records with ids, sequence numbers, seconds and UTC."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count

from monitor.clips.stream import StreamClips
from monitor.clock import Clock, iso_utc, parse_utc
from monitor.events.notices import Notices
from monitor.records import AudioBlock, Decision, EventRecord, HopResult


@dataclass(frozen=True)
class Origin:
    """Where the decisions of a stream come from.

    Parameters
    ----------
    node, model, model_version : str
        Values for the record.
    rate : int
        Sample rate of the decisions' positions, Hz.
    file : str or None
        Name of the recording in a replay.
    offset_db : float or None
        Difference between sound pressure levels in dB and levels in dBFS; None when not calibrated.
    """

    node: str
    model: str
    model_version: str
    rate: int
    file: str | None = None
    offset_db: float | None = None


@dataclass(frozen=True)
class _Opened:
    """What the end of an event repeats of its start; ``start_utc`` even if the clock was set meanwhile."""

    event_id: str
    delay_s: float
    start_utc: float


class Recorder:
    """Turns one stream's decisions into records.

    Parameters
    ----------
    origin : Origin
        Where the decisions come from.
    clock : Clock
        Clock of the stream.
    numbers : Iterator[int]
        Sequence numbers, shared by all streams of a process.
    new_id : Callable[[], str]
        Returns a new event id.
    notices : Notices
        Says which events are worth a notice; shared by all streams of a process.
    clips : StreamClips or None
        Records the stream's events; None if nothing is recorded.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        clock: Clock,
        numbers: Iterator[int],
        new_id: Callable[[], str],
        notices: Notices,
        clips: StreamClips | None = None,
    ) -> None:
        self._clips = clips
        self._origin = origin
        self._notices = notices
        self._clock = clock
        self._numbers = numbers
        self._new_id = new_id
        self._open: dict[int, _Opened] = {}

    def record(self, decision: Decision) -> EventRecord:
        """Return the record of a start, or of an end with its start's id, time and detection delay."""
        origin = self._origin
        start_s, offset_db = decision.start_pos / origin.rate, origin.offset_db
        if decision.type == "start":
            delay_s = decision.decided_pos / origin.rate - start_s
            opened = _Opened(self._new_id(), delay_s, self._clock.utc_at(start_s))
            self._open[decision.key] = opened
        else:
            opened = self._open.pop(decision.key)
        end_s = None if decision.end_pos is None else decision.end_pos / origin.rate
        record = EventRecord(
            event_id=opened.event_id,
            seq=next(self._numbers),
            type=decision.type,
            node=origin.node,
            label=decision.label,
            start=iso_utc(opened.start_utc),
            end=None if end_s is None else iso_utc(opened.start_utc + end_s - start_s),
            start_s=round(start_s, 3),
            end_s=None if end_s is None else round(end_s, 3),
            duration_s=None if end_s is None else round(end_s - start_s, 3),
            score=round(decision.score, 4),
            score_mean=round(decision.score_mean, 4),
            threshold=round(decision.threshold, 4),
            level_dbfs=round(decision.level_dbfs, 1),
            over_background_db=round(decision.over_background_db, 1),
            delay_s=round(opened.delay_s, 3),
            model=origin.model,
            model_version=origin.model_version,
            clock=self._clock.state,
            overlapping=decision.overlapping,
            file=origin.file,
            clip=self._clip(decision, opened),
            reason=decision.reason,
            lafmax_dbfs=round(decision.lafmax_dbfs, 1),
            lafmax_db=None if offset_db is None else round(decision.lafmax_dbfs + offset_db, 1),
            over_l90_db=round(decision.over_l90_db, 1),
        )
        return self._notices.judge(record, opened.start_utc)

    def push(self, block: AudioBlock) -> None:
        """Take a block for the clips, before its hops."""
        if self._clips is not None:
            self._clips.push(block)

    def on_hop(self, hop: HopResult) -> None:
        """Let the clips follow a hop, before its decisions."""
        if self._clips is not None:
            self._clips.on_hop(hop)

    def close(self) -> None:
        """Complete the clips with the audio so far: the stream ends or pauses."""
        if self._clips is not None:
            self._clips.close()

    def _clip(self, decision: Decision, opened: _Opened) -> str | None:
        if self._clips is None:
            return None
        if decision.type == "end":
            return self._clips.end(decision)
        return self._clips.begin(decision, opened.event_id, opened.start_utc)


def cut_off(start: EventRecord, seq: int) -> EventRecord:
    """Return the end record of an event whose process was killed.

    The true end is unknown; the last known moment is the decision of its start.
    """
    end_s = start.start_s + start.delay_s
    try:
        end = iso_utc(parse_utc(start.start) + start.delay_s)
    except (ValueError, OverflowError):  # a clock that was far off
        end = start.start
    return replace(
        start,
        seq=seq,
        type="end",
        end=end,
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
