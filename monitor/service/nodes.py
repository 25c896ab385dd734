"""Other monitors on the same broker, from the retained topics that they keep."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from urllib.parse import urlsplit

from monitor.delivery.mqtt.connection import Incoming
from monitor.delivery.topics import slug
from monitor.web.facts import Node

_MOST = 100
"""Nodes that are listed; anybody may publish under the base topic."""

_LONGEST = 200


class Nodes:
    """Follows ``<base>/+/status`` and ``<base>/+/health``; thread-safe.

    Parameters
    ----------
    base : str
        Base topic.
    own : str
        Name of this node, which is left out.
    """

    def __init__(self, base: str, own: str) -> None:
        self._base = base
        self._own = slug(own)
        self._lock = threading.Lock()
        self._status: dict[str, str] = {}
        self._pages: dict[str, str] = {}

    @property
    def filters(self) -> tuple[str, ...]:
        """Topics to subscribe to."""
        return tuple(f"{self._base}/+/{what}" for what in ("status", "health"))

    def receive(self, message: Incoming) -> bool:
        """Take a message; return False if it is for somebody else."""
        name, _, what = message.topic.removeprefix(f"{self._base}/").partition("/")
        if not message.topic.startswith(f"{self._base}/") or what not in ("status", "health"):
            return False
        if name != self._own and len(name) <= _LONGEST:
            with self._lock:
                if what == "status":
                    self._take_status(name, message.payload)
                else:
                    self._take_health(name, message.payload)
        return True

    def seen(self) -> Sequence[Node]:
        """Return the nodes that have a status, by name."""
        with self._lock:
            return [Node(name, self._status[name], self._pages.get(name)) for name in sorted(self._status)]

    def _take_status(self, name: str, payload: bytes) -> None:
        if payload not in (b"online", b"offline"):
            # Cleared, when a node is forgotten; or not one of us.
            self._status.pop(name, None)
        elif name in self._status or len(self._status) < _MOST:
            self._status[name] = payload.decode()

    def _take_health(self, name: str, payload: bytes) -> None:
        self._pages.pop(name, None)
        try:
            page = json.loads(payload).get("page")
        except (ValueError, AttributeError, RecursionError):
            return
        if isinstance(page, str) and _is_address(page) and len(self._pages) < _MOST:
            self._pages[name] = page


def _is_address(text: str) -> bool:
    """Return whether a text from outside may become a link."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return len(text) <= _LONGEST and parts.scheme in ("http", "https") and bool(parts.hostname)
