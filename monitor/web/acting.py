"""The endpoints that change state; all require ``web.write: true``."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from monitor.clock import parse_utc
from monitor.errors import ControlError
from monitor.history.notebook import Judgement
from monitor.web.backend import Backend, Endpoint, RequestError
from monitor.web.reading import EventId, Label, OneEvent, Parameters, Utc

_RECENT_S = 60.0
_JUST_NOW_S = 2.0


class NewVerdict(Parameters):
    """A verdict on an event, or on a moment of the last minute that has none."""

    verdict: Literal["right", "false_alarm", "missed"]
    event_id: EventId | None = None
    label: Label | None = Field(None, description="without event_id: what should have been reported")
    since: Utc | None = Field(None, description="without event_id: when the sound began; 2 s before until")
    until: Utc | None = Field(None, description="without event_id: when it ended; now if it is left out")

    @model_validator(mode="after")
    def _whole(self) -> NewVerdict:
        missed = self.verdict == "missed"
        if (self.event_id is None) != missed or (self.label is not None) != missed:
            raise ValueError("write event_id with right or false_alarm, label with missed")
        return self


class NewSetting(Parameters):
    """A setting of the running monitor, kept over restarts; without a value the config's holds again."""

    key: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="listening, pause_s, profile, classes.<label>.enabled, classes.<label>.threshold"
    )
    value: bool | float | Annotated[str, Field(max_length=100)] | None = None


def _judge(backend: Backend, body: NewVerdict) -> Any:
    if body.event_id is None:
        return _missed(backend, body)
    event = backend.reader.event(body.event_id)
    if event is None:
        raise RequestError(404, "there is no such event")
    moment = backend.reader.moment(body.event_id)
    judgement = Judgement(
        label=event["label"],
        verdict=body.verdict,
        moment=parse_utc(event["start"]),
        model=f"{event['model']} {event['model_version']}",
        event_id=body.event_id,
        embedding=None if moment is None else moment.embedding,
    )
    backend.notebook.judge(judgement)
    return {"verdict": body.verdict, "embedding": judgement.embedding is not None}


def _missed(backend: Backend, body: NewVerdict) -> Any:
    now = time.time()
    until = now if body.until is None else body.until
    since = until - _JUST_NOW_S if body.since is None else body.since
    if not now - _RECENT_S <= since <= until <= now + 1.0:
        raise RequestError(422, f"since, until: a span of the last {_RECENT_S:.0f} s can be marked")
    assert body.label is not None
    embedding = backend.keeper.embeddings_of(since, until)
    backend.notebook.judge(Judgement(body.label, "missed", since, backend.keeper.model, embedding=embedding))
    return {"verdict": "missed", "embedding": embedding is not None}


def _withdraw(backend: Backend, query: OneEvent) -> Any:
    backend.notebook.withdraw(query.event_id)
    return {"verdict": None}


def _set(backend: Backend, body: NewSetting) -> Any:
    if backend.apply is None:
        raise RequestError(409, "a replay has no settings to change")
    try:
        backend.apply(body.key, body.value)
    except ControlError as error:
        raise RequestError(422, str(error)) from error
    return backend.facts().as_json(write=backend.write)


ACTING = (
    Endpoint("POST", "/api/settings", "Change a setting at once and for later runs.", _set, NewSetting),
    Endpoint(
        "POST", "/api/verdicts", "Say whether an alert was right, or that one was missed.", _judge, NewVerdict
    ),
    Endpoint("DELETE", "/api/verdicts/{event_id}", "Take a verdict back.", _withdraw, OneEvent),
)
