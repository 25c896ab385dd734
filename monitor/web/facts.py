"""What the server shows that is not in the history: the node, its classes, how it is now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from monitor.delivery.payloads import Health
from monitor.settings import ClassSettings


@dataclass(frozen=True)
class Facts:
    """Of the running monitor; ``classes`` may be others after a change of settings.

    labels : of the scores, in their order
    classes : of the labels that make events
    disabled : ``enter`` of those that make none
    hop_s : seconds between hops
    subscribe : the shell command that shows the same from the broker; None = nothing is published
    adjustable : whether settings can be changed while running
    changed : keys of those that differ from the config
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
    """How the monitor is.

    connected : whether the broker is; None = nothing is published
    """

    health: Health
    connected: bool | None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self.health), "connected": self.connected}


FactsNow = Callable[[], Facts]
StatusNow = Callable[[], Status]
