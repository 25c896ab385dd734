"""Elevation of the sun. No side effects.

Reference: the low-precision formulas of the Astronomical Almanac, accurate to 0.01° from 1950 to 2050.
"""

from __future__ import annotations

import math

_J2000 = 946_728_000.0
"""2000-01-01T12:00Z, seconds since 1970."""
HORIZON_DEG = -0.833
"""Elevation of the sun's centre at sunrise and sunset: refraction and half of its disc."""


def elevation_deg(utc: float, latitude: float, longitude: float) -> float:
    """Return the sun's elevation.

    Parameters
    ----------
    utc : float
        Seconds since 1970.
    latitude, longitude : float
        Degrees, north and east positive.

    Returns
    -------
    float
        Degrees above the horizon, without refraction.
    """
    days = (utc - _J2000) / 86400.0
    anomaly = math.radians((357.528 + 0.9856003 * days) % 360.0)
    mean = 280.460 + 0.9856474 * days
    ecliptic = math.radians((mean + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly)) % 360.0)
    obliquity = math.radians(23.439 - 0.0000004 * days)
    ascension = math.atan2(math.cos(obliquity) * math.sin(ecliptic), math.cos(ecliptic))
    declination = math.asin(math.sin(obliquity) * math.sin(ecliptic))
    sidereal = math.radians((280.46062 + 360.98564737 * days + longitude) % 360.0)
    hour = sidereal - ascension
    north = math.radians(latitude)
    sine = math.sin(north) * math.sin(declination) + math.cos(north) * math.cos(declination) * math.cos(hour)
    return math.degrees(math.asin(max(-1.0, min(1.0, sine))))
