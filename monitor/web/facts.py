"""Information shown by the server that is not in the history: node, classes and current status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
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
        }


@dataclass(frozen=True)
class Status:
    """The current status of the monitor.

    Attributes
    ----------
    connected
        Whether the broker is connected; None = nothing is published.
    """

    health: Health
    connected: bool | None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self.health), "connected": self.connected}


FactsNow = Callable[[], Facts]
StatusNow = Callable[[], Status]
