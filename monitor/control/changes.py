"""Settings that may be changed at run time, and how a change becomes configuration. No side effects.

=============================  =====================  ==========================================
key                            value                  meaning
=============================  =====================  ==========================================
``listening``                  bool                   whether the source is open at all
``pause_s``                    seconds, 0 … 86400     stop listening for this time; 0 ends a pause
``profile``                    a profile's name       as ``events.profile``
``quiet_hours``                text                   as ``notices.quiet_hours``
``classes.<label>.enabled``    bool                   whether a class makes events
``classes.<label>.threshold``  0.01 … 0.99            as ``events.classes.<label>.enter``
=============================  =====================  ==========================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from monitor.config.load import Config, KeyPath, override
from monitor.errors import ControlError
from monitor.events.loud import LOUD
from monitor.events.notices import check_hours
from monitor.model.card import ProfileName

LISTENING = "listening"
PAUSE_S = "pause_s"
PAUSED_UNTIL = "paused_until"
"""The end of a pause, stored as seconds since 1970."""
PROFILE = "profile"
QUIET_HOURS = "quiet_hours"
_CLASS = "classes."
ENABLED = "enabled"
THRESHOLD = "threshold"

LONGEST_PAUSE_S = 86400.0
LEAST_THRESHOLD, MOST_THRESHOLD = 0.01, 0.99

Value = bool | float | str


@dataclass(frozen=True)
class Change:
    """A setting that differs from the configuration.

    Parameters
    ----------
    value : bool, float or str
        The value in force.
    by : str
        Where it was changed: ``mqtt`` or ``page``.
    at : str
        Time of the change, UTC ISO 8601.
    """

    value: Value
    by: str
    at: str


Changes = Mapping[str, Change]


def class_key(label: str, what: str) -> str:
    """Return the key of a class's ``enabled`` or ``threshold``."""
    return f"{_CLASS}{label}.{what}"


def split_class_key(key: str) -> tuple[str, str] | None:
    """Return the label, and ``enabled`` or ``threshold``, of a class's key; None for other keys."""
    label, _, what = key.removeprefix(_CLASS).rpartition(".")
    if not key.startswith(_CLASS) or not label or what not in (ENABLED, THRESHOLD):
        return None
    return label, what


def checked(key: str, value: object, labels: tuple[str, ...]) -> Value:
    """Validate a value and return it in the form its key requires.

    Parameters
    ----------
    key : str
        A key of the table above, or ``paused_until``.
    value : object
        The value as received.
    labels : tuple of str
        The labels that the configuration allows to make events.

    Raises
    ------
    ControlError
        The key is unknown, or the value has the wrong type or is out of range.
    """
    of_class = split_class_key(key)
    if of_class is not None:
        label, what = of_class
        if label not in labels:
            raise ControlError(f"{key}: {label!r} makes no events here; known are: {', '.join(labels)}")
        if what == ENABLED:
            return _flag(key, value)
        if label == LOUD:
            raise ControlError(f"{key}: loud is set in decibels, in events.loud of the config")
        return _number(key, value, LEAST_THRESHOLD, MOST_THRESHOLD)
    if key == LISTENING:
        return _flag(key, value)
    if key == PAUSE_S:
        return _number(key, value, 0.0, LONGEST_PAUSE_S)
    if key == PAUSED_UNTIL:
        return _number(key, value, 0.0, 1e11)
    if key == PROFILE:
        profiles = get_args(ProfileName)
        if value not in profiles:
            raise ControlError(f"{key}: {_shown(value)} is none of {', '.join(profiles)}")
        return str(value)
    if key == QUIET_HOURS:
        try:
            return check_hours(str(value))
        except ValueError as error:
            raise ControlError(f"{key}: {_shown(value)} {error}") from error
    raise ControlError(f"{_shown(key)}: no such setting")


def changed_config(config: Config, changes: Changes) -> Config:
    """Return the configuration with changed profile and thresholds applied.

    Raises
    ------
    ConfigError
        The changes contradict the rest of the configuration.
    """
    overrides: dict[KeyPath, Any] = {}
    for key, change in changes.items():
        of_class = split_class_key(key)
        if key == PROFILE:
            overrides["events", "profile"] = change.value
        elif key == QUIET_HOURS:
            overrides["notices", "quiet_hours"] = change.value
        elif of_class is not None and of_class[1] == THRESHOLD:
            overrides["events", "classes", of_class[0], "enter"] = change.value
    return override(config, overrides, "changed while running")


def switched_off(changes: Changes) -> frozenset[str]:
    """Return the labels that are currently disabled."""
    split = [split_class_key(key) for key, change in changes.items() if change.value is False]
    return frozenset(of_class[0] for of_class in split if of_class is not None)


def _flag(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ControlError(f"{key}: {_shown(value)} is neither on nor off")
    return value


def _number(key: str, value: object, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise ControlError(f"{key}: {_shown(value)} is no number from {least:g} to {most:g}")
    return float(value)


def _shown(value: object) -> str:
    """Format any value as one short line."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
