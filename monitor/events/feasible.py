"""Check, when the configuration is read, whether a class can be detected at all with its settings.

One row of scores is produced per hop, from the window that ends there. With a window of ``W``
seconds, a sound of ``d`` seconds overlaps the windows of the rows that end within ``W + d`` seconds,
and at least half of the shorter of sound and window lies in the windows of the rows that end within
``max(W, d)`` seconds. An ideal model scores 1 in all the former and 0 elsewhere; a realistic one
scores 1 only in the latter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from monitor.records import SILENCE_DBFS
from monitor.settings import ClassSettings

_TOLERANCE = 1e-6
"""Tolerance, in rows, within which a ratio of seconds counts as an integer."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Severity: ``refuse`` if no score can switch the class on, ``warn`` if only ideal scores can."""

    severity: Literal["refuse", "warn"]
    text: str


def check_feasible(
    label: str, settings: ClassSettings, shortest_s: float, window_s: float, hop_s: float
) -> Problem | None:
    """Check whether a class's shortest sound lasts long enough for attack and smoothing.

    ``min_level_dbfs`` never leads to a refusal: a square wave reaches 0 dBFS.

    Parameters
    ----------
    shortest_s
        Duration in seconds of the shortest sound that the class must detect.
    """
    attack = math.ceil(settings.attack_s / hop_s - _TOLERANCE)
    touched = math.ceil((window_s + shortest_s) / hop_s - _TOLERANCE)
    longest = _longest_attack(touched, settings, hop_s)
    where = f"{label} (shortest sound {shortest_s:g} s, window {window_s:g} s, hop {hop_s:g} s)"
    if attack > longest:
        text = f"{where} can never switch on: {_demand(settings, longest * hop_s)}"
        return Problem("refuse", text)
    half_filled = math.floor(max(window_s, shortest_s) / hop_s + _TOLERANCE)
    longest = _longest_attack(half_filled, settings, hop_s)
    if attack > longest:
        return Problem("warn", f"{where} may be missed: {_demand(settings, longest * hop_s)}")
    # The level gate uses the newest hop only, not the whole window.
    longest = math.ceil(shortest_s / hop_s - _TOLERANCE)
    if settings.min_level_dbfs > SILENCE_DBFS and attack > longest:
        gate = f"while min_level_dbfs {settings.min_level_dbfs:g} must hold too"
        return Problem("warn", f"{where} may be missed: {_demand(settings, longest * hop_s)} {gate}")
    return None


def _longest_attack(rows: int, settings: ClassSettings, hop_s: float) -> int:
    """Return for how many hops the smoothed score stays at or above ``enter`` if ``rows`` rows score 1.

    Returns −1 if it never gets there. The mean over ``m`` rows reaches ``enter`` once ``q`` of them
    score 1, so it rises ``q − 1`` rows late and stays up ``m − q`` rows longer.
    """
    averaged = max(1, math.ceil(settings.smoothing_s / hop_s - _TOLERANCE))
    required = max(1, math.ceil(settings.enter * averaged - _TOLERANCE))
    return rows + averaged - 2 * required if rows >= required else -1


def _demand(settings: ClassSettings, longest_s: float) -> str:
    asked = f"attack_s {settings.attack_s:g}"
    if settings.smoothing_s:
        asked += f" after smoothing_s {settings.smoothing_s:g}"
    if longest_s < 0:
        return f"{asked} asks for more than it can give; lower smoothing_s or enter"
    return f"{asked} asks for more than it can give; attack_s must be {longest_s:g} or less"
