"""Levels over hours and days, computed from minutes: LAeq, Lden, percentiles, maxima."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from monitor.level.minutes import MINUTE_S, Minute, distribution, exceeded, spread

Unit = Literal["dB", "dBFS"]
Period = Literal["day", "evening", "night"]

_LENGTH_H: dict[Period, int] = {"day": 12, "evening": 4, "night": 8}
_PENALTY_DB: dict[Period, float] = {"day": 0.0, "evening": 5.0, "night": 10.0}


@dataclass(frozen=True, slots=True)
class Summary:
    """The noise of a period of any length, A-weighted.

    Parameters
    ----------
    unit : str
        Of all levels here: ``dB`` when every minute was calibrated, else ``dBFS``.
    duration_s : float
        What was measured, seconds.
    laeq, lafmax, lcpeak, l10, l50, l90 : float
        As in :class:`~monitor.level.minutes.Minute`; percentiles are interpolated within 1 dB.
    overload_s : float
        Time in which samples reached full scale, seconds.
    """

    unit: Unit
    duration_s: float
    laeq: float
    lafmax: float
    lcpeak: float
    l10: float
    l50: float
    l90: float
    overload_s: float


@dataclass(frozen=True, slots=True)
class DayEveningNight:
    """Lden and the equivalent levels of its periods, A-weighted; None where nothing was measured.

    Parameters
    ----------
    unit : str
        As in :class:`Summary`.
    covered : float
        Measured share of the period that was measured least, 0…1.
    """

    unit: Unit
    lden: float | None
    day: float | None
    evening: float | None
    night: float | None
    covered: float


def summarise(minutes: Sequence[Minute]) -> Summary | None:
    """Return the levels over all minutes; None if there are none."""
    if not minutes:
        return None
    unit = unit_of(minutes)
    offsets = [_offset(minute, unit) for minute in minutes]
    levels = [spread(minute.distribution) + offset for minute, offset in zip(minutes, offsets, strict=True)]
    l10, l50, l90 = exceeded(np.concatenate(levels))
    return Summary(
        unit=unit,
        duration_s=sum(minute.duration_s for minute in minutes),
        laeq=energy_mean(minutes, unit),
        lafmax=max(minute.lafmax_dbfs + offset for minute, offset in zip(minutes, offsets, strict=True)),
        lcpeak=max(minute.lcpeak_dbfs + offset for minute, offset in zip(minutes, offsets, strict=True)),
        l10=l10,
        l50=l50,
        l90=l90,
        overload_s=sum(minute.overload_s for minute in minutes),
    )


def day_evening_night(
    minutes: Sequence[Minute], hour_of: Callable[[int], int] | None = None
) -> DayEveningNight:
    """Return Lden over the minutes of one day, or of any 24 hours.

    Parameters
    ----------
    hour_of : callable or None
        The local hour, 0…23, in which a minute since 1970 lies; None: of the machine's time zone.
    """
    unit = unit_of(minutes)
    periods: dict[Period, list[Minute]] = {"day": [], "evening": [], "night": []}
    for minute in minutes:
        periods[period_of((hour_of or local_hour)(minute.minute))].append(minute)
    levels = {name: energy_mean(part, unit) if part else None for name, part in periods.items()}
    covered = min(
        sum(minute.duration_s for minute in part) / (_LENGTH_H[name] * 3600) for name, part in periods.items()
    )
    return DayEveningNight(unit, _lden(levels), levels["day"], levels["evening"], levels["night"], covered)


def period_of(hour: int) -> Period:
    """Return the period in which a local hour lies, 0…23 (Directive 2002/49/EC, Annex I)."""
    return "day" if 7 <= hour < 19 else "evening" if 19 <= hour < 23 else "night"


def local_hour(minute: int) -> int:
    """Return the hour of the machine's time zone in which a minute since 1970 lies."""
    return time.localtime(minute * MINUTE_S).tm_hour


def unit_of(minutes: Iterable[Minute]) -> Unit:
    """Return the unit in which these minutes can be combined."""
    return "dB" if all(minute.offset_db is not None for minute in minutes) else "dBFS"


def joined(first: Minute, second: Minute) -> Minute:
    """Merge two parts of the same minute, for example before and after a restart."""
    both = (first, second)
    levels = np.concatenate([spread(part.distribution) for part in both])
    l10, l50, l90 = exceeded(levels)
    return replace(
        second,
        duration_s=first.duration_s + second.duration_s,
        laeq_dbfs=energy_mean(both, "dBFS"),
        lafmax_dbfs=max(first.lafmax_dbfs, second.lafmax_dbfs),
        lcpeak_dbfs=max(first.lcpeak_dbfs, second.lcpeak_dbfs),
        l10_dbfs=l10,
        l50_dbfs=l50,
        l90_dbfs=l90,
        overload_s=first.overload_s + second.overload_s,
        distribution=distribution(levels.tolist()),
    )


def _lden(levels: dict[Period, float | None]) -> float | None:
    total = 0.0
    for name, level in levels.items():
        if level is None:
            return None
        total += _LENGTH_H[name] * 10 ** ((level + _PENALTY_DB[name]) / 10)
    return 10 * math.log10(total / 24)


def energy_mean(minutes: Sequence[Minute], unit: Unit) -> float:
    """Return the equivalent level over all minutes; there must be at least one."""
    energy = sum(m.duration_s * 10 ** ((m.laeq_dbfs + _offset(m, unit)) / 10) for m in minutes)
    return 10 * math.log10(energy / sum(minute.duration_s for minute in minutes))


def _offset(minute: Minute, unit: Unit) -> float:
    return minute.offset_db or 0.0 if unit == "dB" else 0.0
