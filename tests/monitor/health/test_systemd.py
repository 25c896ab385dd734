"""What the service manager is told, over a real datagram socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from monitor.health.systemd import Systemd


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """An address as NOTIFY_SOCKET has it, and the socket that hears it."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@{uuid4()}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as hearing:
        hearing.bind("\0" + address[1:] if address.startswith("@") else address)
        hearing.settimeout(20)
        yield address, hearing


def test_assignments_arrive_as_one_datagram(manager: tuple[str, socket.socket]) -> None:
    address, hearing = manager
    Systemd({"NOTIFY_SOCKET": address}).tell("READY=1", "STATUS=listening")
    assert hearing.recv(1000) == b"READY=1\nSTATUS=listening"


def test_nothing_happens_without_a_manager_or_when_it_is_gone(tmp_path: Path) -> None:
    Systemd({}).tell("READY=1")
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).tell("READY=1")


@pytest.mark.parametrize(
    ("environment", "watchdog_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid() + 1)}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_the_one_that_is_meant_for_this_process(
    environment: dict[str, str], watchdog_s: float | None
) -> None:
    assert Systemd(environment).watchdog_s == watchdog_s
