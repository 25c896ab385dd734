"""Format times and events for the terminal; pure."""

from __future__ import annotations

from datetime import datetime

from monitor.clock import parse_utc
from monitor.records import EventRecord


def clock_text(seconds: float, digits: int = 0) -> str:
    """Format a duration as ``0:03.5``, ``12:34`` or ``1:02:03``; hours only if there are any."""
    ticks = round(seconds * 10**digits)
    whole, part = divmod(ticks, 10**digits)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
    return f"{text}.{part:0{digits}}" if digits else text


def count_text(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 event``, ``2 events``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def local_time(utc: str) -> datetime:
    """Convert an ISO 8601 time to local time."""
    return datetime.fromtimestamp(parse_utc(utc)).astimezone()


def date_text(utc: str) -> str:
    """Format an ISO 8601 time as local date and time; one that no calendar holds, as it is."""
    try:
        return f"{local_time(utc):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return f"{utc:19.19}".replace("T", " ")


def moment(record: EventRecord, seconds: float, utc: str) -> str:
    """Return the time since the start of a recording, or the local time of day of a live event."""
    return clock_text(seconds, 1) if record.file is not None else f"{local_time(utc):%H:%M:%S}"


def describe(record: EventRecord) -> str:
    """Describe a record in one line: time, label, score, level, and the duration for an end."""
    figures = f"score {record.score:.2f}  {record.level_dbfs:6.1f} dBFS"
    if record.end is None or record.end_s is None or record.duration_s is None:
        return f"{moment(record, record.start_s, record.start):>9}  {record.label:18} starts  {figures}"
    when = moment(record, record.end_s, record.end)
    lasted = f"after {record.duration_s:.1f} s ({record.reason})"
    return f"{when:>9}  {record.label:18} ends    {figures}  {lasted}"
