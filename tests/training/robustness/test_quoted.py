"""docs/robustness.md quotes tables of the report; what it quotes is what the report holds."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
REPORT = ROOT / "docs/results/robustness"
NAMES = {
    "none": "clean",
    "a street, 5 dB louder than the sound": "street-5",
    "a street as loud": "street+0",
    "a street 10 dB below": "street+10",
    "white noise, 5 dB louder": "white-5",
    "white noise as loud": "white+0",
    "pink noise as loud": "pink+0",
    "speech, 5 dB louder": "speech-5",
    "speech as loud": "speech+0",
    "room, RT60 1 s": "room-1.0",
    "room, RT60 0.3 s": "room-0.3",
    "covered microphone": "microphone-covered",
    "telephone": "microphone-telephone",
    "nothing above 2 kHz": "low-pass-2000",
    "nothing above 4 kHz": "low-pass-4000",
    "clipped by 24 dB": "clipped-24",
    "clipped by 6 dB": "clipped-6",
    "Opus, 12 kbit/s": "opus-12",
    "Opus, 64 kbit/s": "opus-64",
    "MP3, 32 kbit/s": "mp3-32",
    "20 dB quieter": "gain-20",
    "40 dB quieter": "gain-40",
    "12 dB louder, cut off": "gain+12",
}


def quoted(head: str) -> dict[str, list[str]]:
    """The rows of the page's table whose first line begins with ``head``, by their first cell."""
    lines = (ROOT / "docs/robustness.md").read_text().split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith(head))
    rows = lines[start + 2 : lines.index("", start)]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {first: others for first, *others in cells}


def held(name: str) -> dict[tuple[str, str], list[dict[str, str]]]:
    """The report's rows by model and disturbance."""
    rows: dict[tuple[str, str], list[dict[str, str]]] = {}
    with (REPORT / name).open() as file:
        for row in csv.DictReader(file):
            rows.setdefault((row["model"], row["disturbance"]), []).append(row)
    return rows


def points(share: float) -> str:
    whole = math.floor(abs(share) * 100 + 0.5)
    return f"−{whole}" if share < 0 and whole else str(whole)


@pytest.mark.parametrize(("column", "model"), [(0, "default"), (1, "compact~epochs=30")])
def test_points_lost_are_those_of_the_report(column: int, model: str) -> None:
    report, page = held("everyday.csv"), quoted("| corruption | 0.7.0 |")
    accuracy = page.pop("none: accuracy")[column]

    def only(disturbance: str) -> dict[str, str]:
        (row,) = (row for row in report[model, disturbance] if row["folds"] == "1 2 3")
        return row

    assert accuracy == f"{float(only('clean')['accuracy']):.2f}".lstrip("0")
    for corruption, cells in page.items():
        row = only(NAMES[corruption])
        lost, low, high = (points(float(row[key])) for key in ("lost", "lost from", "lost to"))
        assert cells[column] == f"{lost} ({low} to {high})", corruption


def test_reports_are_those_of_the_report() -> None:
    report = held("everyday-alerts.csv")
    for corruption, cells in quoted("| corruption | `quiet`").items():
        (row,) = report["default", NAMES[corruption]]
        shares = [float(row[key]) for key in list(row)[3:]]
        assert cells == [f"{points(share)} %" for share in shares], corruption
