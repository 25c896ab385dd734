"""Laws of attacks on features, told on networks whose nearest boundary is known: a weak and a robust one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from training.data.corpora import CLASSES
from training.robustness.attacks.in_features import (
    EPSILONS_DB,
    LARGE_DB,
    FeatureEffort,
    Pushed,
    attack_features,
)
from training.robustness.attacks.methods import right
from training.robustness.attacks.on_features import nearest_features, push_features, push_once
from training.robustness.targets.networks import Target
from training.robustness.targets.planted import CLIPS, by_level, planted

# foolbox imports scipy by an older name.
pytestmark = pytest.mark.filterwarnings("ignore:Please import `gaussian_filter`:DeprecationWarning")


def toy(margin_db: float, wrong: int = 0) -> Target:
    return planted("toy", margin_db, wrong)


def attacked(target: Target, **effort: Any) -> Pushed:
    chosen = FeatureEffort(**{"steps": 5, "second": "FMN", "second_steps": 60, **effort})
    return attack_features(target, chosen, lambda text: None)


def share(values: tuple[bool, ...]) -> float:
    return float(np.mean(values))


@pytest.fixture(scope="module")
def weak() -> Pushed:
    return attacked(toy(0.3))


@pytest.fixture(scope="module")
def robust() -> Pushed:
    return attacked(toy(2.0))


def test_a_planted_weak_network_and_a_planted_robust_one_are_told_apart(weak: Pushed, robust: Pushed) -> None:
    assert [share(weak.withstood[f"{e:g}"]) for e in EPSILONS_DB] == [1.0, 0.0, 0.0, 0.0]
    assert [share(robust.withstood[f"{e:g}"]) for e in EPSILONS_DB] == [1.0, 1.0, 1.0, 0.0]


def test_the_least_change_is_the_distance_of_the_boundary(weak: Pushed, robust: Pushed) -> None:
    for found, margin in ((weak, 0.3), (robust, 2.0)):
        np.testing.assert_allclose(np.array(found.rms_db, float), margin, rtol=0.05)
        np.testing.assert_allclose(np.array(found.max_db, float), margin, rtol=0.05)
        # FMN goes to the very boundary of a linear network, where rounding stops some.
        second = [value for value in found.second_rms_db if value is not None]
        assert len(second) >= CLIPS / 2
        np.testing.assert_allclose(second, margin, rtol=0.15)


def test_carlini_and_wagner_find_the_same_distance() -> None:
    target = toy(0.3)
    found = nearest_features(target.given(np.arange(CLIPS)), target.decibels, target.truth, "CW", 100)
    rms = np.sqrt(np.mean((found - target.decibels) ** 2, axis=(1, 2)))
    np.testing.assert_allclose(rms, 0.3, rtol=0.15)


def test_nothing_changed_is_nothing_lost_and_a_large_change_leaves_nothing(robust: Pushed) -> None:
    assert robust.withstood["0"] == robust.right
    assert share(robust.withstood[f"{LARGE_DB:g}"]) == 0.0


def test_noise_as_strong_as_an_attack_changes_no_mind(weak: Pushed) -> None:
    for colour in ("Gaussian", "pink"):
        assert share(weak.alone[f"{colour} noise as strong as PGD 0.5 dB"]) > 0.8
        assert share(weak.alone[f"{colour} noise as strong as DeepFool"]) == 1.0


def test_what_more_runs_and_larger_budgets_leave_right_is_never_more() -> None:
    less, more = (attacked(toy(0.6), restarts=n, second_steps=5) for n in (0, 3))
    for found in (less, more):
        left = [share(values) for values in found.withstood.values()]
        assert left == sorted(left, reverse=True)
    for budget, values in more.withstood.items():
        assert all(not kept or before for kept, before in zip(values, less.withstood[budget], strict=True))


def test_clips_that_were_wrong_are_no_success_and_no_distance() -> None:
    found = attacked(toy(0.3, wrong=4))
    assert found.right == (False,) * 4 + (True,) * 8
    assert found.withstood["0.1"] == found.right
    assert [value is None for value in found.rms_db] == [True] * 4 + [False] * 8
    assert [value is None for value in found.second_rms_db] == [True] * 4 + [False] * 8
    assert found.second_asked == found.right
    asked_few = attacked(toy(0.3, wrong=4), second_clips=6, second_steps=5)
    assert asked_few.second_asked == (False,) * 4 + (True,) * 2 + (False,) * 6


def test_the_least_change_that_is_found_counts_against_every_budget_that_holds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where PGD is led astray, DeepFool's 0.3 dB and CW's count against half a decibel."""
    for name in ("push_features", "push_once"):
        monkeypatch.setattr(
            f"training.robustness.attacks.in_features.{name}", lambda logits, decibels, *rest: decibels
        )
    monkeypatch.setattr(
        "training.robustness.attacks.in_features.push_at_random", lambda logits, decibels, *rest: decibels
    )
    found = attacked(toy(0.3), second_steps=5)
    assert [share(found.withstood[f"{e:g}"]) for e in EPSILONS_DB] == [1.0, 0.0, 0.0, 0.0]

    def by_fmn(logits: Any, decibels: Any, truth: Any, how: str, *rest: Any) -> Any:
        level = decibels.mean(axis=(1, 2), keepdims=True) + 40
        return decibels - 0.4 * np.sign(level) if how == "FMN" else decibels

    monkeypatch.setattr("training.robustness.attacks.in_features.nearest_features", by_fmn)
    by_second = attacked(toy(0.3))
    assert share(by_second.alone["DeepFool"]) == 1.0
    assert [share(by_second.withstood[f"{e:g}"]) for e in EPSILONS_DB] == [1.0, 0.0, 0.0, 0.0]


