"""Instructions to the audio path while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from monitor.stream.assembly import Assembly


@dataclass(frozen=True)
class Orders:
    """The instructions in force; replaced by a new object at each change.

    Parameters
    ----------
    assembly : Assembly
        The settings of the classes that make events.
    off : str or None
        Short reason why listening is off; None while it is on.
    """

    assembly: Assembly
    off: str | None = None


AskOrders = Callable[[], Orders]
"""Called often, from any thread; must not block."""
