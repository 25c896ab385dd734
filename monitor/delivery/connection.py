"""A connection to a broker, as the publisher sees it: settings, messages and errors."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from monitor.delivery.board import Message
from monitor.errors import PublishError
from monitor.settings import MqttVersion

MOST_BYTES = 65536
"""Of a message to us. A connection that brings a larger one is cut before it fills the memory."""


@dataclass(frozen=True)
class BrokerSettings:
    """Where the broker is and how to enter.

    tls : encrypt; ca_file None = the system's CAs
    cert_file, key_file : our client certificate, PEM
    keepalive_s : a dead connection is noticed after about one and a half of it
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
    """A message that somebody else published.

    Parameters
    ----------
    topic : str
        Where to.
    payload : bytes
        At most :data:`MOST_BYTES`.
    retained : bool
        Whether the broker kept it from before the subscription.
    """

    topic: str
    payload: bytes
    retained: bool


class CutError(PublishError):
    """The broker closed a connection that it had accepted.

    Parameters
    ----------
    taken_over : bool
        Whether it said that another client with our id had come.
    """

    def __init__(self, text: str, *, taken_over: bool) -> None:
        super().__init__(text)
        self.taken_over = taken_over


class OversizedError(PublishError):
    """Somebody sends more than :data:`MOST_BYTES` in one message."""


class Connection(Protocol):
    """What the publisher needs of a link."""

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
"""Makes a connection with a will, that a readable socket wakes from :meth:`Connection.step`."""
