"""A replay's records on their way to a history of its own and, if wanted, to the broker."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from monitor import __version__
from monitor.cli.text import count_text
from monitor.config.load import Config
from monitor.daemon import end_what_was_cut_off
from monitor.delivery.announcer import Announcer
from monitor.delivery.link import connector
from monitor.delivery.lock import ProcessLock
from monitor.delivery.mqtt import MqttPublisher, Retained
from monitor.delivery.outbox import Outbox
from monitor.delivery.payloads import Health
from monitor.delivery.writer import EventWriter
from monitor.errors import OutboxError, PublishError
from monitor.listeners import Listener
from monitor.records import EventRecord, HopResult
from monitor.service.publishing import announcement, broker_settings, client_id, embedded_broker, topics
from monitor.stream.assembly import Assembly

log = logging.getLogger(__name__)

_GREETING_S = 2.0
"""How long a replay waits for the broker before its first hop."""

_SOON_S = 1.0
"""When waiting for the broker is worth a word."""

_DISK_S = 60.0
"""How long the disk may take for the last records."""

_GIVE_UP_S = 1.0
"""How long leaving may take when delivery has failed or was broken off."""


@dataclass(frozen=True)
class DeliveryOptions:
    """What a replay keeps and publishes.

    history : the database; None = a temporary one
    mqtt : publish the events
    states : publish what is retained too: ON/OFF, attributes, status, health, discovery; and the level
    """

    node: str
    history: Path | None
    mqtt: bool
    states: bool


class Delivery(Listener):
    """Records to the disk, and on to the broker; the reader waits when the disk is slow.

    announcer : tells states, once their events are on the disk; None = nothing is retained
    where : the broker, for people
    """

    def __init__(
        self,
        outbox: Outbox,
        publisher: MqttPublisher | None = None,
        announcer: Announcer | None = None,
        where: str = "",
    ) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._announcer = announcer
        self._where = where
        told = [] if announcer is None else [announcer.on_committed]
        sent = [] if publisher is None else [publisher.on_recorded]
        self._writer = EventWriter(outbox, [*told, *sent], wait=True)
        self.first_seq = outbox.last_seq() + 1
        """Number for the first new record of this history."""

    def on_hop(self, file: str, hop: HopResult) -> None:
        if self._announcer is not None:
            self._announcer.on_hop(file, hop)

    def on_record(self, record: EventRecord) -> None:
        if self._announcer is not None:
            self._announcer.on_record(record)
        self._writer.put(record)

    @property
    def status(self) -> str:
        """How the connection is, in one line."""
        if self._publisher is None:
            return "kept in the history, not published"
        if self._publisher.connected:
            return f"{self._where}: connected"
        return self._publisher.last_error or f"{self._where}: connecting"

    def finish(self, timeout_s: float) -> None:
        """Return when all is on the disk and acknowledged by the broker.

        Raises
        ------
        OutboxError : the disk does not take the records
        PublishError : the broker acknowledged nothing for ``timeout_s``
        """
        if not self._writer.flush(_DISK_S):
            raise OutboxError(f"history: the disk did not take the events within {_DISK_S:.0f} s")
        publisher = self._publisher
        if publisher and not publisher.wait_delivered(min(_SOON_S, timeout_s)):
            log.info("waiting for the broker, at most %g s; Ctrl-C gives up", timeout_s)
        if publisher is None or (
            publisher.wait_delivered(timeout_s)
            and publisher.wait_connected(timeout_s)
            and publisher.close(timeout_s)
        ):
            return
        reason = publisher.last_error or "mqtt: the broker is silent"
        left = count_text(self._outbox.pending_count(), "record")
        raise PublishError(f"{reason} ({left} without an acknowledgement after {timeout_s:g} s)")

    def close(self) -> None:
        """Give up what is not delivered yet."""
        self._writer.close()
        if self._publisher is not None:
            self._publisher.close(_GIVE_UP_S)


@contextmanager
def replay_delivery(config: Config, assembly: Assembly, options: DeliveryOptions) -> Iterator[Delivery]:
    """Open the history and, with ``mqtt``, the way to the broker.

    Raises
    ------
    UsageError : another process uses the history
    OutboxError, ConfigError, PublishError : the history, the settings or the embedded broker are unusable
    """
    mqtt = config.settings.mqtt
    with ExitStack() as stack:
        outbox = stack.enter_context(_opened(options.history))
        if not options.mqtt:
            yield stack.enter_context(closing(Delivery(outbox)))
            return
        stack.enter_context(embedded_broker(config))
        publisher = _publisher(config, assembly, options, outbox)
        publisher.start()
        announcer = None
        if options.states:
            card = assembly.model.card
            publisher.publish_health(Health("listening", __version__, card.name, card.version, uptime_s=0.0))
            announcer = Announcer(publisher, mqtt.level_interval_s)
        where = f"mqtt {mqtt.host}:{mqtt.port}"
        delivery = stack.enter_context(closing(Delivery(outbox, publisher, announcer, where)))
        # States change fast here: those that change before the first connection are never heard of.
        publisher.wait_connected(min(_GREETING_S, mqtt.timeout_s))
        yield delivery


@contextmanager
def _opened(history: Path | None) -> Iterator[Outbox]:
    with ExitStack() as stack:
        if history is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sound-monitor-"))
            history = Path(folder) / "history.db"
        else:
            stack.enter_context(ProcessLock(history))
        outbox = stack.enter_context(closing(Outbox(history)))
        end_what_was_cut_off(outbox)
        yield outbox


def _publisher(config: Config, assembly: Assembly, options: DeliveryOptions, outbox: Outbox) -> MqttPublisher:
    # Beside a monitor that runs, and beside another replay: an id of its own.
    settings = broker_settings(config, f"{client_id(config)}-replay-{token_hex(4)}")
    names = topics(config, options.node, assembly.event_labels)
    retained = Retained(
        lwt=False,
        states=options.states,
        discovery=announcement(config, names) if options.states else None,
    )
    return MqttPublisher(connector(settings), names, outbox, retained)
