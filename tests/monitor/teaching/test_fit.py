"""A taught head finds what it was shown and keeps to the alarms that it was allowed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.teaching.fit import (
    EXIT_LOGIT,
    Taught,
    alarms_at,
    averaged,
    averaged_hops,
    shrunk_covariance,
    teach,
    threshold_for,
)

SIZE, HOP_S = 24, 0.5
HOUR = round(3600 / HOP_S)


def world(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


MIXING = world(1).normal(size=(SIZE, SIZE)).astype(np.float32)
SOUND = 6.0 * MIXING[0] / np.linalg.norm(MIXING[0])


def background(seed: int, rows: int) -> np.ndarray:
    return world(seed).normal(size=(rows, SIZE)).astype(np.float32) @ MIXING


def example(seed: int, rows: int = 6, apart: float = 3.0) -> np.ndarray:
    return background(seed, rows) * 0.3 + np.float32(apart) * SOUND


def taught(apart: float = 3.0, alarms_a_day: float = 24.0) -> Taught:
    examples = [example(seed, apart=apart) for seed in range(5)]
    beside = [background(100 + seed, HOUR // 4) for seed in range(8)]
    return teach(examples, beside, hop_s=HOP_S, alarms_a_day=alarms_a_day)


def logits(head: Taught, rows: np.ndarray) -> np.ndarray:
    return rows @ head.weights + head.bias


def test_it_finds_new_recordings_of_the_sound() -> None:
    head = taught()
    assert head.recall == 1.0
    assert all(logits(head, example(seed)).max() > 0 for seed in range(50, 70))


def test_a_sound_that_is_in_the_background_everywhere_is_not_promised() -> None:
    assert taught(apart=0.0).recall < 0.5


def test_the_alarms_on_a_background_that_it_has_not_seen_are_about_those_allowed() -> None:
    head = taught(alarms_a_day=48.0)
    fresh = [logits(head, background(1000 + seed, HOUR)) for seed in range(20)]
    alarms = len(alarms_at(fresh, 0.0, 4))
    assert 0.4 * 40 < alarms < 2.5 * 40
    assert head.low <= 48.0 <= head.high
    assert head.background_hours == pytest.approx(2.0)


def test_fewer_alarms_than_the_background_can_show_put_the_threshold_above_all_of_it() -> None:
    rare, common = taught(alarms_a_day=0.1), taught(alarms_a_day=240.0)
    assert rare.alarms_a_day == 0.0
    assert rare.high > 0.1
    assert rare.bias < common.bias


def test_moving_and_stretching_the_embedding_changes_nothing() -> None:
    examples = [example(seed) for seed in range(5)]
    beside = [background(100 + seed, 2000) for seed in range(4)]
    plain = teach(examples, beside, hop_s=HOP_S, alarms_a_day=24.0)
    moved = teach([8 * e + 1 for e in examples], [8 * b + 1 for b in beside], hop_s=HOP_S, alarms_a_day=24.0)
    np.testing.assert_allclose(
        logits(moved, 8 * examples[0] + 1), logits(plain, examples[0]), rtol=1e-2, atol=1e-2
    )


def test_too_little_to_learn_from_is_refused() -> None:
    with pytest.raises(ValueError, match="two examples"):
        teach([example(1)], [background(2, 2000)], hop_s=HOP_S, alarms_a_day=1.0)
    with pytest.raises(ValueError, match="a minute of background"):
        teach([example(1), example(2)], [background(2, 20)], hop_s=HOP_S, alarms_a_day=1.0)


def test_a_covariance_of_many_rows_is_hardly_shrunk_and_of_few_it_can_be_inverted() -> None:
    many = background(1, 50_000)
    many -= many.mean(0)
    np.testing.assert_allclose(shrunk_covariance(many), many.T @ many / len(many), rtol=0.05, atol=0.5)
    few = background(2, 5)
    assert np.linalg.cond(shrunk_covariance(few - few.mean(0))) < 1e6


@given(st.integers(0, 99), st.floats(0.01, 15), st.floats(1.0, 3.0))
def test_more_alarms_allowed_never_raise_the_threshold(seed: int, alarms: float, more: float) -> None:
    scores = [world(seed).normal(size=400) for _ in range(3)]
    assert threshold_for(scores, alarms * more, 4) <= threshold_for(scores, alarms, 4) + 1e-9


def test_an_alarm_lasts_as_long_as_the_score_stays_up() -> None:
    scores = np.full(60, -9.0)
    scores[5] = 1.0
    scores[9] = 3.0  # still the same alarm
    scores[20:40] = EXIT_LOGIT / 2
    scores[30] = 0.5
    scores[50] = -0.1
    assert alarms_at([scores, scores[:12]], 0.0, 4).tolist() == [3.0, 0.5, 3.0]
    assert alarms_at([scores], 2.0, 4).tolist() == [3.0]
    assert alarms_at([scores], 9.0, 4).tolist() == []


@given(st.integers(0, 99), st.integers(1, 6), st.floats(-3.0, 3.0))
def test_the_averaged_score_reaches_a_threshold_where_the_mean_of_the_scores_is_half(
    seed: int, hops: int, threshold: float
) -> None:
    logits = 3.0 * world(seed).normal(size=40)
    scores = 1.0 / (1.0 + np.exp(threshold - logits))
    means = np.convolve(scores, np.ones(hops) / hops, "valid")
    clear = np.abs(means - 0.5) > 1e-3
    assert ((averaged(logits, hops) >= threshold) == (means >= 0.5))[clear].all()


def test_a_head_whose_scores_are_averaged_keeps_to_its_alarms_and_lets_a_single_hop_pass() -> None:
    examples = [example(seed) for seed in range(5)]
    beside = [background(100 + seed, HOUR // 4) for seed in range(8)]
    head = teach(examples, beside, hop_s=HOP_S, hops=4, alarms_a_day=48.0)
    assert head.recall == 1.0
    assert head.smoothing_s == 4 * HOP_S
    fresh = [averaged(logits(head, background(1000 + seed, HOUR)), 4) for seed in range(20)]
    assert 0.4 * 40 < len(alarms_at(fresh, 0.0, 4)) < 2.5 * 40
    click = background(5, 40)
    click[20] = 10.0 * example(5)[0]
    assert logits(head, click).max() > 0
    assert averaged(logits(head, click), 4).max() < 0


def test_a_score_is_averaged_over_what_the_shortest_sound_touches_if_that_is_not_too_much() -> None:
    assert averaged_hops(1.28, 0.5) == 4
    assert averaged_hops(0.0, 0.5) == 1
    assert averaged_hops(1.0, 0.001) == 32


def test_one_outlier_of_the_background_moves_the_threshold_little() -> None:
    scores = [world(seed).normal(size=2000) for seed in range(3)]
    before = threshold_for(scores, 2.0, 4)
    scores[0][100] = 12.0
    assert before < threshold_for(scores, 2.0, 4) < before + 1.5


def test_a_background_without_anything_in_it_is_no_reason_to_fail() -> None:
    assert np.isfinite(threshold_for([np.zeros(200)], 1.0, 4))
    assert threshold_for([np.arange(200.0)], 0.5, 4) > 0
