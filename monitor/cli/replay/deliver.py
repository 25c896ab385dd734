"""Store and publish the events of a replay, and wait for the broker."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from monitor import __version__
from monitor.cli.show.text import count_text
from monitor.config.load import Config
from monitor.delivery.payloads import Health
from monitor.errors import OutboxError, PublishError
from monitor.service.delivery import Delivery, DeliveryOptions, open_delivery
from monitor.service.publishing import client_id
from monitor.stream.assembly import Assembly

log = logging.getLogger(__name__)

_GREETING_S = 2.0
"""How long a replay waits for the broker before its first hop."""

_SOON_S = 1.0
"""How long a replay waits for the broker before it prints a notice."""

_DISK_S = 60.0
"""How long the disk may take for the last records."""


@contextmanager
def replay_delivery(
    config: Config, assembly: Assembly, *, node: str, history: Path | None, mqtt: bool, states: bool
) -> Iterator[Delivery]:
    """Open the history and, with ``mqtt``, the way to the broker; see :class:`DeliveryOptions`.

    Raises
    ------
    UsageError
        Another process uses the history.
    ConfigError, OutboxError, PublishError
        The settings, the history or the embedded broker are unusable.
    """
    # A client id of its own, so that it can run beside a monitor and beside another replay.
    client = f"{client_id(config)}-replay-{token_hex(4)}"
    options = DeliveryOptions(node, client, history, mqtt, states, live=False)
    with open_delivery(config, assembly, options) as delivery:
        if delivery.publisher is not None:
            if states:
                card = assembly.model.card
                health = Health("listening", __version__, card.name, card.version, uptime_s=0.0)
                delivery.publisher.publish_health(health)
            # States change fast in a replay: without a connection the first ones would be lost.
            delivery.publisher.wait_connected(min(_GREETING_S, config.settings.mqtt.timeout_s))
        yield delivery


def connection_status(config: Config, delivery: Delivery) -> str:
    """Return the state of the connection in one line."""
    publisher = delivery.publisher
    if publisher is None:
        return "kept in the history, not published"
    where = f"mqtt {config.settings.mqtt.host}:{config.settings.mqtt.port}"
    if publisher.connected:
        return f"{where}: connected"
    return publisher.last_error or f"{where}: connecting"


def finish(delivery: Delivery, timeout_s: float) -> None:
    """Return when all records are on the disk and acknowledged by the broker.

    Parameters
    ----------
    timeout_s : float
        Seconds without an acknowledgement after which to give up.

    Raises
    ------
    OutboxError
        The disk does not take the records.
    PublishError
        The broker acknowledged nothing for ``timeout_s``.
    """
    if not delivery.writer.flush(_DISK_S):
        raise OutboxError(f"history: the disk did not take the events within {_DISK_S:.0f} s")
    publisher = delivery.publisher
    if publisher and not publisher.wait_delivered(min(_SOON_S, timeout_s)):
        log.info("waiting for the broker, at most %g s; Ctrl-C gives up", timeout_s)
    if publisher is None or (
        publisher.wait_delivered(timeout_s)
        and publisher.wait_connected(timeout_s)
        and publisher.close(timeout_s)
    ):
        return
    reason = publisher.last_error or "mqtt: the broker is silent"
    left = count_text(delivery.outbox.pending_count(), "record")
    raise PublishError(f"{reason} ({left} without an acknowledgement after {timeout_s:g} s)")
