"""How times and events read on a terminal; pure."""

from __future__ import annotations

from datetime import datetime

from monitor.clock import parse_utc
from monitor.records import EventRecord


def clock_text(seconds: float, digits: int = 0) -> str:
    """``0:03.5``, ``12:34`` or ``1:02:03``: minutes and seconds, hours only when there are any."""
    ticks = round(seconds * 10**digits)
    whole, part = divmod(ticks, 10**digits)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
    return f"{text}.{part:0{digits}}" if digits else text


def count_text(number: int, noun: str) -> str:
    """``1 event``, ``2 events``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def local_time(utc: str) -> datetime:
    """An ISO 8601 time on this machine's clock."""
    return datetime.fromtimestamp(parse_utc(utc)).astimezone()


def moment(record: EventRecord, seconds: float, utc: str) -> str:
    """When it was: in a recording the time since its start, else the time of day here."""
    return clock_text(seconds, 1) if record.file is not None else f"{local_time(utc):%H:%M:%S}"


def describe(record: EventRecord) -> str:
    """A record in one line: when, what, how sure, how loud; of an end, how long it was."""
    figures = f"score {record.score:.2f}  {record.level_dbfs:6.1f} dBFS"
    if record.end is None or record.end_s is None or record.duration_s is None:
        return f"{moment(record, record.start_s, record.start):>9}  {record.label:18} starts  {figures}"
    when = moment(record, record.end_s, record.end)
    lasted = f"after {record.duration_s:.1f} s ({record.reason})"
    return f"{when:>9}  {record.label:18} ends    {figures}  {lasted}"
