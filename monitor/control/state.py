"""The settings in force at one moment. No side effects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property

from monitor.clock import iso_utc
from monitor.control.changes import Changes
from monitor.stream.assembly import Assembly
from monitor.stream.orders import Orders


@dataclass(frozen=True)
class ClassControl:
    """The adjustable settings of a class.

    Parameters
    ----------
    enabled : bool
        Whether the class makes events.
    threshold : float or None
        Smoothed score at which the class switches on; None for ``loud``, which has none.
    """

    enabled: bool
    threshold: float | None


@dataclass(frozen=True)
class ControlState:
    """The current values of all settings that can be changed at run time.

    Parameters
    ----------
    assembly : Assembly
        The model with the settings of the classes that currently make events.
    listening : bool
        False if switched off.
    paused_until : float or None
        End of a pause, seconds since 1970.
    profile : str
        The profile in force.
    classes : mapping
        Settings, by label, of all classes that the configuration allows to make events.
    changes : mapping
        Differences from the configuration, by key.
    """

    assembly: Assembly
    listening: bool
    paused_until: float | None
    profile: str
    classes: Mapping[str, ClassControl]
    changes: Changes = field(default_factory=dict)

    @cached_property
    def orders(self) -> Orders:
        """The resulting instructions to the audio path."""
        off = None if self.paused_until is None else f"paused until {iso_utc(self.paused_until)}"
        return Orders(self.assembly, off if self.listening else "switched off")

    def to_json(self) -> str:
        """Return the state as published on the topic ``control``."""
        values = {
            "listening": self.listening,
            "paused_until": None if self.paused_until is None else iso_utc(self.paused_until),
            "profile": self.profile,
            "quiet_hours": self.assembly.notices.quiet_hours,
            "classes": {label: asdict(values) for label, values in self.classes.items()},
            "changed": sorted(self.changes),
        }
        return json.dumps(values, ensure_ascii=False)
