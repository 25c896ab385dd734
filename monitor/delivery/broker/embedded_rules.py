"""Rules of the embedded broker: who may publish what, and how much it takes; needs amqtt.

amqtt loads the plugins by name. It offers no bounds of its own.
"""

from __future__ import annotations

import hmac
import logging
from dataclasses import dataclass, field
from typing import Any

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

log = logging.getLogger(__name__)

MOST_BYTES = 1 << 20
"""Maximum size of a message; ours are smaller."""
MOST_RETAINED, MOST_RETAINED_BYTES = 1000, 16 << 20
"""Maximum number and total size of the retained messages of others."""


class PasswordAuth(BaseAuthPlugin):  # type: ignore[misc]  # amqtt has no type hints
    """Accepts our own client, and others with the configured user name and password, if there is one."""

    async def authenticate(self, *, session: Session) -> bool:
        config = self.config
        if session.username == config.own_username:
            return _same(session.password, config.own_password)
        if config.password is None:
            session.is_anonymous = True  # nothing is kept for it while it is away
            return True
        return _same(session.username, config.username) and _same(session.password, config.password)

    @dataclass
    class Config:
        """Filled in by amqtt from the broker's configuration."""

        own_username: str
        own_password: str
        username: str | None = None
        password: str | None = None


class OwnTopics(BaseTopicPlugin):  # type: ignore[misc]
    """Lets only our own clients publish on the nodes' topics; others may send commands."""

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        config = self.config
        if action != Action.PUBLISH or (session is not None and session.username == config.own_username):
            return True
        own = topic is None or topic.startswith(tuple(config.own))
        return not own or (topic is not None and topic.startswith(tuple(config.commands)))

    @dataclass
    class Config:
        """Beginnings of our own topics, and of those among them that others may use."""

        own_username: str
        own: list[str] = field(default_factory=list)
        commands: list[str] = field(default_factory=list)


class BoundedBroker(Broker):  # type: ignore[misc]
    """Refuses messages that are too large, wills on our topics, and too many retained messages."""

    async def stream_connected(self, reader: Any, writer: Any, listener_name: str) -> None:
        await self._client_connected(listener_name, _BoundedReader(reader), StreamWriterAdapter(writer))

    async def retain_message(
        self, source_session: Session | None, topic_name: str | None, data: Any, qos: int | None = None
    ) -> None:
        kept = self._retained_messages
        size = len(data or b"") + sum(len(one.data) for topic, one in kept.items() if topic != topic_name)
        if data and (size > MOST_RETAINED_BYTES or (topic_name not in kept and len(kept) >= MOST_RETAINED)):
            log.debug("not retained: %s", topic_name)
            return
        await super().retain_message(source_session, topic_name, data, qos)

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        # At each connection, amqtt goes through the subscriptions of all clients.
        found = self._subscriptions.get(subscription[0], ())
        if any(one.client_id == session.client_id for one, _ in found):
            await super()._publish_retained_messages_for_subscription(subscription, session)

    async def _authenticate(self, session: Session, listener: Any) -> bool:
        accepted = bool(await super()._authenticate(session, listener))
        # amqtt publishes a will without asking who may.
        if accepted and session.will_flag:
            session.will_flag = await self._topic_filtering(session, session.will_topic, Action.PUBLISH)
        return accepted

    @staticmethod
    def _split_bindaddr_port(port_str: str, default_port: int) -> tuple[str | None, int]:
        address, port = Broker._split_bindaddr_port(port_str, default_port)
        # The system wants an IPv6 address without its brackets.
        return (None if address is None else address.strip("[]")), port


class _BoundedReader(StreamReaderAdapter):  # type: ignore[misc]
    """Ends a connection before a message that is too large is read."""

    async def read(self, n: int = -1) -> bytes:
        if n > MOST_BYTES:
            raise OverflowError(f"a message of {n} bytes")
        return bytes(await super().read(n))


def _same(given: str | None, wanted: str) -> bool:
    return hmac.compare_digest((given or "").encode(), wanted.encode())
