"""Keeps the retained topics true: who is on now, whether somebody listens, how loud it is."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from monitor.delivery.feed import LATE_S
from monitor.delivery.levels import LevelSpan
from monitor.listeners import Listener
from monitor.records import EventRecord, HopResult, Level, Near

_NEAR_S = 5.0
"""At least so long between two messages of what came near."""


class Board(Protocol):
    """What is told here; see :class:`monitor.delivery.mqtt.MqttPublisher`."""

    def set_state(self, label: str, on: bool, record: EventRecord | None = None) -> None: ...

    def set_online(self, online: bool) -> None: ...

    def publish_level(self, level: Level) -> None: ...

    def publish_near(self, near: Iterable[Near]) -> None: ...


class Announcer(Listener):
    """Tells a state once its event is on the disk; a late event tells nothing.

    When the disk takes records late or not at all, states follow what is heard without
    them, some seconds later (:meth:`catch_up`). Safe to use from any thread; never blocks.

    Parameters
    ----------
    level_interval_s : at least so long between levels, seconds; 0 = neither levels nor what came near
    monotonic : clock, seconds
    """

    def __init__(
        self, board: Board, level_interval_s: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._board = board
        self._level_interval_s = level_interval_s
        self._level_due = -float("inf")
        self._span = LevelSpan()
        self._near: dict[str, Near] = {}
        self._near_due = -float("inf")
        self._monotonic = monotonic
        self._online = False
        self._lock = threading.Lock()
        self._recent: deque[tuple[float, int]] = deque()  # of the last LATE_S seconds
        self._late_seq = 0
        self._heard: dict[str, tuple[bool, float]] = {}
        self._told: dict[str, bool] = {}

    def on_hop(self, file: str, hop: HopResult) -> None:
        """Audio flows and the model has run."""
        if not self._online:
            self._online = True
            self._board.set_online(True)
        now = self._monotonic()
        if self._level_interval_s:
            self._collect_level(hop.level, now)
            self._collect_near(hop.near, now)

    def on_off(self) -> None:
        """The monitor works, and is told not to listen."""
        if not self._online:
            self._online = True
            self._board.set_online(True)

    def on_record(self, record: EventRecord) -> None:
        """It was heard; it is not on the disk yet."""
        with self._lock:
            now = self._monotonic()
            self._recent.append((now, record.seq))
            self._forget_old(now)
            self._heard[record.label] = record.type == "start", now
        if record.type == "start":
            self._near.pop(record.label, None)

    def on_committed(self, record: EventRecord) -> None:
        """It is on the disk."""
        with self._lock:
            self._forget_old(self._monotonic())
            if record.seq > self._late_seq:
                self._tell(record.label, record.type == "start", record)

    def catch_up(self) -> None:
        """Make states true whose events did not reach the disk in time."""
        with self._lock:
            now = self._monotonic()
            for label, (on, since) in self._heard.items():
                if now - since > LATE_S and self._told.get(label, False) != on:
                    self._tell(label, on, None)

    def _collect_level(self, level: Level, now: float) -> None:
        """Publish the level of all hops since the last message."""
        self._span.push(level)
        if now >= self._level_due:
            self._level_due = now + self._level_interval_s
            self._board.publish_level(self._span.take())

    def _collect_near(self, near: Iterable[Near], now: float) -> None:
        """Publish the row at which each label came nearest since the last message."""
        for one in near:
            if one.label not in self._near or one.score > self._near[one.label].score:
                self._near[one.label] = one
        if self._near and now >= self._near_due:
            self._near_due = now + _NEAR_S
            self._board.publish_near(tuple(self._near.values()))
            self._near.clear()

    def _tell(self, label: str, on: bool, record: EventRecord | None) -> None:
        self._told[label] = on
        self._board.set_state(label, on, record)

    def _forget_old(self, now: float) -> None:
        while self._recent and self._recent[0][0] < now - LATE_S:
            self._late_seq = self._recent.popleft()[1]
