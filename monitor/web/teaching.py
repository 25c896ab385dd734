"""The endpoints of taught sounds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from monitor.errors import ControlError
from monitor.web.backend import Backend, Endpoint, RequestError, Teaching
from monitor.web.reading import EventId, Label, Nothing, Parameters

_MOST_EXAMPLES = 50

HeadName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")]


class NewHead(Parameters):
    """A sound to report (``sound``), or false alarms of a class that are never to come again (``reject``).

    Taught from the chosen events; without any, from what was marked: moments that were right or missed
    under the label, or its false alarms.
    """

    kind: Literal["sound", "reject"]
    label: Label
    event_id: list[EventId] = Field(default_factory=list, max_length=_MOST_EXAMPLES)
    alarms_a_day: Annotated[float, Field(ge=0.01, le=1000, allow_inf_nan=False)] = Field(
        1.0, description="of a sound: false alarms that the threshold may raise on the background"
    )


class RemovedHead(Parameters):
    """A head with all its versions, or its newest version alone."""

    name: HeadName
    newest: bool = False


def _heads(backend: Backend, _: Nothing) -> Any:
    if backend.teaching is None:
        return {"heads": [], "marks": [], "background_h": 0.0, "embedding": False}
    return {"heads": backend.teaching.heads(), **backend.teaching.marks()}


def _teach(backend: Backend, body: NewHead) -> Any:
    teaching = _teaching(backend)
    try:
        if body.kind == "reject":
            return teaching.reject(body.label, body.event_id)
        return teaching.teach(body.label, body.event_id, body.alarms_a_day)
    except ControlError as error:
        raise RequestError(422, str(error)) from error


def _remove(backend: Backend, query: RemovedHead) -> Any:
    try:
        left = _teaching(backend).remove(query.name, newest=query.newest)
    except ControlError as error:
        raise RequestError(422, str(error)) from error
    if left is None:
        raise RequestError(404, "no such sound was taught")
    return left


def _teaching(backend: Backend) -> Teaching:
    if backend.teaching is None:
        raise RequestError(409, "a replay cannot be taught")
    return backend.teaching


TEACHING = (
    Endpoint("GET", "/api/heads", "What was taught, and what can be taught from.", _heads, Nothing),
    Endpoint("POST", "/api/heads", "Teach a sound, or never to report one again.", _teach, NewHead),
    Endpoint("DELETE", "/api/heads/{name}", "Forget what was taught.", _remove, RemovedHead),
)
