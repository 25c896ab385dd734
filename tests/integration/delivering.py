"""The delivery side of a monitor, as the daemon wires it, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mosquitto import PATIENCE_S
from samples import record

from monitor.delivery.mqtt.connection import BrokerSettings
from monitor.delivery.mqtt.link import connector
from monitor.delivery.mqtt.publisher import MqttPublisher, Retained
from monitor.delivery.payloads import Health
from monitor.delivery.store.outbox import Outbox
from monitor.delivery.store.writer import EventWriter
from monitor.delivery.topics import Topics

TOPICS = Topics("sound-monitor", "balcony", ("siren", "dog_bark"))

HEALTH = Health("listening", "0.1.0", "urban-sounds", "0.1.0", uptime_s=60.0)


def broker(port: int, **changes: object) -> BrokerSettings:
    return BrokerSettings(
        **{
            "host": "127.0.0.1",
            "port": port,
            "client_id": "monitor",
            "keepalive_s": 5,
            "version": "3.1.1",
            **changes,
        }
    )


@dataclass
class Delivery:
    outbox: Outbox
    publisher: MqttPublisher
    writer: EventWriter

    def put(self, *seqs: int) -> None:
        for seq in seqs:
            self.writer.put(record(seq))

    def wait(self) -> None:
        assert self.writer.flush(PATIENCE_S)
        assert self.publisher.wait_delivered(PATIENCE_S), self.publisher.last_error


@contextmanager
def delivery(path: Path, settings: BrokerSettings, retained: Retained | None = None) -> Iterator[Delivery]:
    outbox = Outbox(path)
    publisher = MqttPublisher(connector(settings), TOPICS, outbox, retained or Retained())
    publisher.start()
    writer = EventWriter(outbox, [publisher.on_recorded])
    try:
        yield Delivery(outbox, publisher, writer)
    finally:
        writer.close()
        publisher.close()
        outbox.close()
