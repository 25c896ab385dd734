"""Wires up the history and the connection to the broker, for both ``run`` and ``replay``.

``Delivery → EventWriter → Outbox → MqttPublisher → broker``, alongside the announcer, which keeps
the retained topics up to date.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from monitor.config.load import Config
from monitor.control.commands import Commands
from monitor.control.control import Control
from monitor.delivery.broker.embedded import Login
from monitor.delivery.mqtt.announcer import Announcer
from monitor.delivery.mqtt.link import connector
from monitor.delivery.mqtt.publisher import MqttPublisher, Retained
from monitor.delivery.store.lock import ProcessLock
from monitor.delivery.store.outbox import Outbox
from monitor.delivery.store.recovery import LastingDatabase
from monitor.delivery.store.retention import Retention
from monitor.delivery.store.writer import EventWriter
from monitor.delivery.topics import Topics
from monitor.errors import OutboxError
from monitor.history.levels import LevelHistory
from monitor.level.minutes import Minute
from monitor.listeners import Listener
from monitor.records import EventRecord, HopResult
from monitor.service.housekeeping import Housekeeper, limits
from monitor.service.nodes import Nodes
from monitor.service.noise import NoiseKeeper
from monitor.service.presence import Presence
from monitor.service.publishing import broker, topics
from monitor.service.supervisor import Worker
from monitor.stream.assembly import Assembly
from monitor.stream.recorder import cut_off

log = logging.getLogger(__name__)

_CHECK_S = 0.25
_CLOSE_LIVE_S = 5.0
_CLOSE_REPLAY_S = 1.0
"""Time limits for closing the connection, seconds; a replay has already waited for its records."""


@dataclass(frozen=True)
class DeliveryOptions:
    """What is stored and published.

    Parameters
    ----------
    node : str
        Node name used in the topics.
    client_id : str
        MQTT client id; only one process at a time may use it.
    history : Path or None
        Path of the database; None uses a temporary one that is deleted at the end.
    mqtt : bool
        Publish the events.
    states : bool
        Also publish the retained topics (states, status, health, discovery) and the level.
    live : bool
        Daemon rather than replay: the broker announces its disappearance, and if the disk is too
        slow, the newest records are dropped and counted instead of making the reader wait.
    beside : tuple of Topics
        The other nodes of this process, which an embedded broker protects too.
    login : Login or None
        The credentials at an embedded broker that another node runs.
    """

    node: str
    client_id: str
    history: Path | None
    mqtt: bool
    states: bool
    live: bool
    beside: tuple[Topics, ...] = ()
    login: Login | None = None


@dataclass(frozen=True)
class Delivery(Listener):
    """Passes records to the disk and on to the broker.

    Parameters
    ----------
    outbox : Outbox
        The history.
    writer : EventWriter
        Writes records to the history.
    noise : NoiseKeeper
        Stores and publishes the noise of each minute.
    housekeeper : Housekeeper or None
        Keeps the history within its bounds; None in a replay.
    publisher : MqttPublisher or None
        None if nothing is published.
    announcer : Announcer or None
        None if no retained topics are published.
    nodes : Nodes or None
        The other nodes on the broker; None if nobody looks.
    login : Login or None
        The credentials at the embedded broker, for the next node.
    """

    outbox: Outbox
    writer: EventWriter
    noise: NoiseKeeper
    housekeeper: Housekeeper | None = None
    publisher: MqttPublisher | None = None
    announcer: Announcer | None = None
    nodes: Nodes | None = None
    login: Login | None = None

    @property
    def connected(self) -> bool | None:
        """Whether the broker is connected; None if nothing is published."""
        return None if self.publisher is None else self.publisher.connected

    @property
    def next_seq(self) -> int:
        """Sequence number for the first new record."""
        return self.outbox.next_seq()

    @property
    def workers(self) -> dict[str, Worker]:
        """The threads that must not end while the monitor runs, by name."""
        found: dict[str, Worker | None] = {
            "event-writer": self.writer,
            "noise": self.noise,
            "housekeeping": self.housekeeper,
            "mqtt": self.publisher,
        }
        return {name: worker for name, worker in found.items() if worker is not None}

    def on_hop(self, file: str, hop: HopResult) -> None:
        if self.announcer is not None:
            self.announcer.on_hop(file, hop)

    def on_record(self, record: EventRecord) -> None:
        if self.announcer is not None:
            self.announcer.on_record(record)
        self.writer.put(record)

    def on_minute(self, minute: Minute) -> None:
        self.noise.on_minute(minute)

    def on_off(self) -> None:
        if self.announcer is not None:
            self.announcer.on_off()

    def finish(self, timeout_s: float, stop: threading.Event) -> None:
        """Wait until all records are acknowledged, ``stop`` is set, or ``timeout_s`` has passed."""
        deadline, publisher = time.monotonic() + timeout_s, self.publisher
        try:
            self.writer.flush(timeout_s)
            while publisher is not None and not publisher.wait_delivered(_CHECK_S):
                if stop.is_set() or time.monotonic() > deadline:
                    waiting, why = self.outbox.pending_count(), publisher.last_error or "mqtt: no answer"
                    log.warning("%d records wait in the history for the broker (%s)", waiting, why)
                    return
        except OutboxError as error:
            log.warning("%s", error)

    def catch_up(self) -> None:
        """Correct the states whose events did not reach the disk in time."""
        if self.announcer is not None:
            self.announcer.catch_up()


@contextmanager
def open_delivery(
    config: Config, assembly: Assembly, options: DeliveryOptions, control: Control | None = None
) -> Iterator[Delivery]:
    """Open the history and, with ``options.mqtt``, the connection to the broker.

    On exit, queued records are written and then sent as far as time allows.

    Parameters
    ----------
    config : Config
        The configuration.
    assembly : Assembly
        The model and what it reports.
    options : DeliveryOptions
        What is stored and published.
    control : Control or None
        Provides the settings that are published and can be changed by commands; None in a replay.

    Yields
    ------
    Delivery
        Accepts the records.

    Raises
    ------
    UsageError
        Another process is using the history.
    ConfigError, OutboxError, PublishError
        The settings, the history or the embedded broker are unusable.
    """
    with ExitStack() as stack:
        outbox = stack.enter_context(_history(options))
        housekeeper = None
        if options.live:
            retention = Retention(outbox, limits(config, delivers=options.mqtt))
            housekeeper = stack.enter_context(closing(Housekeeper(retention)))
        if not options.mqtt:
            writer = stack.enter_context(closing(EventWriter(outbox, wait=not options.live)))
            noise = stack.enter_context(closing(NoiseKeeper(LevelHistory(outbox), wait=not options.live)))
            yield Delivery(outbox, writer, noise, housekeeper)
            return
        nodes = Nodes(config.settings.mqtt.base_topic, options.node) if config.settings.web.enabled else None
        publisher, login = stack.enter_context(_publisher(config, assembly, options, outbox, control, nodes))
        announcer = Announcer(publisher, config.settings.mqtt.level_interval_s) if options.states else None
        # A state is announced before its event is sent.
        committed = [publisher.on_recorded]
        if announcer is not None:
            committed.insert(0, announcer.on_committed)
        writer = stack.enter_context(closing(EventWriter(outbox, committed, wait=not options.live)))
        publish = publisher.publish_noise if options.states else None
        noise = NoiseKeeper(LevelHistory(outbox), publish, wait=not options.live)
        stack.enter_context(closing(noise))
        publisher.start()
        yield Delivery(outbox, writer, noise, housekeeper, publisher, announcer, nodes, login)


@contextmanager
def _history(options: DeliveryOptions) -> Iterator[Outbox]:
    """Open the history: live, whatever its disk does; in a replay, or raise."""
    with ExitStack() as stack:
        if options.history is not None and options.live:
            # One lock, by whatever link the file is reached.
            database = LastingDatabase(Path(os.path.realpath(options.history)))
            outbox = stack.enter_context(closing(Outbox(database)))
            database.on_open(partial(_end_what_was_cut_off, outbox))
            yield outbox
            return
        path = options.history
        if path is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sound-monitor-"))
            path = Path(folder) / "history.db"
        else:
            stack.enter_context(ProcessLock(path))
        outbox = stack.enter_context(closing(Outbox(path)))
        _end_what_was_cut_off(outbox)
        yield outbox


def _end_what_was_cut_off(outbox: Outbox) -> None:
    """End the events that an earlier process left open when it was killed."""
    try:
        starts = outbox.open_starts()
        outbox.append_all(cut_off(start, seq) for seq, start in enumerate(starts, outbox.last_seq() + 1))
        outbox.forget_open_starts()
    except OutboxError as error:
        log.error("%s; the events that the last run left open end at the next start", error)
        return
    if starts:
        log.warning("the last run was cut off; ended its open events: %s", ", ".join(s.label for s in starts))


@contextmanager
def _publisher(
    config: Config,
    assembly: Assembly,
    options: DeliveryOptions,
    outbox: Outbox,
    control: Control | None,
    nodes: Nodes | None,
) -> Iterator[tuple[MqttPublisher, Login | None]]:
    names = topics(config, options.node, assembly.possible_labels)
    with broker(config, options.client_id, (names, *options.beside), options.login) as settings:
        publisher = MqttPublisher(
            connector(settings), names, outbox, Retained(lwt=options.live, states=options.states)
        )
        if options.states:
            _show(Presence(config, names, publisher), assembly, control, nodes)
        embedded = config.settings.mqtt.broker == "embedded"
        login = Login(settings.username or "", settings.password or "") if embedded else None
        try:
            yield publisher, login
        finally:
            publisher.close(_CLOSE_LIVE_S if options.live else _CLOSE_REPLAY_S)


def _show(presence: Presence, assembly: Assembly, control: Control | None, nodes: Nodes | None) -> None:
    if control is None:
        presence.show(assembly)
    else:
        control.follow(presence.follow)
    presence.subscribe(None if control is None else Commands(control), nodes)
