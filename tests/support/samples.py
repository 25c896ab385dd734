"""Event records for the tests of delivery."""

from __future__ import annotations

from dataclasses import replace

from monitor.records import EventRecord

_START = EventRecord(
    event_id="",
    seq=0,
    type="start",
    node="balcony",
    label="siren",
    start="2026-05-01T22:00:00.000Z",
    end=None,
    start_s=12.48,
    end_s=None,
    duration_s=None,
    score=0.91,
    score_mean=0.85,
    threshold=0.6,
    level_dbfs=-23.4,
    over_background_db=18.2,
    delay_s=0.48,
    model="urban-sounds",
    model_version="0.1.0",
    clock="synced",
)


def record(seq: int, **changes: object) -> EventRecord:
    """A start with a number and an id of its own."""
    return replace(_START, **{"seq": seq, "event_id": f"event-{seq}", **changes})


def ended(seq: int, start: EventRecord) -> EventRecord:
    """The end of a start."""
    return replace(
        start,
        seq=seq,
        type="end",
        end="2026-05-01T22:00:02.000Z",
        end_s=14.48,
        duration_s=2.0,
        reason="released",
    )
