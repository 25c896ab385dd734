"""The JSON of the level, noise, near and health topics; pure. That of events is in records.py."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from monitor.clock import iso_utc
from monitor.level.minutes import MINUTE_S, Minute
from monitor.level.summary import day_evening_night, energy_mean, unit_of
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


def noise_payload(minute: Minute, hour: Sequence[Minute], day: Sequence[Minute]) -> str:
    """One object: levels of a minute, of the hour and of the 24 hours that it ends.

    Keys of levels end in ``_dbfs``. Where the microphone is calibrated the same levels come as sound
    pressure levels too, in keys that end in ``_db``; those of longer times only when it was all along.
    """
    levels = {
        "laeq": minute.laeq_dbfs,
        "lafmax": minute.lafmax_dbfs,
        "lcpeak": minute.lcpeak_dbfs,
        "l10": minute.l10_dbfs,
        "l50": minute.l50_dbfs,
        "l90": minute.l90_dbfs,
    }
    values: dict[str, object] = {
        "start": iso_utc(minute.minute * MINUTE_S),
        "duration_s": round(minute.duration_s, 1),
        "clock": minute.clock,
        "calibrated": minute.offset_db is not None,
        **{f"{name}_dbfs": round(level, 1) for name, level in levels.items()},
        "overload_s": round(minute.overload_s, 1),
    }
    if minute.offset_db is not None:
        values |= {f"{name}_db": round(level + minute.offset_db, 1) for name, level in levels.items()}
    for name, span in (("laeq_1h", hour), ("laeq_24h", day)):
        unit = unit_of(span)
        values[f"{name}_{unit.lower()}"] = round(energy_mean(span, unit), 1)
    periods = day_evening_night(day)
    if periods.lden is not None:
        values[f"lden_{periods.unit.lower()}"] = round(periods.lden, 1)
    return json.dumps(values, ensure_ascii=False)
