"""The page on the level meter, from its record.

    python benchmarks/level_page.py

matplotlib comes with the extra ``training``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from campaign import ROOT

sys.path.insert(0, str(ROOT / "tests" / "monitor" / "level"))
from iec61672 import RATES, WEIGHTINGS, exact_hz

from training.base.report import Report, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESULTS = ROOT / "docs" / "results" / "level"
Deviations = Mapping[str, tuple[float, float]]
"""By nominal frequency: dB by which a sine through the filters differs from the table, A and C."""


def main() -> None:
    write(compose(RESULTS), RESULTS)


def compose(folder: Path) -> Report:
    """Return the page and the picture of the record in ``folder``."""
    record = json.loads((folder / "level.json").read_text(encoding="utf-8"))
    return Report(_page(record), {"weightings.png": _draw(_by_rate(record["weightings"]))}, {})


def _by_rate(values: Mapping[str, Any]) -> dict[int, Any]:
    return {int(rate): value for rate, value in values.items()}


def _draw(weightings: Mapping[int, Deviations]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    rows = figure.subplots(2, 1, sharex=True)
    hz = [exact_hz(nominal) for nominal in WEIGHTINGS]
    low, high = ([row[column] for row in WEIGHTINGS.values()] for column in (2, 3))
    for column, (axes, name) in enumerate(zip(rows, "AC", strict=True)):
        axes.fill_between(hz, np.maximum(low, -6.0), high, step="mid", color="0.92", label="class 2")
        for rate, found in weightings.items():
            at = [exact_hz(float(nominal)) for nominal in found]
            axes.plot(at, [pair[column] for pair in found.values()], marker=".", label=f"{rate / 1000:g} kHz")
        axes.set(xscale="log", ylim=(-6, 6), ylabel=f"{name}: deviation, dB")
        axes.grid(alpha=0.3)
    rows[0].legend(ncols=6, fontsize=8, loc="lower center")
    rows[1].set_xlabel("frequency, Hz")
    return figure


def _page(record: Mapping[str, Any]) -> str:
    weightings, bursts = _by_rate(record["weightings"]), _by_rate(record["bursts"])
    history, cost = record["history"], record["cost"]
    lines = [
        "# The level meter",
        "",
        f"Made by `{record['command']}` at commit {record['commit']};"
        " what the figures mean is in [level.md](../../level.md).",
        "",
        "Deviation of sines through the filters from the design goals of IEC 61672-1:2013, Table 3, A / C"
        " in dB. The goals are rounded to 0.1 dB.",
        "",
        "![deviation of the weightings](weightings.png)",
        "",
        "| Hz | " + " | ".join(f"{rate / 1000:g} kHz" for rate in RATES) + " | class 2 |",
        "|---|" + "---|" * (len(RATES) + 1),
    ]
    for nominal, (_, _, low, high) in WEIGHTINGS.items():
        pairs = [weightings[rate].get(f"{nominal:g}") for rate in RATES]
        cells = ["" if pair is None else f"{pair[0]:+.2f} / {pair[1]:+.2f}" for pair in pairs]
        limits = f"±{high:g}" if low == -high else f"+{high:g}; −∞"
        lines.append(f"| {nominal:g} | " + " | ".join(cells) + f" | {limits} |")
    lines += [
        "",
        "Largest deviation from Table 4, tone bursts of 4 kHz, dB:",
        "",
        "| | " + " | ".join(f"{rate / 1000:g} kHz" for rate in RATES) + " |",
        "|---|" + "---|" * len(RATES),
        "| F, 1000 to 0.25 ms | " + " | ".join(f"{bursts[rate]['fast_max']:+.2f}" for rate in RATES) + " |",
        "| S, 1000 to 2 ms | " + " | ".join(f"{bursts[rate]['slow_max']:+.2f}" for rate in RATES) + " |",
        "",
        f"**History**: a year of minutes takes {history['year_bytes'] / 1e6:.1f} MB (50 were allowed), of"
        f" {history['measured_minutes']} different minutes of recordings.",
        "",
        f"**Cost** of {cost['audio_s'] / 3600:g} h at 22.05 kHz: {cost['meter_s']:.2f} of"
        f" {cost['replay_s']:.2f} CPU-seconds of the replay, {100 * cost['share']:.1f} % (3 % were"
        f" asked for); resampling takes {cost['resampling_s']:.2f}.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
