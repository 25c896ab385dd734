"""The publisher's view of a broker connection: settings, messages and errors."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from monitor.delivery.mqtt.board import Message
from monitor.errors import PublishError
from monitor.settings import MqttVersion

MOST_BYTES = 65536
"""Maximum size of an incoming message, bytes. A larger one ends the connection before using up memory."""


@dataclass(frozen=True)
class BrokerSettings:
    """Address of the broker and how to authenticate.

    Parameters
    ----------
    host, port : str, int
        Address of the broker.
    client_id : str
        MQTT client id.
    keepalive_s : int
        Seconds; a dead connection is detected after about 1.5 times this.
    version : MqttVersion
        MQTT version to use.
    username, password : str or None
        Credentials.
    tls : bool
        Whether to encrypt the connection.
    ca_file : str or None
        CA certificates; None means the system's.
    cert_file, key_file : str or None
        Client certificate and key, PEM.
    """

    host: str
    port: int
    client_id: str
    keepalive_s: int
    version: MqttVersion
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


@dataclass(frozen=True)
class Incoming:
    """A message published by another client.

    Parameters
    ----------
    topic : str
        Topic of the message.
    payload : bytes
        At most :data:`MOST_BYTES`.
    retained : bool
        Whether it is a retained message from before the subscription.
    """

    topic: str
    payload: bytes
    retained: bool


@dataclass(frozen=True)
class Inbox:
    """Subscriptions and the handler of incoming messages.

    Parameters
    ----------
    filters : tuple of str
        Topics to subscribe to.
    receive : callable
        Called with each message in the publisher's thread; must not block or raise.
    """

    filters: tuple[str, ...]
    receive: Callable[[Incoming], None]


class CutError(PublishError):
    """The broker closed a connection that it had accepted.

    Parameters
    ----------
    client_id : str
        Our client id.
    taken_over : bool
        Whether the broker reported that another client connected with our id.
    """

    def __init__(self, text: str, *, client_id: str, taken_over: bool) -> None:
        super().__init__(text)
        self.client_id = client_id
        self.taken_over = taken_over


class OversizedError(PublishError):
    """An incoming message is larger than :data:`MOST_BYTES`."""


class Connection(Protocol):
    """The interface that the publisher requires of a link."""

    @property
    def name(self) -> str:
        """The broker, for messages."""
        ...

    def connect(self) -> None: ...

    @property
    def room(self) -> int: ...

    @property
    def in_flight(self) -> int: ...

    @property
    def congested(self) -> bool: ...

    def publish(self, message: Message) -> int: ...

    def subscribe(self, filters: Sequence[str]) -> None: ...

    def step(self, timeout_s: float) -> list[int]: ...

    def received(self) -> list[Incoming]: ...

    def disconnect(self) -> None: ...

    def close(self) -> None: ...


Connect = Callable[[Message | None, socket.socket], Connection]
"""Creates a connection from a will and a socket that wakes :meth:`Connection.step` when readable."""
