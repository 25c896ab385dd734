"""Send the state of the service to systemd: the datagrams of sd_notify, without a library."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress


class Systemd:
    """The service manager's notification socket; does nothing without a service manager.

    Reference: sd_notify(3), sd_watchdog_enabled(3)

    Parameters
    ----------
    environment : Mapping[str, str]
        Environment with NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID as set by systemd.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # "@" stands for the zero byte of Linux's abstract sockets.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_s = _watchdog_s(environment)
        """Seconds without a sign of life after which systemd kills the service; None if disabled."""

    def tell(self, *lines: str) -> None:
        """Send assignments such as ``READY=1``."""
        if not self._address:
            return
        # A service manager that is gone or does not read is no reason to stop listening.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
            sending.setblocking(False)
            sending.sendto("\n".join(lines).encode(), self._address)


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    microseconds = environment.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 1e6
