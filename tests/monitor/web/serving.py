"""A real server on loopback with a history of its own, for tests."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from websockets.sync.client import ClientConnection, connect

from monitor.delivery.outbox import Outbox
from monitor.delivery.payloads import Health
from monitor.errors import ControlError
from monitor.history.keeper import MomentKeeper
from monitor.history.notebook import Notebook
from monitor.history.reader import HistoryReader
from monitor.records import HopResult, Level
from monitor.settings import ClassSettings
from monitor.web.backend import Backend
from monitor.web.facts import Facts, Status
from monitor.web.guard import Rules
from monitor.web.hub import Hub
from monitor.web.server import PageServer, bind

LABELS = ("siren", "dog_bark")
HOP_S = 0.25
PATIENCE_S = 20.0


class Settings:
    """Stands for the control of a running monitor: thresholds of classes."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.followers: list[Callable[[Facts], None]] = []

    def apply(self, key: str, value: object) -> None:
        label = key.removeprefix("classes.").removesuffix(".threshold")
        if label not in self.facts.classes or not isinstance(value, float):
            raise ControlError(f"{key}: no such setting")
        changed = self.facts.classes[label].model_copy(update={"enter": value})
        self.facts = replace(self.facts, classes={**self.facts.classes, label: changed}, changed=(key,))
        for follower in self.followers:
            follower(self.facts)


@dataclass
class Served:
    """A server and what stands behind it."""

    outbox: Outbox
    backend: Backend
    port: int
    server: PageServer
    settings: Settings

    def ask(
        self, path: str, method: str = "GET", body: object = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in lower case and body of an answer."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)) as connection:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path, sent, named)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()

    def json(self, path: str, method: str = "GET", body: object = None, **headers: str) -> tuple[int, Any]:
        status, _, text = self.ask(path, method, body, **headers)
        return status, json.loads(text)

    def live(self, **headers: str) -> ClientConnection:
        url = f"ws://127.0.0.1:{self.port}/api/live"
        return connect(url, additional_headers=headers, open_timeout=PATIENCE_S, proxy=None)

    def hop(self, number: int, **changes: Any) -> HopResult:
        values = {
            "position": number * 4000,
            "time_s": number * HOP_S,
            "scores": np.array([0.2, 0.1], np.float32),
            "level": Level(-40.0, -30.0, -60.0, 0),
            "features": np.random.default_rng(number).normal(size=(12, 64)).astype(np.float32),
            "embedding": np.full(4, number, np.float32),
            **changes,
        }
        hop = HopResult(**values)
        self.backend.keeper.on_hop("mic", hop)
        self.backend.hub.on_hop("mic", hop)
        return hop


@contextmanager
def served(
    folder: Path, *, write: bool = False, rules: Rules | None = None, port: int | None = None
) -> Iterator[Served]:
    settings = ClassSettings(enter=0.5, exit=0.3)
    classes = dict.fromkeys(LABELS, settings)
    running = Settings(Facts("balcony", "0", "ear", "1", LABELS, classes, {}, HOP_S, adjustable=True))
    health = Health("listening", "0", "ear", "1", uptime_s=1.0)
    with ExitStack() as stack:
        outbox = stack.enter_context(closing(Outbox(folder / "history.db")))
        notebook = Notebook(outbox)
        keeper = MomentKeeper(
            notebook, LABELS, classes, rate=16000, hop_s=HOP_S, pictures=True, model="ear 1"
        )
        status = lambda: Status(health, True)  # noqa: E731
        hub = Hub(lambda: running.facts, status, write=write)
        backend = Backend(
            facts=lambda: running.facts,
            status=status,
            reader=stack.enter_context(closing(HistoryReader(outbox.path))),
            notebook=notebook,
            keeper=keeper,
            hub=hub,
            rules=rules or Rules(),
            write=write,
            apply=running.apply,
        )
        running.followers.append(hub.on_facts)
        port = port or free_port()
        server = PageServer(backend, bind("127.0.0.1", port, "web.port"))
        stack.enter_context(closing(server))
        yield Served(outbox, backend, port, server, running)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
