"""Render a report as HTML, CSV and SVG. No side effects."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from html import escape

from monitor.clock import iso_utc
from monitor.history.report import Occurrence, Report

_CELL, _LEFT, _TOP = 22, 110, 24
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#111}
table{border-collapse:collapse;margin:1em 0}
td,th{padding:.15em .8em;text-align:right;border-bottom:1px solid #ddd}
td:first-child,th:first-child{text-align:left}svg{max-width:100%;height:auto}p.note{color:#555}
@media print{body{margin:0}tr{break-inside:avoid}}"""
_NOTE = (
    "Recognised automatically; single events may be wrong or missing. Times are local. Levels in dBFS are "
    "relative to the recorder's full scale; dB(A) are given where the microphone was calibrated, which does "
    "not make it a certified sound level meter."
)


@dataclass(frozen=True)
class Heading:
    """The subject of a report.

    Parameters
    ----------
    node : str
        Node where it was recorded.
    labels : tuple of str
        Requested labels; empty = all.
    span : str
        Requested time span, in words.
    models : tuple of str
        Models that recognised the events.
    """

    node: str
    labels: tuple[str, ...]
    span: str
    models: tuple[str, ...]


def to_csv(report: Report) -> str:
    """Return CSV with one line per event, times in UTC."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["start", "end", "label", "duration_s", "level_dbfs", "lafmax_db"])
    for one in report.occurrences:
        end = "" if one.duration_s is None else iso_utc(one.start + one.duration_s)
        duration = "" if one.duration_s is None else f"{one.duration_s:.3f}"
        loudest = "" if one.lafmax_db is None else f"{one.lafmax_db:.1f}"
        writer.writerow([iso_utc(one.start), end, one.label, duration, f"{one.level_dbfs:.1f}", loudest])
    return text.getvalue()


def to_svg(report: Report) -> str:
    """Return a chart with a row per day and a column per hour; darker cells had sound for longer."""
    width, height = _LEFT + 24 * _CELL + 8, _TOP + len(report.days) * _CELL + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for hour in range(0, 24, 3):
        parts.append(f'<text x="{_LEFT + hour * _CELL}" y="{_TOP - 8}">{hour:02}</text>')
    most = max((max(day.seconds) for day in report.days), default=0.0) or 1.0
    for row, day in enumerate(report.days):
        y = _TOP + row * _CELL
        parts.append(f'<text x="4" y="{y + 15}">{day.day:%a %Y-%m-%d}</text>')
        for hour, seconds in enumerate(day.seconds):
            # The square root keeps short sounds visible beside long ones.
            shade = 0.0 if not seconds else 0.15 + 0.85 * (seconds / most) ** 0.5
            tip = f"{day.day} {hour:02}:00, {seconds:.0f} s"
            parts.append(
                f'<rect x="{_LEFT + hour * _CELL}" y="{y}" width="{_CELL - 2}" height="{_CELL - 2}" '
                f'fill="#0b5394" fill-opacity="{shade:.2f}" stroke="#ddd"><title>{tip}</title></rect>'
            )
    return "\n".join([*parts, "</svg>"]) + "\n"


def to_html(report: Report, heading: Heading, local: Callable[[float], datetime]) -> str:
    """Return a self-contained HTML page."""
    what = ", ".join(heading.labels) or "all sounds"
    title = escape(f"{what} at {heading.node}, {heading.span}")
    days = "".join(
        f"<tr><td>{day.day:%a %Y-%m-%d}</td><td>{day.events}</td><td>{clock(sum(day.seconds))}</td></tr>"
        for day in report.days
    )
    events = "".join(_row(one, local) for one in report.occurrences)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>
<h1>{title}</h1>
<p>{len(report.occurrences)} events, {clock(report.seconds)} in all.</p>
{to_svg(report)}
<table><tr><th>day</th><th>events begun</th><th>duration</th></tr>{days}
<tr><th>all</th><th>{len(report.occurrences)}</th><th>{clock(report.seconds)}</th></tr></table>
<table><tr><th>begin</th><th>sound</th><th>duration</th><th>dBFS</th><th>dB(A) max</th></tr>{events}</table>
<p class="note">{_NOTE} Model: {escape(", ".join(heading.models) or "none")}.</p>
</html>
"""


def clock(seconds: float) -> str:
    """Format a duration as hours, minutes and seconds."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def _row(one: Occurrence, local: Callable[[float], datetime]) -> str:
    duration = "unknown" if one.duration_s is None else f"{one.duration_s:.1f} s"
    loudest = "" if one.lafmax_db is None else f"{one.lafmax_db:.0f}"
    return (
        f"<tr><td>{local(one.start):%Y-%m-%d %H:%M:%S}</td><td>{escape(one.label)}</td><td>{duration}</td>"
        f"<td>{one.level_dbfs:.0f}</td><td>{loudest}</td></tr>"
    )
