"""Recall against false alarms an hour: what the picture counts."""

from __future__ import annotations

import numpy as np

from training.data.corpora import CLASSES, LABELS
from training.mixing.streams import Scored
from training.recipes.transfer.beside.curve import NEW, curve, picture, table
from training.recipes.transfer.beside.smoothing import shares

COLUMN = CLASSES.index("siren")


def stream(peaks: dict[int, float], rows: int, label: str = "", **facts: object) -> Scored:
    scores = np.full((rows, len(LABELS)), 0.01, np.float32)
    for row, score in peaks.items():
        scores[row, COLUMN] = score
    times = 0.5 * np.arange(1, rows + 1)
    return Scored("street/one", label, 5.0, 10.0, times, scores, (), **facts)  # type: ignore[arg-type]


def test_a_sound_is_reported_above_the_level_that_background_reaches_so_often() -> None:
    # An hour with three alarms, two of them within six seconds, and one more in a repeated stretch.
    bed = stream({100: 0.9, 104: 0.8, 2000: 0.6, 7000: 0.95}, 7200, again=((3490.0, 3510.0),))
    alone = [stream({12: score}, 30, "siren") for score in (0.95, 0.7, 0.3)]
    alone += [stream({28: 0.99}, 30, "siren")]  # long after its end
    points = dict(curve([(alone, [bed])], COLUMN))
    assert points[0.3] == 1 / 4
    assert points[min(rate for rate in points if rate >= 1.0)] == 2 / 4
    assert points[min(rate for rate in points if rate >= 2.0)] == 3 / 4


def test_a_mean_over_windows_passes_what_lasts_and_not_what_jumps() -> None:
    bed = stream({100: 0.9, 2000: 0.6}, 7200)
    lasting = stream({12: 0.8, 13: 0.8, 14: 0.8}, 30, "siren")
    found = shares([([lasting], [bed])])
    assert (found["1"][0], found["2"][0], found["3"][0]) == (0.0, 1.0, 1.0)
    assert found["1"][1] == 1.0


def test_the_table_and_the_picture_hold_every_class_and_system() -> None:
    points = [[0.3, 0.1], [60.0, 0.9]]
    record = {"command": "x", "curves": {name: dict.fromkeys(CLASSES, points) for name in (NEW, "YAMNet")}}
    assert len(table(record).rows) == 2 * len(CLASSES)
    assert len(picture(record).axes) == len(CLASSES)