def test_a_network_without_gradients_is_called_so_and_random_changes_are_tried(weak: Pushed) -> None:
    def hiding(decibels: Any) -> Any:
        # What has no gradient at all is refused by foolbox.
        return by_level(tf.stop_gradient(decibels)) + 0.0 * tf.reduce_sum(decibels, axis=(1, 2))[:, None]

    # The methods that follow gradients get nowhere, however long they try.
    masked = replace(toy(0.05), given=lambda rows: hiding)
    found = attacked(masked, steps=20, deepfool_steps=3, second_steps=5)
    assert all(found.dead)
    assert not any(weak.dead)
    assert share(found.alone["PGD 1 dB"]) == 1.0
    assert share(found.alone["random changes of 1 dB"]) < 0.5


def curved() -> tuple[Any, Any, Any]:
    """A small network, trained to tell clips by the product of two of their levels, and such clips."""
    rng = np.random.default_rng(0)
    clips = rng.uniform(-2.0, 2.0, (200, 2, 2)).astype(np.float32)
    truth = (clips[:, 0, 0] * clips[:, 1, 1] > 0).astype(np.int64)
    keras.utils.set_random_seed(1)
    window = keras.layers.Input((2, 2))
    x = keras.layers.Dense(24, activation="tanh")(keras.layers.Flatten()(window))
    model = keras.Model(window, keras.layers.Dense(2)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.05), loss)
    model.fit(clips, truth, epochs=30, batch_size=50, verbose=0)
    known = right(model, clips, truth)
    return model, clips[known], truth[known]


def test_many_steps_fool_what_one_does_not_where_the_boundary_is_curved() -> None:
    model, clips, truth = curved()
    assert len(clips) > 150
    left = [
        [float(right(model, pushed, truth).mean()) for pushed in (
            push_once(model, clips, truth, epsilon), push_features(model, clips, truth, epsilon, 20)
        )]
        for epsilon in (0.25, 0.5, 1.0, 2.0)
    ]  # fmt: skip
    assert all(many <= once for once, many in left)
    assert any(many < once - 0.02 for once, many in left)


def test_no_run_leaves_what_features_can_be() -> None:
    target = toy(0.6)
    bounds = float(target.decibels.min()), float(target.decibels.max())
    seen: list[tuple[float, float]] = []

    def watched(decibels: Any) -> Any:
        if hasattr(decibels, "numpy") or isinstance(decibels, np.ndarray):
            seen.append((float(np.min(decibels)), float(np.max(decibels))))
        return by_level(decibels)

    found = attacked(replace(target, given=lambda rows: watched, bounds_db=bounds), second_steps=20)
    assert min(low for low, _ in seen) >= bounds[0] - 1e-4
    assert max(high for _, high in seen) <= bounds[1] + 1e-4
    assert max(np.array(found.max_db, float)) <= bounds[1] - bounds[0]


def test_pushes_keep_to_their_budget() -> None:
    target = toy(2.0)
    logits = target.given(np.arange(CLIPS))
    runs = [push_features(logits, target.decibels, target.truth, 0.5, 1, restart) for restart in (0, 1)]
    for pushed in (*runs, push_once(logits, target.decibels, target.truth, 0.5)):
        assert np.abs(pushed - target.decibels).max() == pytest.approx(0.5, abs=1e-4)


def test_starts_differ_by_their_number_alone() -> None:
    target = toy(2.0)

    def flat(values: Any) -> Any:
        return 0.0 * tf.reduce_sum(values, axis=(1, 2))[:, None] + tf.ones((1, len(CLASSES)))

    runs = [push_features(flat, target.decibels, target.truth, 0.5, 1, start) for start in (0, 1, 1, 2)]
    np.testing.assert_array_equal(runs[0], target.decibels)
    np.testing.assert_array_equal(runs[1], runs[2])
    assert not np.array_equal(runs[1], runs[0])
    assert not np.array_equal(runs[1], runs[3])
