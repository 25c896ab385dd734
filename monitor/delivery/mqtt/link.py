"""A single connection to a broker; the only module that depends on paho.

paho's own reconnecting network thread is not used because it hides the reason for TLS failures
and resends unacknowledged messages. The outbox resends them too, so every row could arrive twice
and out of order. A link therefore lasts for one connection, belongs to one thread, has its own
paho client, and leaves no state behind when it breaks.
"""

from __future__ import annotations

import logging
import selectors
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, LogLevel, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from monitor.delivery.mqtt.board import Message
from monitor.delivery.mqtt.connection import (
    MOST_BYTES,
    BrokerSettings,
    Connect,
    CutError,
    Incoming,
    OversizedError,
)
from monitor.delivery.mqtt.failures import connect_failure, no_answer, refused
from monitor.delivery.mqtt.tls import tls_context
from monitor.errors import PublishError

log = logging.getLogger(__name__)

IN_FLIGHT = 20
"""Maximum number of unacknowledged messages; mosquitto's default limit per client."""

_INBOX = 100
"""Maximum number of received messages waiting; beyond it the newest are dropped and counted."""

_CONNECT_S = 10.0
_CLOSED = "closed by the broker"
_TAKEN_OVER = "session taken over"
_PROTOCOLS = {"3.1.1": MQTTProtocolVersion.MQTTv311, "5": MQTTProtocolVersion.MQTTv5}


def connector(settings: BrokerSettings) -> Connect:
    """Return a function that creates links to this broker.

    Raises
    ------
    ConfigError
        A certificate or key file cannot be read.
    """
    context = tls_context(settings) if settings.tls else None
    return lambda will, wake: Link(settings, context, will, wake)


