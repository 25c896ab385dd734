"""What the handlers work with."""

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
    """All of one monitor that its server may use.

    write : whether requests may change anything
    apply : changes one setting of the running monitor, as :meth:`monitor.control.control.Control.apply`
        does; None in a replay, which has none
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
    """A request that cannot be served: an HTTP status and one line."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Endpoint:
    """One method of one path under ``/api``; the description for OpenAPI is made of it.

    handle : called in a worker thread with the validated parameters; what it returns is sent as
        JSON unless it is a Response
    parameters : of the query and of the path, or of the body if the method has one
    """

    method: str
    path: str
    summary: str
    handle: Callable[[Backend, Any], Any]
    parameters: type[BaseModel]

    @property
    def writes(self) -> bool:
        return self.method != "GET"
