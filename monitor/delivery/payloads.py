"""JSON payloads of the level, noise, near and health topics; pure. Event payloads are in records.py."""

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
    """State of the monitor.

    Parameters
    ----------
    microphone : Literal['starting', 'listening', 'lost', 'off']
        State of the live source, whatever its kind; ``starting`` until its first audio, ``off`` when
        deliberately switched off.
    version : str
        Version of this program.
    model, model_version : str
        Name and version of the model.
    uptime_s : float
        Seconds since the start.
    reason : str or None
        Why the source is lost or off.
    dropped_s : float
        Seconds of audio lost since the start because the machine was too slow.
    overflows : int
        Losses since the start that the driver reported, without saying how long they were.
    inference_ms : float or None
        Recent average of the model's time per hop, milliseconds.
    delay_s : float or None
        Recent average of the age of the audio at the time of the decision, seconds.
    queue : int
        Events not yet acknowledged by the broker.
    dropped_events : int
        Events rejected because the disk was too slow.
    dropped_clips : int
        Recordings not kept because the disk was too slow or refused them.
    expired : int
        Events given up undelivered.
    history, broker : str or None
        Why the disk or the broker cannot be used; None when all is well.
    page : str or None
        Address of the page, if other machines can open it.
    """

    microphone: Literal["starting", "listening", "lost", "off"]
    version: str
    model: str
    model_version: str
    uptime_s: float
    reason: str | None = None
    dropped_s: float = 0.0
    overflows: int = 0
    inference_ms: float | None = None
    delay_s: float | None = None
    queue: int = 0
    dropped_events: int = 0
    dropped_clips: int = 0
    expired: int = 0
    history: str | None = None
    broker: str | None = None
    page: str | None = None

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
    """Return a JSON object with the value reached and the limit, by label; see :class:`Near`."""
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
    """Return a JSON object with the levels of a minute and of the hour and the 24 hours ending with it.

    Keys of levels end in ``_dbfs``. If the microphone is calibrated, the levels are also given as sound
    pressure levels, under keys ending in ``_db``; for the longer periods only if it was calibrated
    throughout.

    Parameters
    ----------
    minute : Minute
        The minute to report.
    hour, day : sequence of Minute
        The minutes of the hour and of the 24 hours ending with it.
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