class Link:
    """A connection that lasts from :meth:`connect` until a method raises or :meth:`close` is called.

    All methods raise PublishError, with the reason as its text, when the connection is lost.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        context: ssl.SSLContext | None,
        will: Message | None,
        wake: socket.socket,
    ) -> None:
        self._settings = settings
        self._wake = wake
        self._selector = selectors.DefaultSelector()
        self._answer: ReasonCode | None = None
        self._trouble: str | None = None
        self._lost: str | None = None
        self._window = IN_FLIGHT
        self._unacknowledged: set[int] = set()
        self._acknowledged: list[int] = []
        self._received: list[Incoming] = []
        self._missed = 0
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            protocol=_PROTOCOLS[settings.version],
            reconnect_on_failure=False,
        )
        client.connect_timeout = _CONNECT_S
        if settings.username is not None:
            client.username_pw_set(settings.username, settings.password)
        if context is not None:
            client.tls_set_context(context)
        if will is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_log = self._on_log
        self._client = client

    def connect(self) -> None:
        """Connect and wait for the broker's response, for at most about 20 s."""
        settings = self._settings
        try:
            self._client.connect(
                settings.host, settings.port, settings.keepalive_s, properties=self._properties()
            )
        except (OSError, UnicodeError) as error:
            raise PublishError(connect_failure(error, settings.host, settings.port)) from error
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._selector.register(self._socket(), selectors.EVENT_READ)
        deadline = time.monotonic() + _CONNECT_S
        while self._answer is None:
            if time.monotonic() > deadline:
                raise PublishError(self._no_answer())
            self._exchange(0.5)
        self._check_answer(self._answer)

    @property
    def name(self) -> str:
        return f"mqtt {self._settings.host}:{self._settings.port}"

    @property
    def in_flight(self) -> int:
        return len(self._unacknowledged)

    @property
    def room(self) -> int:
        """Number of further QoS 1 messages that may be sent now."""
        return self._window - len(self._unacknowledged)

    @property
    def congested(self) -> bool:
        """Whether published data is still waiting to be written to the network."""
        return self._client.want_write()

    def publish(self, message: Message) -> int:
        """Send a message and return the id that :meth:`step` reports once it is acknowledged."""
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain)
        if message.qos:
            self._unacknowledged.add(info.mid)
        return info.mid

    def subscribe(self, filters: Sequence[str]) -> None:
        """Subscribe to messages from other clients; :meth:`received` returns them."""
        if filters:
            self._client.subscribe([(one, 1) for one in filters])

    def received(self) -> list[Incoming]:
        """Return the messages received since the last call."""
        received, self._received = self._received, []
        if self._missed:
            log.warning("mqtt: %d messages to us came too fast and were not looked at", self._missed)
            self._missed = 0
        return received

    def step(self, timeout_s: float) -> list[int]:
        """Exchange data for at most the given time or until woken; return the acknowledged ids."""
        try:
            self._exchange(timeout_s)
        except PublishError:
            # Messages acknowledged before the failure need not be resent; the next step raises.
            if not self._acknowledged:
                raise
        acknowledged, self._acknowledged = self._acknowledged, []
        return acknowledged

    def disconnect(self) -> None:
        """Disconnect cleanly, so that the broker does not publish the will."""
        self._client.disconnect()

    def close(self) -> None:
        """Drop the connection if it is still open."""
        self._selector.close()
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _exchange(self, timeout_s: float) -> None:
        sock = self._socket()
        want = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._client.want_write() else 0)
        self._selector.modify(sock, want)
        # Data already decrypted by TLS does not make the socket readable.
        buffered = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        ready = {key.fileobj: mask for key, mask in self._selector.select(0.0 if buffered else timeout_s)}
        if self._wake in ready:
            self._wake.recv(4096)
        mask = ready.get(sock, 0)
        if mask & selectors.EVENT_WRITE:
            self._client.loop_write()
        if mask & selectors.EVENT_READ or buffered:
            self._read()
            self._check_size()
        self._client.loop_misc()
        self._check()

    def _read(self) -> None:
        # paho trusts the broker: what is no MQTT raises whatever reading beyond its end raises.
        try:
            self._client.loop_read()
        except Exception as error:
            raise PublishError(
                f"{self.name}: it sent something that is not MQTT ({type(error).__name__}); check mqtt.port"
            ) from error

    def _properties(self) -> Properties | None:
        """CONNECT properties that limit what an MQTT 5 broker may send us."""
        if self._settings.version != "5":
            return None
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.MaximumPacketSize = MOST_BYTES
        return properties

    def _check_size(self) -> None:
        # paho reads a whole packet, whatever its size, before it invokes any callback.
        size = self._client._in_packet["remaining_length"]
        if size > MOST_BYTES:
            where = f"mqtt {self._settings.host}:{self._settings.port}"
            raise OversizedError(f"{where}: a message of {size} bytes arrived; the limit is {MOST_BYTES}")

    def _socket(self) -> Any:
        self._check()
        return self._client.socket()

    def _check(self) -> None:
        """Raise if the connection has ended."""
        if self._answer is not None:
            self._check_answer(self._answer)
        if self._client.socket() is not None and self._lost is None:
            return
        settings = self._settings
        if self._answer is None:
            raise PublishError(self._no_answer())
        text = f"mqtt {settings.host}:{settings.port}: connection lost ({self._trouble or self._lost})"
        if self._lost in (_CLOSED, _TAKEN_OVER):
            raise CutError(text, client_id=settings.client_id, taken_over=self._lost == _TAKEN_OVER)
        raise PublishError(text)

    def _no_answer(self) -> str:
        settings = self._settings
        return no_answer(settings.host, settings.port, tls=settings.tls, version=settings.version)

    def _check_answer(self, answer: ReasonCode) -> None:
        if answer.is_failure:
            settings = self._settings
            raise PublishError(refused(settings.host, settings.port, str(answer), username=settings.username))

    def _on_connect(
        self, _c: Any, _u: Any, _f: Any, answer: ReasonCode, properties: Properties | None
    ) -> None:
        self._answer = answer
        self._window = min(IN_FLIGHT, getattr(properties, "ReceiveMaximum", IN_FLIGHT))

    def _on_disconnect(self, _c: Any, _u: Any, _f: Any, reason: ReasonCode, _p: Any) -> None:
        text = str(reason).lower()
        self._lost = _CLOSED if text == "unspecified error" else text

    def _on_publish(self, _c: Any, _u: Any, mid: int, reason: ReasonCode, _p: Any) -> None:
        if mid not in self._unacknowledged:
            return  # also called for QoS 0
        if reason.is_failure:
            self._lost = f"the broker does not let us publish: {str(reason).lower()}"
            return
        self._unacknowledged.remove(mid)
        self._acknowledged.append(mid)

    def _on_subscribe(self, _c: Any, _u: Any, _mid: int, reasons: list[ReasonCode], _p: Any) -> None:
        for reason in reasons:
            if reason.is_failure:
                log.warning("mqtt: the broker does not let us subscribe (%s)", str(reason).lower())

    def _on_message(self, _c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        if len(self._received) >= _INBOX:
            self._missed += 1
            return
        with suppress(UnicodeDecodeError):  # such a topic cannot be ours
            self._received.append(Incoming(message.topic, bytes(message.payload), message.retain))

    def _on_log(self, _c: Any, _u: Any, level: int, text: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:
            self._trouble = text.removeprefix("failed to receive on socket: ")
