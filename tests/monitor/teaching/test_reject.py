"""A head that rejects a false alarm rejects what is like it, and nothing that merely goes as far."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.teaching.reject import NEARNESS, Rejecting, reject

SIZE, HOP_S, SPREAD = 24, 0.5, 0.3
DIRECTIONS = np.eye(SIZE, dtype=np.float32)
FALSE, OTHER = 3.0 * DIRECTIONS[0], 3.0 * DIRECTIONS[1]


def rows(seed: int, count: int, centre: np.ndarray | float = 0.0, spread: float = SPREAD) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0.0, spread, (count, SIZE))
    return (noise + centre).astype(np.float32)


BACKGROUND = rows(0, 2000)


def rejected(head: Rejecting, embeddings: np.ndarray) -> np.ndarray:
    logits = embeddings @ head.weights.T + head.bias
    return np.asarray((logits > np.linalg.norm(embeddings - head.centre, axis=1, keepdims=True)).any(1))


@pytest.mark.parametrize("level", [0.7, 1.0, 2.0])
def test_the_sound_is_rejected_however_far_it_stands_from_the_background(level: float) -> None:
    head = reject([rows(1, 4, FALSE, 0.05)], [], BACKGROUND, hop_s=HOP_S)
    assert rejected(head, rows(2, 50, level * FALSE, 0.05)).all()


def test_what_goes_as_far_that_way_and_further_another_way_is_not_rejected() -> None:
    head = reject([rows(1, 4, FALSE, 0.05)], [], BACKGROUND, hop_s=HOP_S)
    assert not rejected(head, rows(2, 50, FALSE + 2.0 * OTHER, 0.05)).any()
    assert rejected(head, BACKGROUND).mean() <= 0.01  # by chance: there are but 24 dimensions


def test_a_moment_that_is_to_stay_raises_the_threshold_above_it() -> None:
    near = FALSE + 0.6 * OTHER
    alarms, others = [rows(1, 4, FALSE, 0.02)], [rows(seed, 4, near, 0.02) for seed in range(2, 8)]
    assert rejected(reject(alarms, [], BACKGROUND, hop_s=HOP_S), np.concatenate(others)).all()
    head = reject(alarms, others, BACKGROUND, hop_s=HOP_S)
    assert rejected(head, np.concatenate(others)).mean() <= 0.1
    assert rejected(head, rows(9, 50, FALSE, 0.02)).all()
    assert head.lost <= 1 / 6


def test_it_says_how_many_false_alarms_the_others_reject() -> None:
    alarms = [rows(1, 4, FALSE, 0.05), rows(2, 4, FALSE, 0.05), rows(3, 4, OTHER, 0.05)]
    head = reject(alarms, [], BACKGROUND, hop_s=HOP_S)
    assert (head.examples, head.found) == (3, 2)


def test_the_logit_exceeds_the_distance_where_the_cosine_exceeds_the_threshold() -> None:
    head = reject([FALSE[None]], [], BACKGROUND, hop_s=HOP_S)
    aim = FALSE - head.centre
    aim /= np.linalg.norm(aim)
    aside = np.linalg.qr(np.column_stack([aim, DIRECTIONS[5]]))[0][:, 1]
    for cosine in (NEARNESS - 0.02, NEARNESS + 0.02):
        embedding = head.centre + 9.0 * (cosine * aim + np.sqrt(1 - cosine**2) * aside)
        assert rejected(head, embedding[None].astype(np.float32)).all() == (cosine > NEARNESS)


def test_a_false_alarm_and_a_minute_of_background_are_needed() -> None:
    with pytest.raises(ValueError, match="a false alarm and a minute"):
        reject([], [], BACKGROUND, hop_s=HOP_S)
    with pytest.raises(ValueError, match="a false alarm and a minute"):
        reject([FALSE[None]], [], BACKGROUND[:100], hop_s=HOP_S)
