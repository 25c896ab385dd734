"""Serve the page during a replay and after it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from monitor import __version__
from monitor.config.load import Config
from monitor.delivery.payloads import Health
from monitor.listeners import Listener
from monitor.service.clips import Clips
from monitor.service.delivery import Delivery
from monitor.service.page import address, open_page
from monitor.stream.assembly import Assembly
from monitor.web.facts import Status

_CHECK_S = 0.25


@contextmanager
def replay_page(
    config: Config, assembly: Assembly, delivery: Delivery, node: str, clips: Clips | None
) -> Iterator[Sequence[Listener]]:
    """Serve the page of a replay and open it in a browser if there is a screen; yield what must follow it.

    Raises
    ------
    ConfigError
        See :func:`open_page`.
    """
    card = assembly.model.card

    def status() -> Status:
        publisher = delivery.publisher
        health = Health(
            microphone="listening",
            version=__version__,
            model=card.name,
            model_version=card.version,
            uptime_s=0.0,
            broker=None if publisher is None else publisher.last_error,
        )
        return Status(health, delivery.connected)

    with open_page(config, assembly, delivery, status, node, clips=clips) as followers:
        _open_browser(address(config.settings.web))
        yield followers.listeners


def stay(config: Config, stop: threading.Event) -> None:
    """Keep the page until Ctrl-C."""
    click.echo(f"the page stays at {address(config.settings.web)}; Ctrl-C ends", err=True)
    while not stop.wait(_CHECK_S):
        pass


def _open_browser(url: str) -> None:
    screen = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if screen and sys.stderr.isatty():
        import webbrowser

        webbrowser.open(url)
