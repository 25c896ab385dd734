"""Which threshold keeps to a target of alarms an hour."""

from __future__ import annotations

from monitor.tuning.sweep import Curve, Point


def choose(curve: Curve, alarms_per_hour: float) -> Point | None:
    """Return the threshold to take, None if none keeps to the target.

    A threshold keeps to it only if all higher ones do. With labelled sounds the one that hears
    most of them is taken, then the one with fewer alarms, then the middle of those that are
    equal. Without any the lowest is taken, but none below the present: silence shows that a
    threshold is quiet, not that a lower one is right.
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
    best = max((point.heard, -point.alarms) for point in kept)
    equal = [point for point in kept if (point.heard, -point.alarms) == best]
    return equal[len(equal) // 2]
