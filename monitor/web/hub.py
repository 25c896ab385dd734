"""Sends live messages to all viewers; a slow viewer loses messages without affecting the others.

Hops come from a thread of the monitor; viewers live in the server's event loop. Without viewers, a hop
costs storing one reference.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from monitor.listeners import Listener
from monitor.records import EventRecord, HopResult, Near, held_back
from monitor.web.facts import Facts, FactsNow, Node, StatusNow
from monitor.web.wire import HopWriter, event_message, near_json

MOST_VIEWERS = 200
QUEUE = 16
"""Messages that wait for one viewer; the oldest goes."""

_WAITING = 64
"""Messages that wait for the event loop."""

_STATUS_S, _PATIENCE_S = 2.0, 0.5
"""Interval of the status, and how much longer it waits for a hop: one awakening for both costs less."""

_NEAR = 50
"""Number of recent reasons sent to a new viewer."""


class Viewer:
    """The queue of one connection; used only by the event loop."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._changed = asyncio.Event()
        self._left = False
        self.dropped = 0

    def put(self, message: str) -> bool:
        """Queue a message; return False if an older one was dropped for it."""
        full = len(self._waiting) >= QUEUE
        if full:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(message)
        self._changed.set()
        return not full

    async def get(self) -> str | None:
        """Return the oldest message, waiting for it; None once the viewer has left."""
        while not self._waiting and not self._left:
            self._changed.clear()
            await self._changed.wait()
        return None if self._left else self._waiting.popleft()

    def leave(self) -> None:
        self._left = True
        self._changed.set()


class Hub(Listener):
    """Receives the results of the stream and distributes them to the viewers.

    Parameters
    ----------
    write
        Whether viewers may change anything.
    nodes
        Returns the other nodes seen on the broker.
    utc
        Clock, seconds since 1970.
    """

    def __init__(
        self,
        facts: FactsNow,
        status: StatusNow,
        *,
        write: bool = False,
        nodes: Callable[[], Sequence[Node]] = tuple,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self._facts = facts
        self._write = write
        self._nodes = nodes
        self._status = status
        self._utc = utc
        self._writer = HopWriter(facts().hop_s)
        self._viewers: set[Viewer] = set()
        self._waiting: deque[tuple[float, HopResult] | EventRecord | Facts] = deque(maxlen=_WAITING)
        self._scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._status_due = 0.0
        self._near: deque[tuple[float, Any]] = deque(maxlen=_NEAR)
        self._events: dict[str, EventRecord] = {}
        self.latest: HopResult | None = None
        self.dropped = 0
        """Messages that viewers did not take in time."""
        self.started: dict[str, int] = {}
        """Events begun since the start, by label."""
        self.near: dict[tuple[str, str], int] = {}
        """Hops since the start in which a class came near, by label and reason."""
        self.clipped = 0
        """Clipped samples since the start."""

    @property
    def viewers(self) -> int:
        return len(self._viewers)

    @property
    def active(self) -> set[str]:
        """The labels that are on."""
        return {record.label for record in tuple(self._events.values())}

    def on_hop(self, file: str, hop: HopResult) -> None:
        self.latest = hop
        self.clipped += hop.level.clipped
        if hop.near:
            now = self._utc()
            for near in hop.near:
                self._count_near(near)
            self._near.extend((now, near) for near in hop.near)
        if self._viewers:
            self._wait((self._utc(), hop))

    def on_record(self, record: EventRecord) -> None:
        if record.type == "start":
            self.started[record.label] = self.started.get(record.label, 0) + 1
            self._events[record.event_id] = record
            if (near := held_back(record)) is not None:
                self._near.append((self._utc(), near))
                self._count_near(near)
        else:
            self._events.pop(record.event_id, None)
        if self._viewers:
            self._wait(record)

    def on_facts(self, facts: Facts) -> None:
        """Take over changed settings."""
        if self._viewers:
            self._wait(facts)

    @contextmanager
    def viewer(self) -> Iterator[Viewer]:
        """Register a viewer while it is connected; called in the event loop."""
        viewer = Viewer()
        viewer.put(self._status_message())
        self._loop = asyncio.get_running_loop()
        if self._timer is None:
            self._time_status(self._loop)
        self._viewers.add(viewer)
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)

    def hello(self) -> str:
        """Return the first message of a connection, with all that a page needs before the next hop."""
        near = [{"utc": round(at, 3), **near_json(one)} for at, one in tuple(self._near)]
        events = [asdict(record) for record in tuple(self._events.values())]
        hello = {
            "type": "hello",
            "facts": self._facts().as_json(write=self._write),
            "near": near,
            "open": events,
        }
        return json.dumps(hello)

    def _status_message(self) -> str:
        nodes = [asdict(node) for node in self._nodes()]
        return json.dumps({"type": "status", **self._status().as_json(), "nodes": nodes})

    def _count_near(self, near: Near) -> None:
        key = near.label, near.reason
        self.near[key] = self.near.get(key, 0) + 1

    def _wait(self, item: tuple[float, HopResult] | EventRecord | Facts) -> None:
        self._waiting.append(item)
        if not self._scheduled and self._loop is not None:
            self._scheduled = True
            with suppress(RuntimeError):  # the loop is closed, so there are no viewers left
                self._loop.call_soon_threadsafe(self._tell_waiting)

    def _tell_status(self) -> None:
        """Send the status, and again after an interval: with the next hop, or by a timer without one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._viewers and self._loop is not None:
            self._tell(self._status_message())
            self._time_status(self._loop)

    def _time_status(self, loop: asyncio.AbstractEventLoop) -> None:
        self._status_due = loop.time() + _STATUS_S
        self._timer = loop.call_at(self._status_due + _PATIENCE_S, self._tell_status)

    def _tell_waiting(self) -> None:
        self._scheduled = False
        if self._loop is not None and self._loop.time() >= self._status_due:
            self._tell_status()
        while self._waiting:
            item = self._waiting.popleft()
            if isinstance(item, EventRecord):
                self._tell(event_message(item))
                if (near := held_back(item)) is not None:
                    one = {"utc": round(self._utc(), 3), **near_json(near)}
                    self._tell(json.dumps({"type": "near", "near": one}))
            elif isinstance(item, Facts):
                self._tell(json.dumps({"type": "facts", "facts": item.as_json(write=self._write)}))
            else:
                utc, hop = item
                self._tell(self._writer.write(hop, utc))

    def _tell(self, message: str) -> None:
        for viewer in self._viewers:
            if not viewer.put(message):
                self.dropped += 1
