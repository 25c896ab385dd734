"""The objects available to request handlers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from monitor.history.keeper import MomentKeeper
from monitor.history.notebook import Notebook
from monitor.history.reader import HistoryReader
from monitor.web.facts import FactsNow, StatusNow
from monitor.web.guard import Rules
from monitor.web.hub import Hub


@dataclass(frozen=True)
class Backend:
    """Everything of one monitor that its server may use.

    Attributes
    ----------
    write
        Whether requests may change anything.
    apply
        Changes one setting of the running monitor, like :meth:`monitor.control.control.Control.apply`;
        None in a replay, where settings cannot be changed.
    """

    facts: FactsNow
    status: StatusNow
    reader: HistoryReader
    notebook: Notebook
    keeper: MomentKeeper
    hub: Hub
    rules: Rules
    write: bool
    apply: Callable[[str, object], object] | None = None


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
