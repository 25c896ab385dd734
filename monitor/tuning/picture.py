"""Draw the curves as SVG, one panel for each class, without a plotting library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, log1p

from monitor.tuning.sweep import Curve, Point

_WIDTH, _HEIGHT = 230.0, 150.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 12.0, 26.0, 40.0
_COLUMNS = 3
_TICKS_PER_HOUR = (0.0, 1.0, 5.0, 20.0, 100.0, 500.0)
_STYLE = (
    "text{font:10px sans-serif;fill:#333}.name{font-weight:bold}.axis{stroke:#999;fill:none}"
    ".range{stroke:#9bd;stroke-width:1}.curve{stroke:#147;stroke-width:1.5;fill:none}"
    ".dot{fill:#147}.chosen{fill:none;stroke:#d40;stroke-width:2}"
)


def svg(curves: Sequence[Curve], chosen: Mapping[str, Point | None]) -> str:
    """Draw recall against false alarms an hour; without labels, alarms an hour against the threshold.

    The axis of alarms is logarithmic from 1; thin lines are 95 % intervals, the circle marks the
    chosen threshold.
    """
    columns = min(_COLUMNS, len(curves))
    width, height = columns * _WIDTH, ceil(len(curves) / columns) * _HEIGHT
    most = max((p.alarms_per_hour for curve in curves for p in curve.points), default=0.0)
    panels = [
        f'<g transform="translate({number % columns * _WIDTH:g},{number // columns * _HEIGHT:g})">'
        f"{_panel(curve, chosen[curve.label], max(most, 1.0))}</g>"
        for number, curve in enumerate(curves)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}"><style>{_STYLE}</style>'
        f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(panels) + "\n</svg>\n"
    )


def _panel(curve: Curve, chosen: Point | None, most: float) -> str:
    labelled = any(point.sounds for point in curve.points)

    def place(point: Point, per_hour: float) -> tuple[float, float]:
        share = log1p(min(per_hour, most)) / log1p(most)
        return _at(share, point.detected / point.sounds) if labelled else _at(point.enter, share)

    marks = [_frame(curve.label, labelled, most)]
    for point in curve.points:
        (x1, y1), (x2, y2) = (place(point, limit) for limit in point.limits_per_hour)
        marks.append(f'<line class="range" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')
    spots = [place(point, point.alarms_per_hour) for point in curve.points]
    marks.append(f'<polyline class="curve" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in spots)}"/>')
    marks += [f'<circle class="dot" r="2" cx="{x:.1f}" cy="{y:.1f}"/>' for x, y in spots]
    if chosen is not None:
        x, y = place(chosen, chosen.alarms_per_hour)
        marks.append(f'<circle class="chosen" r="5" cx="{x:.1f}" cy="{y:.1f}"/>')
    return "".join(marks)


def _at(x: float, y: float) -> tuple[float, float]:
    """Return the position in a panel of fractions of its axes, 0 … 1."""
    return _LEFT + x * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - y * (_HEIGHT - _TOP - _BOTTOM)


def _frame(label: str, labelled: bool, most: float) -> str:
    shares = [(f"{tick:g}", log1p(tick) / log1p(most)) for tick in _TICKS_PER_HOUR if tick <= most]
    plain = [("0", 0.0), ("0.5", 0.5), ("1", 1.0)]
    (x0, y0), (x1, y1) = _at(0.0, 0.0), _at(1.0, 1.0)
    across, up = (shares, plain) if labelled else (plain, shares)
    names = ("false alarms an hour", "recall") if labelled else ("enter", "alarms an hour")
    texts = [
        f'<path class="axis" d="M{x0:g},{y1:g}V{y0:g}H{x1:g}"/>',
        f'<text class="name" x="{x0:g}" y="{_TOP - 10:g}">{escape(label)}</text>',
        f'<text text-anchor="middle" x="{(x0 + x1) / 2:g}" y="{_HEIGHT - 10:g}">{names[0]}</text>',
        f'<text text-anchor="middle" transform="translate(12,{(y0 + y1) / 2:g}) rotate(-90)">{names[1]}'
        "</text>",
    ]
    texts += [
        f'<text text-anchor="middle" x="{_at(share, 0)[0]:.1f}" y="{y0 + 12:g}">{text}</text>'
        for text, share in across
    ]
    texts += [
        f'<text text-anchor="end" x="{x0 - 4:g}" y="{_at(0, share)[1] + 3:.1f}">{text}</text>'
        for text, share in up
    ]
    return "".join(texts)
