"""Why a class that came near was not reported: one reason per row, derived from its state machine.

Theory of operation
===================
A class *comes near* at a row whose score, raw or smoothed, reaches half of ``enter``. Unless the
class is on after that row, something prevented it from being reported. The reason is the first of
these that applies:

================  =====================================================================
not_enabled       the class makes no events (``events.enabled``)
cooldown          its last event ended less than ``cooldown_s`` ago
rejected          the card's reject rule classified the row as none of the classes
attack_not_held   an attack run is in progress but still too short, or ended with this row
too_quiet         the score reaches ``enter``, but the level is below ``min_level_dbfs``
below_threshold   the smoothed score is below ``enter``
================  =====================================================================

The machine reports a class exactly when none of them applies. An event that is reported but leads to
no notice carries the reason in its record (:mod:`monitor.events.notices`: ``quiet_hours`` and others);
:func:`monitor.records.held_back` gives it the same form. While listening is paused there are no rows:
a pause is a state of the monitor and no reason of a row.
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
    "quiet_hours": "no notice: quiet hours",
    "count": "no notice: too few so far",
    "duration": "no notice: too short so far",
    "interval": "no notice: too soon after the last",
    "daily_limit": "no notice: the day's limit is reached",
    "cooldown": "cooldown, {value:.1f} of {limit:.1f} s",
    "rejected": "rejected as background",
    "attack_not_held": "attack held {value:.2f} of {limit:.2f} s",
    "too_quiet": "too quiet, {value:.1f} dBFS below {limit:.1f}",
    "below_threshold": "below threshold, smoothed {value:.2f} of {limit:.2f}",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a class's machine after a row; lengths in samples.

    Attributes
    ----------
    on
        Whether an event is open.
    smoothed
        Score after smoothing.
    attack
        Length of the attack run that is in progress or ended with this row; None = no run.
    rested
        Time since the last event ended, during the cooldown; None = no cooldown.
    """

    on: bool
    smoothed: float
    attack: int | None = None
    rested: int | None = None


def comes_near(score: float, smoothed: float, enter: float) -> bool:
    """Return whether a row brings a class near its threshold."""
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
    """Return why a class that came near was not reported; None if it is on.

    The result has a figure and a limit as described in :class:`Near`.

    Parameters
    ----------
    standing
        State after the row.
    score
        Raw score before the reject rule and smoothing, 0 … 1.
    level_dbfs
        Level of the newest hop, dBFS.
    rejected
        Whether the reject rule applies to the row.
    rate
        Sample rate of all lengths, Hz.
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
    """Return one line for display: the class, its score and the reason."""
    return f"{near.label:18} {near.score:.2f}  {reason_text(near)}"


def reason_text(near: Near) -> str:
    if near.reason == "below_threshold" and near.limit >= NEVER:
        return "never reported with these settings (threshold 1)"
    return _WORDS[near.reason].format(value=near.value, limit=near.limit)
