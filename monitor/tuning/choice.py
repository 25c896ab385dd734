"""Choose the threshold of a class for a target rate of alarms."""

from __future__ import annotations

from monitor.tuning.sweep import Curve, Point


def choose(curve: Curve, alarms_per_hour: float) -> Point | None:
    """Return the threshold to use, or None if none meets the target.

    A threshold meets it only if all higher ones do. With labelled sounds, the threshold that
    detects most of them is chosen, then the one with fewest alarms, then the middle of equals.
    Without labels the lowest is chosen, but none below the present one: a quiet recording shows
    that a threshold raises no alarms, not that a lower one would still detect the class.
    """
    kept: list[Point] = []
    for point in reversed(curve.points):
        if point.alarms_per_hour > alarms_per_hour:
            break
        kept.insert(0, point)
    if not kept:
        return None
    if not kept[0].sounds:
        return next((point for point in kept if point.enter >= curve.present.enter), kept[-1])
    best = max((point.detected, -point.alarms) for point in kept)
    equal = [point for point in kept if (point.detected, -point.alarms) == best]
    return equal[len(equal) // 2]
