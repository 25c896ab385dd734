"""How long work reports its progress: by a line of text, or by the number of items done."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]
"""Receives a line about what has just been done."""
Tick = Callable[[int], None]
"""Receives the number of items done since the last call."""
