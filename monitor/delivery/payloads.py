"""The JSON of the level, near and health topics; pure. That of events is in records.py."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from monitor.records import Level, Near


@dataclass(frozen=True)
class Health:
    """How the monitor is.

    microphone : of any live source; ``starting`` until its first audio, ``off`` on purpose
    reason : why it is lost or off
    dropped_s : audio lost since the start because the machine was too slow, seconds
    inference_ms, delay_s : of late; the model's time a hop, and the age of the audio decided on
    queue : events without an acknowledgement by the broker
    dropped_events : refused because the disk was too slow
    expired : given up undelivered
    history, broker : why the disk or the broker cannot be used; None when all is well
    """

    microphone: Literal["starting", "listening", "lost", "off"]
    version: str
    model: str
    model_version: str
    uptime_s: float
    reason: str | None = None
    dropped_s: float = 0.0
    inference_ms: float | None = None
    delay_s: float | None = None
    queue: int = 0
    dropped_events: int = 0
    expired: int = 0
    history: str | None = None
    broker: str | None = None

    def to_json(self) -> str:
        values = asdict(self)
        for key, digits in (("uptime_s", 0), ("dropped_s", 3), ("inference_ms", 3), ("delay_s", 3)):
            if values[key] is not None:
                values[key] = round(values[key], digits)
        return json.dumps(values, ensure_ascii=False)


def level_payload(level: Level) -> str:
    values = asdict(level)
    return json.dumps({key: value if key == "clipped" else round(value, 1) for key, value in values.items()})


def near_payload(near: Iterable[Near]) -> str:
    """One object: what was reached and needed by label, see :class:`Near`."""
    values = {
        one.label: {
            "score": round(one.score, 4),
            "reason": one.reason,
            "value": round(one.value, 4),
            "limit": round(one.limit, 4),
        }
        for one in near
    }
    return json.dumps(values, ensure_ascii=False)
