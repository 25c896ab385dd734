"""Format curves and choices: tables to read, and lines for config.yaml."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import groupby

import yaml

from monitor.tuning.sweep import Curve, Point


def table(curve: Curve, chosen: Point | None) -> str:
    """Return a table of a class's thresholds, equal results in one row, with an arrow at the choice."""
    sounds = curve.points[0].sounds if curve.points else 0
    heading = f"{curve.label}: now {curve.present.enter:g}"
    if sounds:
        heading += f", {sounds} labelled"
    kind = "false alarms" if sounds else "alarms"
    detected = "  detected   " if sounds else "  "
    lines = [heading, f"  {'enter':15}{detected}{kind:>12}  an hour (95 %)"]
    for _, same in groupby(curve.points, key=lambda point: (point.detected, point.alarms)):
        points = list(same)
        first, last = points[0], points[-1]
        span = f"{first.enter:g}" if first is last else f"{first.enter:g}…{last.enter:g}"
        recall = f"  {first.detected:4} {first.detected / sounds:6.2f}" if sounds else "  "
        low, high = first.limits_per_hour
        line = f"  {span:15}{recall}{first.alarms:12}  {first.alarms_per_hour:.3g} ({low:.3g}…{high:.3g})"
        lines.append(line + (f"  ← {chosen.enter:g}" if chosen in points else ""))
    return "\n".join(lines)


def config_lines(
    curves: Sequence[Curve], chosen: Mapping[str, Point | None], hours: float, alarms_per_hour: float
) -> str:
    """Return the section for config.yaml; a class without a suitable threshold becomes a comment."""
    lines = [
        f"# sound-monitor tune: {hours:.3g} h of audio, at most {alarms_per_hour:g} alarms an hour and class"
    ]
    lines += [] if any(chosen.values()) else ["# no threshold meets the target"]
    lines += ["events:", "  classes:"] if any(chosen.values()) else []
    for curve in curves:
        point, name = chosen[curve.label], _key(curve.label)
        if point is None:
            lines.append(
                f"    # {name}: no threshold meets the target; try min_level_dbfs, smoothing_s, cooldown_s"
            )
            continue
        low, high = point.limits_per_hour
        detected = f"detected {point.detected} of {point.sounds}, " if point.sounds else ""
        rate = f"{point.alarms_per_hour:.3g} alarms an hour ({low:.3g}…{high:.3g})"
        lines.append(f"    {name}: {{enter: {point.enter:g}, exit: {point.exit:g}}}  # {detected}{rate}")
    return "\n".join(lines)


def _key(label: str) -> str:
    """Return a label as a YAML key, quoted if YAML would not read it as that text."""
    plain = re.fullmatch(r"\w[\w .-]*", label) and yaml.safe_load(label) == label
    return label if plain else json.dumps(label, ensure_ascii=False)
