"""Judges a campaign by what a subscriber received and what SQLite reads from the history.

Nothing here uses the daemon's code.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from player import Played
from subscriber import Message

Key = tuple[str, str]
"""An event id and ``start`` or ``end``."""

_SLOW_S = 5.0
_EARLY_S, _LATE_S = 1.5, 1.5
"""How far the reported start of a sound may lie before its first and after its last sample."""


@dataclass(frozen=True)
class Row:
    """A row of the history."""

    seq: int
    key: Key
    label: str
    record: Mapping[str, Any]
    delivered: bool


@dataclass(frozen=True)
class Span:
    """A time during which sounds need not be detected, or the daemon's clock was off by ``offset_s``."""

    began: float
    ended: float
    offset_s: float = 0.0

    def touches(self, began: float, ended: float) -> bool:
        return began < self.ended and ended > self.began


def read_history(path: Path) -> list[Row]:
    """Return all rows in order; a database that cannot be read raises ``sqlite3.Error``."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10.0)) as connection:
        found = connection.execute(
            "SELECT seq, event_id, type, label, record, delivered_at FROM events ORDER BY seq"
        ).fetchall()
    return [
        Row(seq, (event_id, kind), label, json.loads(record), delivered is not None)
        for seq, event_id, kind, label, record, delivered in found
    ]


def open_labels(rows: Iterable[Row]) -> set[str]:
    """Return the labels of the starts without an end."""
    rows = list(rows)
    ended = {row.key[0] for row in rows if row.key[1] == "end"}
    return {row.label for row in rows if row.key[1] == "start" and row.key[0] not in ended}


def wrong_states(retained: Mapping[str, str], on: set[str]) -> list[str]:
    """Return the retained topics that contradict the labels that are on."""
    wrong = []
    for topic, payload in sorted(retained.items()):
        *_, label, last = topic.split("/")
        if "/sound/" not in topic:
            continue
        right = "ON" if label in on else "OFF"
        state = payload if last == "state" else json.loads(payload)["state"]
        if state != right:
            wrong.append(f"{topic} is {state}, not {right}")
    return wrong


def judge(rows: Sequence[Row], messages: Sequence[Message]) -> dict[str, Any]:
    """Compare the history with the received messages."""
    values = [m.values for m in messages if m.topic.endswith("/event")]
    received = [(v["event_id"], v["type"]) for v in values]
    first = list(dict.fromkeys(received))
    kept = [row.key for row in rows]
    wanted, got = set(kept), set(received)
    records = {row.key: row.record for row in rows}
    changed = [
        key
        for key, value in zip(received, values, strict=True)
        if key in records and {**value, "delayed": False} != {**records[key], "delayed": False}
    ]
    return {
        "records": len(kept),
        "events": len({key[0] for key in kept}),
        "received": len(first),
        "lost": len(wanted - got),
        "lost_though_acknowledged": sum(row.delivered and row.key not in got for row in rows),
        "not_in_the_history": len(got - wanted),
        "out_of_order": _inversions([key for key in first if key in wanted], kept),
        "duplicates": len(received) - len(first),
        "content_differs": len(set(changed)),
        "late": sum(v["delayed"] for v in values),
        "stored_twice": len(kept) - len(wanted),
        "malformed_events": malformed(rows),
    }


def malformed(rows: Sequence[Row]) -> dict[str, int]:
    """Count what is wrong with pairs of start and end, by what it is."""
    wrong: Counter[str] = Counter()
    events: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        events[row.key[0]].append(row)
    for records in events.values():
        if [row.key[1] for row in records] != ["start", "end"]:
            wrong["not one start and then one end"] += 1
            continue
        start, end = (row.record for row in records)
        if start["start"] != end["start"] or start["start_s"] != end["start_s"]:
            wrong["the end has another start"] += 1
        if end["end"] < end["start"] or end["end_s"] < end["start_s"]:
            wrong["it ends before it starts"] += 1
    return dict(wrong)


def missed(
    played: Iterable[Played], rows: Iterable[Row], deaf: Sequence[Span], clock: Sequence[Span]
) -> tuple[int, list[Played]]:
    """Return how many sounds were played while all was well with the microphone, and which made no event.

    The label ``loud`` answers for every sound: it depends on the level alone.
    """
    starts = sorted(
        _utc(row.record["start"]) for row in rows if row.label == "loud" and row.key[1] == "start"
    )
    expected = [
        sound for sound in played
        if not any(span.touches(sound.began, sound.ended) for span in deaf)
        and not any(edge_within(span, sound) for span in clock)
    ]  # fmt: skip
    silent = []
    for sound in expected:
        offset = sum(span.offset_s for span in clock if span.began <= sound.began < span.ended)
        low, high = sound.began + offset - _EARLY_S, sound.ended + offset + _LATE_S
        if not any(low <= start <= high for start in starts):
            silent.append(sound)
    return len(expected), silent


def slow_spans(messages: Iterable[Message]) -> list[Span]:
    """Return when the daemon lost audio because the machine was too slow, as it says itself."""
    spans: list[Span] = []
    before: Message | None = None
    for message in (m for m in messages if m.topic.endswith("/health") and not m.retained):
        values = message.values
        if before is not None and values["uptime_s"] > before.values["uptime_s"]:
            if values["dropped_s"] > before.values["dropped_s"]:
                spans.append(Span(before.received - _SLOW_S, message.received + _SLOW_S))
        elif values["dropped_s"] > 0:
            spans.append(Span(message.received - values["uptime_s"], message.received + _SLOW_S))
        before = message
    return spans


def edge_within(span: Span, sound: Played) -> bool:
    """Return whether the clock was set near this sound."""
    return any(sound.began - 3.0 <= edge <= sound.ended + 3.0 for edge in (span.began, span.ended))


def _inversions(first: Sequence[Key], kept: Sequence[Key]) -> int:
    """Return how many first deliveries came after a later record's."""
    place = {key: number for number, key in enumerate(kept)}
    highest, wrong = -1, 0
    for key in first:
        wrong += place[key] < highest
        highest = max(highest, place[key])
    return wrong


def _utc(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
