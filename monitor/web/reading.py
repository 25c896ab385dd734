"""The read-only endpoints."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from monitor.history.reader import HistoryReader
from monitor.web.backend import Backend, Endpoint, RequestError
from monitor.web.wire import rows_json

_WEEK_S = 7 * 86400.0
_EXPORT_PAGE = 500
_COLUMNS = (
    "start", "end", "duration_s", "label", "score", "score_mean", "threshold", "level_dbfs",
    "over_background_db", "delay_s", "reason", "verdict", "model", "model_version", "node", "event_id",
)  # fmt: skip

Utc = Annotated[
    float, Field(ge=0, le=253_000_000_000, allow_inf_nan=False, description="UTC seconds since 1970")
]
Label = Annotated[str, Field(min_length=1, max_length=100)]
EventId = Annotated[str, Field(min_length=1, max_length=64)]


class Parameters(BaseModel):
    """Base of all parameters: an unknown name is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(Parameters):
    """No parameters."""


class Span(Parameters):
    """Events that began in [since, until)."""

    since: Utc | None = None
    until: Utc | None = None
    label: list[Label] = Field(default_factory=list, max_length=64, description="only these; repeat it")


class EventPage(Span):
    """A page of events, newest first."""

    after: Annotated[str, Field(max_length=64)] | None = Field(None, description="`next` of the page before")
    limit: Annotated[int, Field(ge=1, le=500)] = 200


class Export(Span):
    """All events of a span as a file."""

    format: Literal["csv", "json"] = "csv"


class OneEvent(Parameters):
    """One event."""

    event_id: EventId


class Counts(Parameters):
    """Numbers of events by local time; ``week`` counts by weekday and hour (``0 13``: Sunday, 13 h)."""

    by: Literal["hour", "day", "week"]
    since: Utc
    until: Utc
    offset_min: Annotated[int, Field(ge=-1440, le=1440)] = Field(
        0, description="local time minus UTC, minutes"
    )


class Weeks(Parameters):
    """The last so many weeks."""

    weeks: Annotated[int, Field(ge=1, le=520)] = 8


class PeaksOf(Parameters):
    """Score peaks of a class in the last days: an alert at threshold t for each peak ≥ t."""

    label: Label
    days: Annotated[float, Field(gt=0, le=14, allow_inf_nan=False)] = 7.0


def _facts(backend: Backend, _: Nothing) -> Any:
    return {**backend.facts().as_json(write=backend.write), "status": backend.status().as_json()}


def _events(backend: Backend, query: EventPage) -> Any:
    try:
        page = backend.reader.events(
            since=query.since, until=query.until, labels=query.label, after=query.after, limit=query.limit
        )
    except ValueError as error:
        raise RequestError(422, f"after: {error}") from error
    return {"events": page.events, "next": page.following}


def _event(backend: Backend, query: OneEvent) -> Any:
    event = backend.reader.event(query.event_id)
    if event is None:
        raise RequestError(404, "there is no such event")
    moment = backend.reader.moment(query.event_id)
    picture = None
    if moment is not None and moment.picture is not None:
        picture = {"start_s": moment.start_s, "row_s": moment.hop_s, **rows_json(moment.picture)}
    return {
        "event": event,
        "picture": picture,
        "embedding": moment is not None and moment.embedding is not None,
        "clip": has_clip(backend, event),
    }


def has_clip(backend: Backend, event: dict[str, Any]) -> bool:
    """Return whether the recording of an event exists, still or already."""
    name = event.get("clip")
    return backend.clips is not None and name is not None and backend.clips.find(name) is not None


def _counts(backend: Backend, query: Counts) -> Any:
    if query.by == "hour" and query.until - query.since > 62 * 86400:
        raise RequestError(422, "by=hour covers 62 days at most; ask by=day")
    found = backend.reader.counts(query.by, since=query.since, until=query.until, offset_min=query.offset_min)
    return {"counts": found}


def _precision(backend: Backend, query: Weeks) -> Any:
    rows = backend.reader.precision(time.time() - query.weeks * _WEEK_S)
    names = ("label", "week", "right", "false_alarm", "missed")
    return {"weeks": [dict(zip(names, row, strict=True)) for row in rows]}


def _peaks(backend: Backend, query: PeaksOf) -> Any:
    return {"peaks": backend.reader.peaks(query.label, time.time() - query.days * 86400.0)}


def _export(backend: Backend, query: Export) -> StreamingResponse:
    lines = _csv(backend.reader, query) if query.format == "csv" else _json(backend.reader, query)
    kind = "text/csv; charset=utf-8" if query.format == "csv" else "application/json"
    headers = {"Content-Disposition": f'attachment; filename="events.{query.format}"'}
    return StreamingResponse(lines, media_type=kind, headers=headers)


def _all_events(reader: HistoryReader, span: Span) -> Iterator[dict[str, Any]]:
    after: str | None = None
    while True:
        page = reader.events(
            since=span.since, until=span.until, labels=span.label, after=after, limit=_EXPORT_PAGE
        )
        yield from page.events
        after = page.following
        if after is None:
            return


def _csv(reader: HistoryReader, span: Span) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, extrasaction="ignore")
    writer.writeheader()
    for event in _all_events(reader, span):
        writer.writerow({key: _cell(event.get(key)) for key in _COLUMNS})
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def _cell(value: Any) -> Any:
    """Return a value that is safe in a spreadsheet: text that could be taken for a formula is quoted."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def _json(reader: HistoryReader, span: Span) -> Iterator[str]:
    before = "[\n"
    for event in _all_events(reader, span):
        yield before + json.dumps(event, ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


READING = (
    Endpoint("GET", "/api/facts", "The node, its classes and how it is now.", _facts, Nothing),
    Endpoint("GET", "/api/events", "A page of events, newest first.", _events, EventPage),
    Endpoint("GET", "/api/events/{event_id}", "An event with its picture.", _event, OneEvent),
    Endpoint("GET", "/api/export", "All events of a span as CSV or JSON.", _export, Export),
    Endpoint("GET", "/api/counts", "Numbers of events by hour, day or hour of the week.", _counts, Counts),
    Endpoint("GET", "/api/precision", "Verdicts by class and week.", _precision, Weeks),
    Endpoint("GET", "/api/peaks", "Score peaks behind the threshold of a class.", _peaks, PeaksOf),
)
