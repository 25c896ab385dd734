"""Scores that mean what they say have no calibration error; others have as much as they are off."""

from __future__ import annotations

import numpy as np
import pytest

from training.scoring.reliability import BINS, diagram, reliability, table

LABELS = ("siren", "dog_bark")


@pytest.fixture(scope="module")
def honest() -> tuple[np.ndarray, np.ndarray]:
    """Each window holds a label with just the probability that it scores."""
    rng = np.random.default_rng(0)
    scores = rng.random((60_000, 2))
    return scores, (rng.random(scores.shape) < scores).astype(float)


def test_calibrated_scores_have_no_calibration_error(honest: tuple[np.ndarray, np.ndarray]) -> None:
    for row in reliability(*honest, LABELS):
        assert row.ece < 0.01
        assert np.nanmax(np.abs(row.score - row.present)) < 0.04
        # The mean of s(1 − s) and of the entropy over evenly spread scores.
        assert row.brier == pytest.approx(1 / 6, abs=0.005)
        assert row.nll == pytest.approx(0.5, abs=0.01)


def test_overconfident_scores_have_a_calibration_error(honest: tuple[np.ndarray, np.ndarray]) -> None:
    scores, targets = honest
    odds = scores**4 / (scores**4 + (1 - scores) ** 4)
    for sure, fair in zip(
        reliability(odds, targets, LABELS), reliability(scores, targets, LABELS), strict=True
    ):
        assert sure.ece > 0.1
        assert sure.nll > fair.nll
        assert sure.brier > fair.brier


def test_a_score_that_is_always_off_by_as_much_has_that_error() -> None:
    targets = np.zeros((1000, 1))
    targets[:300] = 1
    found = reliability(np.full((1000, 1), 0.8), targets, ("siren",))[0]
    assert found.ece == pytest.approx(0.5)
    assert found.brier == pytest.approx(0.3 * 0.04 + 0.7 * 0.64)
    assert found.nll == pytest.approx(-0.3 * np.log(0.8) - 0.7 * np.log(0.2))


def test_certain_and_right_is_perfect_at_both_ends() -> None:
    targets = np.array([[0.0], [1.0]])
    row = reliability(targets, targets, ("siren",))[0]
    assert (row.ece, row.brier) == (0.0, 0.0)
    assert row.nll < 1e-6
    assert row.windows[[0, BINS - 1]].tolist() == [1, 1]


def test_targets_between_zero_and_one_are_refused() -> None:
    with pytest.raises(ValueError, match="0 or 1"):
        reliability(np.full((2, 1), 0.5), np.full((2, 1), 0.9), ("siren",))


def test_the_table_and_the_diagram_name_every_label(honest: tuple[np.ndarray, np.ndarray]) -> None:
    pytest.importorskip("matplotlib")
    rows = reliability(*honest, LABELS)
    assert [line[0] for line in table(rows).rows] == [*LABELS, "all"]
    assert [axes.get_title().split(",")[0] for axes in diagram(rows).axes if axes.axison] == [*LABELS, "all"]
