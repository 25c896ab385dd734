"""A real server on loopback with a history of its own, for tests."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from websockets.sync.client import ClientConnection, connect

from monitor.clips.folder import ClipFolder
from monitor.delivery.payloads import Health
from monitor.delivery.store.outbox import Outbox
from monitor.errors import ControlError
from monitor.history.background import BackgroundSample
from monitor.history.keeper import MomentKeeper
from monitor.history.notebook import Notebook
from monitor.history.reader import HistoryReader
from monitor.records import HopResult, Level
from monitor.settings import ClassSettings
from monitor.web.backend import Backend
from monitor.web.facts import Facts, Node, Status
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
        if key == "pause_s" and isinstance(value, float | int):
            until = time.time() + value if value else None
            self.facts = replace(self.facts, paused_until=until)
            for follower in self.followers:
                follower(self.facts)
            return
        label = key.removeprefix("classes.").removesuffix(".threshold")
        if label not in self.facts.classes or not isinstance(value, float):
            raise ControlError(f"{key}: no such setting")
        changed = self.facts.classes[label].model_copy(update={"enter": value})
        self.facts = replace(self.facts, classes={**self.facts.classes, label: changed}, changed=(key,))
        for follower in self.followers:
            follower(self.facts)


@dataclass
class Taught:
    """Stands for the heads of a running monitor."""

    stored: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, str, list[str]]] = field(default_factory=list)

    def heads(self) -> list[dict[str, Any]]:
        return self.stored

    def marks(self) -> dict[str, Any]:
        marks = [
            {"label": "gate", "right": 0, "missed": 5, "false_alarm": 0},
            {"label": "siren", "right": 2, "missed": 0, "false_alarm": 3},
        ]
        return {"marks": marks, "background_h": 1.5, "embedding": True}

    def teach(self, label: str, event_ids: Sequence[str], alarms_a_day: float) -> dict[str, Any]:
        self.asked.append(("sound", label, list(event_ids)))
        if label in LABELS:
            raise ControlError("the model has this label; choose another name")
        lines = ["taught    from 5 examples, 1.5 h of background", "recall    5 of 5", "alarms    0.0 a day"]
        return self._keep({"name": label, "kind": "sound", "label": label, "text": lines})

    def reject(self, label: str, event_ids: Sequence[str]) -> dict[str, Any]:
        self.asked.append(("reject", label, list(event_ids)))
        lines = [f"taught    from 3 false alarms of {label}", "rejects   3 of 3"]
        return self._keep({"name": f"not-{label}", "kind": "reject", "label": label, "text": lines})

    def remove(self, name: str, *, newest: bool) -> dict[str, Any] | None:
        found = [one for one in self.stored if one["name"] == name]
        self.stored = [one for one in self.stored if one["name"] != name]
        return {"name": name, "versions": 0} if found else None

    def _keep(self, head: dict[str, Any]) -> dict[str, Any]:
        whole = {**head, "version": "1", "versions": 1, "created": "", "model": "ear 1", "used": True}
        self.stored = [*self.stored, whole]
        return whole


@dataclass
class Served:
    """A server and what stands behind it."""

    outbox: Outbox
    backend: Backend
    port: int
    server: PageServer
    settings: Settings
    taught: Taught
    status: list[Status]
    """The one that is shown."""
    hops: int = 0
    """How many the page was given."""

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
            "labels": LABELS,
            **changes,
        }
        hop = HopResult(**values)
        self.backend.keeper.on_hop("mic", hop)
        self.backend.hub.on_hop("mic", hop)
        self.hops += 1
        return hop


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


@contextmanager
def served(
    folder: Path,
    *,
    write: bool = False,
    rules: Rules | None = None,
    port: int | None = None,
    clips: ClipFolder | None = None,
) -> Iterator[Served]:
    settings = ClassSettings(enter=0.5, exit=0.3)
    classes = dict.fromkeys(LABELS, settings)
    facts = Facts("balcony", "0", "ear", "1", LABELS, classes, {}, HOP_S, adjustable=True)
    running = Settings(replace(facts, pitches={"1 kHz": 0.4}))
    status = [Status(Health("listening", "0", "ear", "1", uptime_s=1.0), True)]
    with ExitStack() as stack:
        outbox = stack.enter_context(closing(Outbox(folder / "history.db")))
        notebook = Notebook(outbox)
        keeper = MomentKeeper(
            notebook,
            BackgroundSample(folder / "background.db", "ear 1"),
            classes,
            rate=16000,
            hop_s=HOP_S,
            pictures=True,
            model="ear 1",
        )
        taught = Taught()
        nodes = (Node("garage", "offline"), Node("kitchen", "online", "http://kitchen:8099/"))
        hub = Hub(lambda: running.facts, lambda: status[0], write=write, nodes=lambda: nodes)
        backend = Backend(
            facts=lambda: running.facts,
            status=lambda: status[0],
            reader=stack.enter_context(closing(HistoryReader(outbox.path))),
            notebook=notebook,
            keeper=keeper,
            hub=hub,
            rules=rules or Rules(),
            write=write,
            clips=clips,
            apply=running.apply,
            teaching=taught,
        )
        running.followers.append(hub.on_facts)
        port = port or free_port()
        server = PageServer(backend, bind("127.0.0.1", port, "web.port"))
        stack.enter_context(closing(server))
        yield Served(outbox, backend, port, server, running, taught, status)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
