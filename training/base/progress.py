"""Progress callbacks of long-running work: a line of text, or the number of items done."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]
"""Receives a line about the step just completed."""
Tick = Callable[[int], None]
"""Receives the number of items done since the last call."""
