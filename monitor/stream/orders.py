"""What the audio path is told to do while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from monitor.stream.assembly import Assembly


@dataclass(frozen=True)
class Orders:
    """The orders in force; a new object after each change.

    Parameters
    ----------
    assembly : Assembly
        The settings of the classes that make events.
    off : str or None
        Why nobody is to listen, in a few words; None to listen.
    """

    assembly: Assembly
    off: str | None = None


AskOrders = Callable[[], Orders]
"""Called often, from any thread; must not block."""
