"""Supervises a live monitor from the main thread and reports its state."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from monitor import __version__
from monitor.clips.writer import ClipWriter
from monitor.delivery.mqtt.publisher import MqttPublisher
from monitor.delivery.payloads import Health
from monitor.delivery.store.outbox import Outbox
from monitor.delivery.store.writer import EventWriter
from monitor.errors import AudioError, MonitorError, OutboxError
from monitor.health.systemd import Systemd
from monitor.health.vitals import SourceState, Vitals

log = logging.getLogger(__name__)

_HEALTH_S = 60.0
"""Maximum interval between health messages, seconds; they are also sent on every change."""
_DROPPED_S = 5.0
"""Interval between health messages while audio is being lost, seconds."""
_SLACK_S = 5.0
"""Seconds without activity, beyond the permitted stall, that a busy machine may cause."""
_HANGS_S = 60.0
"""Seconds without activity, beyond the permitted stall, after which the audio path counts as hung."""
_STOPPED_S = 30.0
"""Seconds between two checks after which the whole process was stopped, not the audio path alone.

A check itself may wait for a locked history, for a few seconds.
"""


class Worker(Protocol):
    """A thread that must not end while the monitor runs."""

    @property
    def alive(self) -> bool: ...


@dataclass(frozen=True)
class Watched:
    """The supervised components; None stands for what there is not."""

    model: str
    model_version: str
    vitals: Vitals
    outbox: Outbox
    writer: EventWriter
    publisher: MqttPublisher | None
    stall_s: float
    clips: ClipWriter | None = None
    workers: Mapping[str, Worker] = field(default_factory=dict)
    page: str | None = None


@dataclass(frozen=True)
class _Condition:
    """The part of the state of which every change is reported."""

    source: SourceState
    history: str | None
    connected: bool
    broker: str | None


class Supervisor:
    """Supervises one node in :meth:`check`, which the main thread calls a few times a second.

    Parameters
    ----------
    watched : Watched
        The supervised components.
    on_status : callable
        Called with a human-readable line when the microphone, history or broker status changes.
    monotonic : callable
        Monotonic clock, seconds.
    """

    def __init__(
        self,
        watched: Watched,
        on_status: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watched = watched
        self._on_status = on_status
        self._monotonic = monotonic
        self._prefix = watched.vitals.prefix
        self._told: _Condition | None = None
        self._told_at = -float("inf")
        self._told_dropped_s = 0.0
        self._checked_at = self._runs_since = -float("inf")
        self.status = f"{self._prefix}starting"
        """The last status line."""
        self.ready = False
        """Whether the first attempt to open the source has succeeded or failed."""

    def check(self) -> None:
        """Report what has changed or is due.

        Raises
        ------
        AudioError
            The audio path is hung.
        MonitorError
            A thread ended.
        """
        clips: dict[str, Worker] = {} if self._watched.clips is None else {"clips": self._watched.clips}
        for name, worker in {**self._watched.workers, **clips}.items():
            if not worker.alive:
                raise MonitorError(
                    f"{self._prefix}the thread {name} ended unexpectedly; start sound-monitor again"
                )
        vitals, now = self._watched.vitals, self._monotonic()
        if now - self._checked_at > _STOPPED_S:
            self._runs_since = now
        self._checked_at = now
        limit_s = self._watched.stall_s + _HANGS_S
        if min(vitals.idle_s, now - self._runs_since) > limit_s:
            raise AudioError(
                f"{self._prefix}the audio path has hung for {limit_s:.0f} s; start sound-monitor again"
            )
        condition = self._condition()
        if condition != self._told:
            self._tell(condition)
        dropping = vitals.dropped_s > self._told_dropped_s
        if condition != self._told or now - self._told_at >= (_DROPPED_S if dropping else _HEALTH_S):
            self._publish(condition, now)
        self._told = condition

    @property
    def health(self) -> Health:
        """Current state of the monitor; may be read from any thread."""
        return self._health(self._condition())

    @property
    def trouble(self) -> str | None:
        """Why the monitor does not hear anything, in one line; None if it does, or is switched off.

        A broker that is away is no trouble: events wait for it.
        """
        vitals = self._watched.vitals
        source = vitals.source
        if vitals.idle_s > self._watched.stall_s + _SLACK_S:
            return f"the audio path has not answered for {vitals.idle_s:.0f} s"
        if source.state in ("starting", "lost"):
            return f"microphone: {source.state}{f' ({source.reason})' if source.reason else ''}"
        if source.state == "listening" and vitals.inference_s is None:
            return "the model has not run yet"
        return None

    def _condition(self) -> _Condition:
        watched = self._watched
        publisher = watched.publisher
        return _Condition(
            source=watched.vitals.source,
            history=watched.writer.failed or watched.outbox.damage,
            connected=publisher is not None and publisher.connected,
            broker=None if publisher is None else publisher.last_error,
        )

    def _tell(self, condition: _Condition) -> None:
        self.status = f"{self._prefix}{_in_words(condition, published=self._watched.publisher is not None)}"
        self.ready |= condition.source.state != "starting"
        self._on_status(self.status)

    def _publish(self, condition: _Condition, now: float) -> None:
        watched, vitals = self._watched, self._watched.vitals
        if vitals.dropped_s > self._told_dropped_s:
            lost_s = vitals.dropped_s
            log.warning("%sthis machine is too slow: %.1f s of audio lost so far", self._prefix, lost_s)
        self._told_at, self._told_dropped_s = now, vitals.dropped_s
        if watched.publisher is not None:
            watched.publisher.publish_health(self._health(condition))

    def _health(self, condition: _Condition) -> Health:
        watched, vitals = self._watched, self._watched.vitals
        return Health(
            microphone=condition.source.state,
            reason=condition.source.reason,
            version=__version__,
            model=watched.model,
            model_version=watched.model_version,
            uptime_s=vitals.uptime_s,
            dropped_s=vitals.dropped_s,
            overflows=vitals.overflows,
            inference_ms=None if vitals.inference_s is None else 1000 * vitals.inference_s,
            delay_s=vitals.delay_s,
            queue=_count(watched.outbox.pending_count),
            dropped_events=watched.writer.dropped,
            dropped_clips=0 if watched.clips is None else watched.clips.dropped,
            expired=_count(watched.outbox.expired_count),
            history=condition.history,
            broker=condition.broker,
            page=watched.page,
        )


class ServiceReport:
    """Reports all nodes to the service manager as one service; call :meth:`check` after theirs.

    A node that hangs raises in its own check, so that the watchdog is told of all or none.

    Parameters
    ----------
    supervisors : sequence of Supervisor
        Those of the nodes.
    systemd : Systemd
        The service manager to notify.
    monotonic : callable
        Monotonic clock, seconds.
    """

    def __init__(
        self,
        supervisors: Sequence[Supervisor],
        systemd: Systemd,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._supervisors = tuple(supervisors)
        self._systemd = systemd
        self._monotonic = monotonic
        self._status = ""
        self._ready = False
        self._watchdog_at = -float("inf")

    def check(self) -> None:
        """Report what has changed or is due."""
        status = " | ".join(one.status for one in self._supervisors)
        ready = all(one.ready for one in self._supervisors)
        if (status, ready) != (self._status, self._ready):
            self._systemd.tell(f"STATUS={status}", *(["READY=1"] if ready and not self._ready else []))
            self._status, self._ready = status, ready
        now = self._monotonic()
        if self._systemd.watchdog_s is not None and now - self._watchdog_at >= self._systemd.watchdog_s / 3:
            self._watchdog_at = now
            self._systemd.tell("WATCHDOG=1")

    def stopping(self) -> None:
        self._systemd.tell("STOPPING=1")


def _count(rows: Callable[[], int]) -> int:
    try:
        return rows()
    except OutboxError:
        return 0  # `history` gives the reason


def _in_words(condition: _Condition, *, published: bool) -> str:
    source = condition.source
    words = [f"{source.state} ({source.reason})" if source.reason else source.state]
    if published:
        words.append("mqtt: connected" if condition.connected else condition.broker or "mqtt: connecting")
    if condition.history:
        words.append(condition.history)
    return "; ".join(words)
