"""The web server: one thread with its own event loop, which the rest of the monitor never waits for."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from contextlib import suppress

import uvicorn
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto.utilities import LocalProtocolError

from monitor.errors import ConfigError
from monitor.web.app import application
from monitor.web.backend import Backend

log = logging.getLogger(__name__)

_STOP_S = 2.0
_BACKLOG = 128
_SEND_BYTES = 64 * 1024
_MOST_HEADER_BYTES = 16 * 1024
_MOST_MESSAGE_BYTES = 4 * 1024
"""Viewers have nothing to say."""


def bind(host: str, port: int, where: str) -> socket.socket:
    """Bind the address; connections wait in the backlog until the server accepts them.

    Parameters
    ----------
    where
        The setting to name in the error message.

    Raises
    ------
    ConfigError
        The address is in use by another program or does not belong to this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"{where}: {host}: {error.strerror or error}") from error
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by connections: limits the data queued in the kernel for a viewer that does not read.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        taken.bind(address)
        taken.listen(_BACKLOG)
    except OSError as error:
        taken.close()
        raise ConfigError(f"{where}: cannot serve the page at {host}:{port} ({error.strerror})") from error
    return taken


class _Connection(WSProtocol):
    """A WebSocket that may be shut down while its viewer closes it; uvicorn's raises then."""

    def shutdown(self) -> None:
        with suppress(LocalProtocolError):
            super().shutdown()
        self.transport.close()


class _Server(uvicorn.Server):
    """A server that sleeps until it is stopped; uvicorn's own looks ten times a second whether it shall."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = asyncio.Event()

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        if not self.should_exit:
            await self._stopped.wait()

    def stop(self) -> None:
        """End the server; may be called from any thread, at any time."""
        self.should_exit = True
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: it has ended by itself
                self._loop.call_soon_threadsafe(self._stopped.set)


class PageServer:
    """Serves one backend on a bound socket, from construction until :meth:`close`."""

    def __init__(self, backend: Backend, bound: socket.socket) -> None:
        config = uvicorn.Config(
            application(backend),
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            lifespan="off",
            loop="asyncio",
            http="h11",
            ws=_Connection,
            ws_max_size=_MOST_MESSAGE_BYTES,
            ws_per_message_deflate=False,  # costs more of the processor than it saves of the network
            h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
            timeout_graceful_shutdown=1,
            backlog=_BACKLOG,
        )
        self._server = _Server(config)
        self._bound = bound
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.stop()
        self._thread.join(_STOP_S)
        self._bound.close()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._bound]))
