"""The objects available to request handlers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from monitor.clips.folder import ClipFolder
from monitor.history.keeper import MomentKeeper
from monitor.history.notebook import Notebook
from monitor.history.reader import HistoryReader
from monitor.web.facts import FactsNow, StatusNow
from monitor.web.guard import Rules
from monitor.web.hub import Hub


class Teaching(Protocol):
    """Lists, teaches and removes sounds, as JSON; raises ControlError with a line for people."""

    def heads(self) -> list[dict[str, Any]]: ...

    def marks(self) -> dict[str, Any]: ...

    def teach(self, label: str, event_ids: Sequence[str], alarms_a_day: float) -> dict[str, Any]: ...

    def reject(self, label: str, event_ids: Sequence[str]) -> dict[str, Any]: ...

    def remove(self, name: str, *, newest: bool) -> dict[str, Any] | None: ...


@dataclass(frozen=True)
class Backend:
    """Everything of one monitor that its server may use.

    Attributes
    ----------
    write
        Whether requests may change anything.
    clips
        The recordings of events; None if none are kept.
    apply
        Changes one setting of the running monitor, like :meth:`monitor.control.control.Control.apply`;
        None in a replay, where settings cannot be changed.
    teaching
        None in a replay.
    """

    facts: FactsNow
    status: StatusNow
    reader: HistoryReader
    notebook: Notebook
    keeper: MomentKeeper
    hub: Hub
    rules: Rules
    write: bool
    clips: ClipFolder | None = None
    apply: Callable[[str, object], object] | None = None
    teaching: Teaching | None = None


class RequestError(Exception):
    """A request that cannot be served: an HTTP status and a one-line reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Endpoint:
    """One method of one path under ``/api``; its OpenAPI description is generated from it.

    Attributes
    ----------
    handle
        Called in a worker thread with the validated parameters; its result is sent as JSON unless it is
        a Response.
    parameters
        Parameters of the query and the path, or of the body if the method has one.
    """

    method: str
    path: str
    summary: str
    handle: Callable[[Backend, Any], Any]
    parameters: type[BaseModel]

    @property
    def writes(self) -> bool:
        return self.method != "GET"
