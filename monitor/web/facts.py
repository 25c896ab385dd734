"""Information shown by the server that is not in the history: node, classes and current status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from monitor.delivery.payloads import Health
from monitor.settings import ClassSettings


@dataclass(frozen=True)
class Facts:
    """Facts about the running monitor; ``classes`` may change with the settings.

    Attributes
    ----------
    labels
        Labels of the scores, in order.
    classes
        Settings of the labels that make events.
    disabled
        ``enter`` of the labels that make no events.
    hop_s
        Time between hops, seconds.
    subscribe
        Shell command that shows the same from the broker; None = nothing is published.
    adjustable
        Whether settings can be changed at run time.
    changed
        Keys of the settings that differ from the configuration.
    listening
        False if switched off.
    paused_until
        End of a pause, UTC seconds since 1970.
    quiet_hours
        When no notices are issued: ``off``, ``dark`` or two times.
    pitches
        Marks of the frequency axis of spectrograms: height, 0 to 1, by name.
    """

    node: str
    version: str
    model: str
    model_version: str
    labels: tuple[str, ...]
    classes: Mapping[str, ClassSettings]
    disabled: Mapping[str, float]
    hop_s: float
    subscribe: str | None = None
    adjustable: bool = False
    changed: tuple[str, ...] = ()
    listening: bool = True
    paused_until: float | None = None
    quiet_hours: str = "off"
    pitches: Mapping[str, float] = field(default_factory=dict)

    def as_json(self, *, write: bool) -> dict[str, Any]:
        marks = {
            label: {
                "enter": one.enter,
                "exit": one.exit,
                "attack_s": one.attack_s,
                "min_level_dbfs": one.min_level_dbfs,
            }
            for label, one in self.classes.items()
        }
        return {
            "node": self.node,
            "version": self.version,
            "model": self.model,
            "model_version": self.model_version,
            "labels": self.labels,
            "classes": marks,
            "disabled": dict(self.disabled),
            "hop_s": self.hop_s,
            "subscribe": self.subscribe,
            "write": write,
            "adjustable": self.adjustable and write,
            "changed": self.changed,
            "listening": self.listening,
            "paused_until": self.paused_until,
            "quiet_hours": self.quiet_hours,
            "pitches": dict(self.pitches),
        }


@dataclass(frozen=True)
class Status:
    """The current status of the monitor.

    Attributes
    ----------
    connected
        Whether the broker is connected; None = nothing is published.
    trouble
        Why the monitor does not hear anything; None if it does.
    """

    health: Health
    connected: bool | None
    trouble: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {**vars(self.health), "connected": self.connected}


@dataclass(frozen=True)
class Node:
    """Another monitor on the same broker.

    Attributes
    ----------
    status
        ``online`` or ``offline``.
    page
        Address of its page, if it announces one.
    """

    name: str
    status: str
    page: str | None = None


FactsNow = Callable[[], Facts]
StatusNow = Callable[[], Status]
