"""A small in-process MQTT 3.1.1 broker, for users without a broker of their own and for the demo."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monitor.delivery.topics import Topics
from monitor.errors import ConfigError, PublishError

log = logging.getLogger(__name__)

_START_S = 20.0
_HAND_ON_S = 2.0
_QUIET_S = 0.2
_SHUTDOWN_S = 1.0
"""Timeout for each shutdown step, seconds; a step takes either milliseconds or forever."""


_MOST_CLIENTS = 100
_RULES = "monitor.delivery.broker.embedded_rules"


@dataclass(frozen=True)
class Login:
    """Credentials of a client."""

    username: str
    password: str


class EmbeddedBroker:
    """Runs amqtt in a thread with its own event loop, from :meth:`start` to :meth:`stop`.

    It stores nothing on disk and supports neither TLS nor MQTT 5.

    Parameters
    ----------
    port : int
        Port to listen on.
    host : str
        Address to listen on; serving other machines requires a password.
    username, password : str or None
        Credentials required of every other client; None allows anyone to connect.
    topics : sequence of Topics
        The nodes whose topics only our own clients may publish on, apart from commands.
    discovery : sequence of str
        Other topics for our own clients alone.

    Raises
    ------
    ConfigError
        The address is reachable from the network without a password, or amqtt is not installed.
    """

    def __init__(
        self,
        port: int,
        host: str = "127.0.0.1",
        *,
        username: str | None = None,
        password: str | None = None,
        topics: Sequence[Topics] = (),
        discovery: Sequence[str] = (),
    ) -> None:
        if not (password or _is_loopback(host)):
            raise ConfigError(
                f"the embedded broker would let anybody in at {host};"
                " set mqtt.username and mqtt.password, or mqtt.host: localhost"
            )
        try:
            import amqtt.broker  # noqa: F401
        except ImportError as error:
            raise ConfigError("mqtt.broker: embedded needs amqtt; pip install amqtt") from error
        self._where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.login = Login(f"sound-monitor-{secrets.token_hex(8)}", secrets.token_hex(16))
        """The credentials of our own clients."""
        self._others = {"username": username, "password": password} if password else {}
        self._own = {
            "own": [*(node.all.removesuffix("#") for node in topics), *discovery],
            "commands": [node.commands for node in topics],
        }
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._started = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve()), name="embedded-broker", daemon=True
        )

    def start(self) -> None:
        """Start the broker and return once clients can connect.

        Raises
        ------
        PublishError
            The port is in use, or the address does not belong to this machine.
        """
        # The publisher reports what concerns the user; amqtt logs every connection and traceback.
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._thread.start()
        if not self._started.wait(_START_S):
            raise PublishError(f"the embedded broker did not start at {self._where} within {_START_S:.0f} s")
        if self._error is not None:
            self._thread.join()
            raise PublishError(_start_failure(self._error, self._where)) from self._error

    def stop(self) -> None:
        """Disconnect all clients and end the thread."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(5 * _SHUTDOWN_S)

    async def _serve(self) -> None:
        from amqtt.errors import BrokerError

        from monitor.delivery.broker.embedded_rules import BoundedBroker

        self._loop = asyncio.get_running_loop()
        # In amqtt, a client that does not speak MQTT 3.1.1 causes a traceback.
        self._loop.set_exception_handler(lambda _, context: log.debug("%s", context["message"]))
        broker = BoundedBroker(self._config(), loop=self._loop)
        try:
            await broker.start()
        except BrokerError as error:
            self._error = error
            return
        finally:
            self._started.set()
        await self._stopping.wait()
        await _handed_on(broker)
        try:
            await asyncio.wait_for(broker.shutdown(), _SHUTDOWN_S)
        except asyncio.TimeoutError:
            # amqtt waits forever for a connection whose reader it cancelled between two packets.
            for server in broker._servers.values():
                server.instance.close()
        await _end_of_connections()

    def _config(self) -> dict[str, Any]:
        login = self.login
        plugins = {
            f"{_RULES}.PasswordAuth": {
                "own_username": login.username,
                "own_password": login.password,
                **self._others,
            },
            f"{_RULES}.OwnTopics": {"own_username": login.username, **self._own},
        }
        listener = {"type": "tcp", "bind": self._where, "max_connections": _MOST_CLIENTS}
        return {"listeners": {"default": listener}, "plugins": plugins}


async def _handed_on(broker: Any) -> None:
    """Wait until acknowledged messages have reached subscribers, as shutdown() would drop them.

    amqtt has no public API for this. The wait is limited, so a stuck subscriber is abandoned.
    """
    deadline = time.monotonic() + _HAND_ON_S
    quiet_since = time.monotonic()
    # A message is acknowledged before it is queued, and briefly it is neither queued nor in a task.
    while time.monotonic() < min(deadline, quiet_since + _QUIET_S):
        if broker._broadcast_queue.qsize() or any(not task.done() for task in broker._tasks_queue):
            quiet_since = time.monotonic()
        await asyncio.sleep(0.01)


async def _end_of_connections() -> None:
    """Cancel the tasks amqtt leaves running; closed transports finish in the loop's next iteration."""
    # A task that was already cancelled may have to be cancelled again.
    for _ in range(3):
        leftover = asyncio.all_tasks() - {asyncio.current_task()}
        for task in leftover:
            task.cancel()
        if leftover:
            await asyncio.wait(leftover, timeout=_SHUTDOWN_S)
    await asyncio.sleep(0)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _start_failure(error: Exception, where: str) -> str:
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
        return (
            f"the embedded broker cannot listen at {where}: the port is taken;"
            " set mqtt.port to another one, or mqtt.broker: external to use the broker there"
        )
    return f"the embedded broker cannot listen at {where} ({cause or error}); check mqtt.host and mqtt.port"
