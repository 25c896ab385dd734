"""Messages of the live WebSocket."""

from __future__ import annotations

import base64
import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.records import HopResult, Level, Near
from monitor.web.wire import BANDS, FRAMES_PER_S, HopWriter, thinned


def hop(**changes: object) -> HopResult:
    values = {
        "position": 8000,
        "time_s": 0.5,
        "scores": np.array([0.25, 0.9996], np.float32),
        "level": Level(-31.26, -20.0, -50.0, 2),
        **changes,
    }
    return HopResult(**values)  # type: ignore[arg-type]


def test_a_hop_is_small_numbers_and_reasons() -> None:
    near = Near("siren", 0.25, "below_threshold", 0.24, 0.4)
    message = json.loads(HopWriter(0.5).write(hop(near=(near,)), 1000.0))
    assert message["scores"] == [250, 1000]
    assert message["level"] == [-31.3, -20.0, -50.0]
    assert message["near"][0]["text"] == "below threshold, smoothed 0.24 of 0.40"
    assert "rows" not in message


def test_a_picture_comes_thinned_as_bytes() -> None:
    features = np.random.default_rng(0).normal(size=(100, 128)).astype(np.float32)
    message = json.loads(HopWriter(0.5).write(hop(features=features), 0.0))
    rows = np.frombuffer(base64.b64decode(message["rows"]), np.uint8).reshape(-1, message["bands"])
    assert rows.shape == (round(0.5 * FRAMES_PER_S), BANDS)
    assert rows.min() == 0
    assert rows.max() == 255


def test_the_range_follows_slowly_so_that_the_picture_does_not_flicker() -> None:
    writer = HopWriter(0.5)
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (10, 1))

    def brightest(features: np.ndarray) -> int:
        message = json.loads(writer.write(hop(features=features), 0.0))
        return max(base64.b64decode(message["rows"]))

    assert brightest(ramp) == 255
    assert 100 < brightest(ramp / 2) < 140
    assert brightest(ramp * 2) == 255


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 20), st.integers(1, 20))
def test_thinning_averages_neighbours_and_keeps_what_is_small_enough(
    rows: int, columns: int, most_rows: int, most_columns: int
) -> None:
    values = np.ones((rows, columns), np.float32)
    thin = thinned(values, most_rows, most_columns)
    assert thin.shape[0] <= most_rows
    assert thin.shape[1] <= most_columns
    np.testing.assert_allclose(thin, 1.0)
    if rows <= most_rows and columns <= most_columns:
        assert thin.shape == values.shape
