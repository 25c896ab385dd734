"""Keeps the broker's topics up to date: active sounds, whether the monitor is listening, and levels."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from monitor.delivery.mqtt.feed import LATE_S
from monitor.delivery.mqtt.levels import LevelSpan
from monitor.listeners import Listener
from monitor.records import EventRecord, HopResult, Level, Near, held_back

_NEAR_S = 5.0
"""Minimum interval between near messages, seconds."""


class Board(Protocol):
    """The receiver of the announcements; see :class:`monitor.delivery.mqtt.publisher.MqttPublisher`."""

    def set_state(self, label: str, on: bool, record: EventRecord | None = None) -> None: ...

    def set_online(self, online: bool) -> None: ...

    def publish_level(self, level: Level) -> None: ...

    def publish_near(self, near: Iterable[Near]) -> None: ...


class Announcer(Listener):
    """Publishes a state once its event is on disk; late events do not change the state.

    If the disk accepts records late or not at all, states follow the detections without waiting
    for it, a few seconds later (:meth:`catch_up`). Thread-safe; never blocks.

    Parameters
    ----------
    board : Board
        Receives states, levels and near misses.
    level_interval_s : float
        Minimum interval between levels, seconds; 0 publishes neither levels nor near misses.
    monotonic : callable
        Monotonic clock, seconds.
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
        self._recent: deque[tuple[float, int]] = deque()  # within the last LATE_S seconds
        self._late_seq = 0
        self._heard: dict[str, tuple[bool, float]] = {}
        self._told: dict[str, bool] = {}

    def on_hop(self, file: str, hop: HopResult) -> None:
        """Go online, as audio is flowing and the model has run, and collect level and near misses."""
        if not self._online:
            self._online = True
            self._board.set_online(True)
        now = self._monotonic()
        if self._level_interval_s:
            self._collect_level(hop.level, now)
            self._collect_near(hop.near, now)

    def on_off(self) -> None:
        """Go online: the monitor is working but has been switched off."""
        if not self._online:
            self._online = True
            self._board.set_online(True)

    def on_record(self, record: EventRecord) -> None:
        """Note a detected event that is not on disk yet."""
        with self._lock:
            now = self._monotonic()
            self._recent.append((now, record.seq))
            self._forget_old(now)
            self._heard[record.label] = record.type == "start", now
        if record.type == "start":
            self._near.pop(record.label, None)
            if (near := held_back(record)) is not None:
                self._near[record.label] = near

    def on_committed(self, record: EventRecord) -> None:
        """Publish the state of an event that is now on disk, unless it is late."""
        with self._lock:
            self._forget_old(self._monotonic())
            if record.seq > self._late_seq:
                self._tell(record.label, record.type == "start", record)

    def catch_up(self) -> None:
        """Correct the states whose events did not reach the disk in time."""
        with self._lock:
            now = self._monotonic()
            for label, (on, since) in self._heard.items():
                if now - since > LATE_S and self._told.get(label, False) != on:
                    self._tell(label, on, None)

    def _collect_level(self, level: Level, now: float) -> None:
        """Publish the aggregated level of the hops since the last message, when due."""
        self._span.push(level)
        if now >= self._level_due:
            self._level_due = now + self._level_interval_s
            self._board.publish_level(self._span.take())

    def _collect_near(self, near: Iterable[Near], now: float) -> None:
        """Publish the nearest miss of each label since the last message, when due."""
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
