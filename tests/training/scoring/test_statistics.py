"""Figures against scikit-learn and by hand; intervals by their laws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scored import outcome, random_record, record
from sklearn import metrics

from training.errors import DataError
from training.records.jobs import JobRecord
from training.scoring.intervals import accuracy, difference, interval, macro_f1
from training.scoring.statistics import (
    Rows,
    calibration_error,
    class_figures,
    confusion,
    figures,
    over_folds,
    rows,
)


def test_figures_of_four_clips_are_those_computed_by_hand() -> None:
    clips = outcome(truth=[0, 0, 1, 1], prediction=[0, 1, 1, 1], recording=["a", "b", "c", "c"])
    got = figures(rows([record(clips)]))
    assert (got.clips, got.recordings) == (4, 3)
    assert got.accuracy == 0.75
    assert got.macro_recall == 0.75
    assert got.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert (got.foreground, got.background) == (1.0, 0.5)
    wrong = 0.1 / 9
    assert got.nll == pytest.approx((-3 * np.log(0.9) - np.log(wrong)) / 4, rel=1e-5)
    assert got.ece == pytest.approx(abs(0.75 - 0.9), rel=1e-5)


def test_weighted_recall_is_accuracy_and_weighted_f1_is_the_seed_studys() -> None:
    scored = rows([random_record("net", 0.6)])
    expected = metrics.f1_score(scored.truth, scored.prediction, average="weighted")
    assert figures(scored).weighted_f1 == pytest.approx(expected)


def test_classes_that_a_fold_lacks_do_not_lower_its_macro_figures() -> None:
    clips = outcome(truth=[0, 3], prediction=[0, 3], recording=["a", "b"])
    got = figures(rows([record(clips)]))
    assert got.macro_f1 == got.macro_recall == 1.0


def test_a_figure_of_no_clips_is_nan_not_zero() -> None:
    clips = outcome(truth=[0], prediction=[0], recording=["a"])
    assert np.isnan(figures(rows([record(clips)])).background)


def test_a_clip_counts_once_however_many_seeds_scored_it() -> None:
    one, two = outcome([0, 1], [0, 1], ["a", "b"]), outcome([0, 1], [1, 0], ["a", "b"])
    other_fold = outcome([0, 1], [0, 1], ["c", "d"], prefix="other")
    scored = rows([record(one), record(two, seed=1), record(other_fold, fold=2)])
    got = figures(scored)
    assert got.clips == 4
    assert got.accuracy == pytest.approx(0.75)
    assert confusion(scored).sum() == pytest.approx(4)


def test_class_rows_count_clips_and_recordings_of_the_class() -> None:
    clips = outcome(truth=[0, 0, 1], prediction=[0, 1, 1], recording=["a", "a", "b"])
    first, second, third = class_figures(rows([record(clips)]))[:3]
    assert (first.clips, first.recordings, first.recall, first.precision) == (2, 1, 0.5, 1.0)
    assert (second.recall, second.precision) == (1.0, 0.5)
    assert third.clips == 0
    assert np.isnan(third.recall)


def test_confidence_that_equals_accuracy_has_no_calibration_error() -> None:
    truth = [0] * 10
    clips = outcome(truth, [0] * 9 + [1], [str(i) for i in range(10)], sure=0.9)
    assert calibration_error(rows([record(clips)])) == pytest.approx(0, abs=1e-6)


def test_spread_over_folds_averages_seeds_first() -> None:
    records = [random_record("net", 0.5, fold, seed) for fold in (1, 2) for seed in (0, 1)]
    by_fold = [np.mean([r.clips.accuracy for r in records if r.job.test_fold == f]) for f in (1, 2)]
    got = over_folds(records, lambda r: r.clips.accuracy)
    assert got.folds == 2
    assert got.mean == pytest.approx(np.mean(by_fold))
    assert got.deviation == pytest.approx(abs(by_fold[0] - by_fold[1]) / np.sqrt(2))
    assert np.isnan(over_folds(records[:1], lambda r: r.clips.accuracy).deviation)


def test_measures_of_confusions_equal_scikit_learn() -> None:
    scored = rows([random_record("net", 0.55, fold, seed) for fold in (1, 2) for seed in (0, 1)])
    matrix = confusion(scored)
    assert float(accuracy(matrix)) == pytest.approx(figures(scored).accuracy)
    assert float(macro_f1(matrix)) == pytest.approx(figures(scored).macro_f1)


def test_identical_models_differ_by_exactly_nothing() -> None:
    scored = rows([random_record("net", 0.6, fold) for fold in (1, 2)])
    for measure in (accuracy, macro_f1):
        got = difference(scored, scored, measure)
        assert (got.value, got.low, got.high) == (0, 0, 0)
        assert not got.excludes_zero


def test_a_difference_turns_its_sign_with_the_order() -> None:
    first, second = (rows([random_record("net", right)]) for right in (0.8, 0.5))
    ahead, behind = difference(first, second), difference(second, first)
    assert ahead.excludes_zero
    assert ahead.value > 0.2
    assert (behind.value, behind.low, behind.high) == pytest.approx((-ahead.value, -ahead.high, -ahead.low))


def test_a_difference_is_taken_on_the_clips_that_both_scored() -> None:
    both = random_record("net", 0.5, fold=1)
    more = rows([both, random_record("net", 0.9, fold=2)])
    got = difference(more, rows([both]))
    assert (got.value, got.clips) == (0, 200)


def test_models_without_a_common_clip_cannot_be_compared() -> None:
    first, second = (rows([random_record("net", 0.5, fold)]) for fold in (1, 2))
    with pytest.raises(DataError, match="no common clip"):
        difference(first, second)


def test_records_that_disagree_on_the_truth_cannot_be_compared() -> None:
    first, second = (rows([record(outcome([t], [0], ["a"]))]) for t in (0, 1))
    with pytest.raises(DataError, match="disagree"):
        difference(first, second)


def test_records_with_other_labels_are_not_pooled() -> None:
    ours, theirs = random_record("net", 0.5), random_record("net", 0.5, labels=("rain", "dog"))
    with pytest.raises(DataError, match="different labels"):
        rows([ours, theirs])


def test_copies_of_a_clip_in_its_recording_add_no_certainty() -> None:
    rng = np.random.default_rng(3)
    right = rng.random(60) < 0.6

    def width(copies: int) -> float:
        recordings = np.repeat([f"r{i}" for i in range(60)], copies)
        prediction = np.repeat(~right, copies).astype(int)
        clips = outcome([0] * len(prediction), prediction.tolist(), recordings.tolist())
        got = interval(rows([record(clips)]))
        return got.high - got.low

    assert width(20) == pytest.approx(width(1))


def test_the_interval_covers_the_true_difference_about_as_often_as_it_says() -> None:
    """200 imagined data sets of 80 recordings, each right or wrong as a whole; true difference 0.2."""
    rng = np.random.default_rng(11)
    covered = sum(_covers(rng, 0.2) for _ in range(200))
    assert 180 <= covered <= 199


def _covers(rng: np.random.Generator, true: float) -> bool:
    sizes = rng.integers(1, 10, 80)
    right = [np.repeat(rng.random(80) < share, sizes) for share in (0.5 + true, 0.5)]
    recordings = np.repeat([f"r{i}" for i in range(80)], sizes).tolist()
    first, second = (_scored(hits, recordings) for hits in right)
    got = difference(first, second, draws=300)
    return got.low <= true <= got.high


def _scored(right: Sequence[bool], recordings: list[str]) -> Rows:
    made: JobRecord = record(outcome([0] * len(recordings), [int(not r) for r in right], recordings))
    return rows([made])
