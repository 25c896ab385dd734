"""Clears the retained messages of a node that no longer exists."""

from __future__ import annotations

import time
from collections.abc import Callable

from monitor.delivery.homeassistant.discovery import discovery_topic
from monitor.delivery.mqtt.board import Message
from monitor.delivery.mqtt.connection import Connection
from monitor.delivery.topics import Topics
from monitor.errors import PublishError, UsageError

_QUIET_S = 1.0
"""Seconds without a retained message after which all are taken to have arrived."""
_STEP_S = 0.2


def forget(
    link: Connection,
    topics: Topics,
    prefix: str,
    timeout_s: float,
    monotonic: Callable[[], float] = time.monotonic,
) -> list[str]:
    """Clear a node's retained topics and its discovery message; return the topics found.

    Parameters
    ----------
    link : Connection
        Link to the broker, not yet connected.
    topics : Topics
        Topics of the node.
    prefix : str
        Home Assistant's discovery prefix.
    timeout_s : float
        Time limit for the whole operation, seconds.

    Raises
    ------
    UsageError
        The node is online and would publish everything again.
    PublishError
        The broker cannot be used or does not acknowledge in time.
    """
    deadline = monotonic() + timeout_s
    link.connect()
    found = _retained(link, topics, deadline, monotonic)
    if found.get(topics.status) == b"online":
        raise UsageError(f"node {topics.node} is online; stop it first, or it publishes everything again")
    # The entities go first, so that they do not read the emptied topics.
    for topic in (discovery_topic(topics, prefix), *found):
        while link.room <= 0:
            _step(link, deadline, monotonic)
        link.publish(Message(topic, "", 1, True))
    while link.in_flight:
        _step(link, deadline, monotonic)
    link.disconnect()
    return sorted(found)


def _retained(
    link: Connection, topics: Topics, deadline: float, monotonic: Callable[[], float]
) -> dict[str, bytes]:
    """Return the payloads of all retained messages of the node, by topic."""
    link.subscribe([topics.all])
    found: dict[str, bytes] = {}
    quiet_since = monotonic()
    while monotonic() - quiet_since < _QUIET_S:
        _step(link, deadline, monotonic)
        for message in link.received():
            if message.retained:
                found[message.topic] = message.payload
                quiet_since = monotonic()
    return found


def _step(link: Connection, deadline: float, monotonic: Callable[[], float]) -> None:
    if monotonic() > deadline:
        raise PublishError("mqtt: the broker does not answer in time; look at its log")
    link.step(_STEP_S)
