"""Why a class that came near was not reported: one reason a row, read off its state machine.

Theory of operation
===================
A class *comes near* at a row whose score, raw or smoothed, reaches half of ``enter``. Unless the
class is on after that row, something kept it from being reported, and the first of these that
holds is the reason:

================  =====================================================================
not_enabled       the class makes no events (``events.enabled``)
cooldown          its last event ended less than ``cooldown_s`` ago
rejected          the card's reject rule took the row for none of the classes
attack_not_held   an attack run goes on but is still too short, or ended with this row
too_quiet         the score reaches ``enter``, the level is below ``min_level_dbfs``
below_threshold   the smoothed score is below ``enter``
================  =====================================================================

The machine reports a class exactly when none of them holds. Events that begin and are withheld
from people afterwards (``paused``, ``quiet_hours``) carry that reason in their record; it is told
from there.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.events.limits import Limits
from monitor.records import Near, WhyNot
from monitor.settings import NEVER

NEAR_SHARE = 0.5
"""Part of ``enter`` from which a score counts as near."""

_WORDS: dict[WhyNot, str] = {
    "not_enabled": "not enabled (threshold {limit:.2f})",
    "paused": "paused",
    "quiet_hours": "quiet hours",
    "cooldown": "cooldown, {value:.1f} of {limit:.1f} s",
    "rejected": "rejected as background",
    "attack_not_held": "attack held {value:.2f} of {limit:.2f} s",
    "too_quiet": "too quiet, {value:.1f} dBFS below {limit:.1f}",
    "below_threshold": "below threshold, {value:.2f} of {limit:.2f}",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a class's machine stands after a row; lengths in samples.

    on : an event is open
    smoothed : score after smoothing
    attack : length of the attack run that goes on or ended with this row; None = there is none
    rested : since the last event ended, while the cooldown lasts; None = no cooldown
    """

    on: bool
    smoothed: float
    attack: int | None = None
    rested: int | None = None


def comes_near(score: float, smoothed: float, enter: float) -> bool:
    """Whether a row brings a class near."""
    return max(score, smoothed) >= NEAR_SHARE * enter


def why_not(
    standing: Standing,
    limits: Limits,
    *,
    score: float,
    level_dbfs: float,
    rejected: bool,
    rate: int,
) -> tuple[WhyNot, float, float] | None:
    """Return the reason for a class that came near, with figure and limit as in :class:`Near`; None if on.

    Parameters
    ----------
    standing : after the row
    score : raw, before the reject rule and smoothing, 0…1
    level_dbfs : of the newest hop
    rejected : the reject rule holds for the row
    rate : Hz of all lengths
    """
    if standing.on:
        return None
    if standing.rested is not None:
        return "cooldown", standing.rested / rate, limits.cooldown / rate
    if rejected:
        return "rejected", score, limits.enter
    if standing.attack is not None:
        return "attack_not_held", standing.attack / rate, limits.attack / rate
    if standing.smoothed >= limits.enter:
        return "too_quiet", level_dbfs, limits.min_level_dbfs
    return "below_threshold", standing.smoothed, limits.enter


def near_text(near: Near) -> str:
    """One line for people: the class, its score and the reason."""
    return f"{near.label:18} {near.score:.2f}  {reason_text(near)}"


def reason_text(near: Near) -> str:
    if near.reason == "below_threshold" and near.limit >= NEVER:
        return "never reported with these settings (threshold 1)"
    return _WORDS[near.reason].format(value=near.value, limit=near.limit)
