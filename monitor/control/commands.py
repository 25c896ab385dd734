"""Convert text commands from outside to changes of settings, or refuse them with one line."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable

from monitor.control.changes import ENABLED, LISTENING, PAUSE_S, PROFILE, QUIET_HOURS, THRESHOLD, class_key
from monitor.control.control import Control
from monitor.delivery.topics import slug
from monitor.errors import ControlError

log = logging.getLogger(__name__)

_LONGEST = 200
"""Bytes of a payload; every command is shorter."""
_REFUSALS = 10
"""Lines of refusal a minute; whoever sends more is not answered."""
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_DEFAULT = "default"
_PLAIN = {"listening": LISTENING, "pause": PAUSE_S, "profile": PROFILE, "quiet_hours": QUIET_HOURS}


class Commands:
    """Accepts commands such as ``profile`` ``sensitive`` or ``sound/siren/enabled`` ``OFF``.

    Parameters
    ----------
    control : Control
        Applies the changes.
    by : str
        Origin of the commands.
    monotonic : callable
        Monotonic clock, seconds.
    """

    def __init__(
        self, control: Control, by: str = "mqtt", monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._control = control
        self._by = by
        self._monotonic = monotonic
        self._refused: list[float] = []

    def receive(self, name: str, payload: bytes, *, retained: bool) -> None:
        """Execute a command or log in one line why it is refused; never raises."""
        try:
            if retained:
                raise ControlError("retained commands are not obeyed; publish it without the retain flag")
            key, value = parse(name, payload, tuple(self._control.state.classes))
            self._control.apply(key, value, self._by)
        except ControlError as error:
            self._refuse(name, error)

    def _refuse(self, name: str, error: ControlError) -> None:
        now = self._monotonic()
        self._refused = [at for at in self._refused if now - at < 60.0][-_REFUSALS:]
        if len(self._refused) < _REFUSALS:
            self._refused.append(now)
            log.warning("%s: command %.60r refused: %s", self._by, name, error)


def parse(name: str, payload: bytes, labels: tuple[str, ...]) -> tuple[str, bool | float | str | None]:
    """Return the key and value of a command, for :meth:`Control.apply`.

    Parameters
    ----------
    name : str
        The part of the topic after ``set/``.
    payload : bytes
        ``ON``, ``OFF``, a number, a duration such as ``30m`` or a word; ``default`` restores the
        configured value.
    labels : tuple of str
        The labels whose topics are accepted.

    Raises
    ------
    ControlError
        The command does not exist, or the payload is of the wrong kind.
    """
    key = _key(name, labels)
    if len(payload) > _LONGEST:
        raise ControlError(f"{len(payload)} bytes are no value")
    try:
        text = payload.decode().strip()
    except UnicodeDecodeError as error:
        raise ControlError("the payload is no text") from error
    if text == _DEFAULT:
        return key, None
    if key in (PROFILE, QUIET_HOURS):
        return key, text
    if key == PAUSE_S:
        return key, _seconds(text)
    if key.endswith(f".{THRESHOLD}"):
        return key, _number(text)
    if text not in ("ON", "OFF"):
        raise ControlError(f"{text!r:.60} is neither ON nor OFF")
    return key, text == "ON"


def _key(name: str, labels: tuple[str, ...]) -> str:
    if name in _PLAIN:
        return _PLAIN[name]
    match = re.fullmatch(r"sound/([a-z0-9_-]{1,100})/(enabled|threshold)", name)
    if match is None:
        raise ControlError("there is no such command")
    for label in labels:
        if slug(label) == match[1]:
            return class_key(label, ENABLED if match[2] == "enabled" else THRESHOLD)
    raise ControlError("no such label makes events here")


def _seconds(text: str) -> float:
    match = re.fullmatch(r"([0-9.]{1,10}) ?([smh]?)", text, re.ASCII)
    if match is None:
        raise ControlError(f"{text!r:.60} is no duration; write 90s, 30m or 1h")
    return _number(match[1]) * _UNITS[match[2]]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ControlError(f"{text!r:.60} is no number") from error
