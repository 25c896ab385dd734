"""Scores are calibrated probabilities of the labels, and a stream begins afresh after reset."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import WINDOW, card

from monitor.errors import PackageError
from monitor.model.classifier import Classifier, calibrate, self_test
from monitor.model.heads import sigmoid

HOP = WINDOW // 2
logits = st.lists(st.floats(-50, 50, width=32), min_size=2, max_size=6)
temperatures = st.sampled_from([0.5, 1.0, 1.7, 4.0])


def first_values(window: np.ndarray) -> np.ndarray:
    """A model that scores the first three samples of its window."""
    return window[:3].copy()


def classifier(**changes: object) -> Classifier:
    return Classifier(card(**changes), first_values, {"bell": (0,), "horn": (1,), "background": (2,)})


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max())
    return powers / powers.sum()


@given(logits)
def test_sigmoid_is_the_logistic_function_for_any_logit(values: list[float]) -> None:
    raw = np.array(values, np.float32)
    np.testing.assert_allclose(sigmoid(raw), 1 / (1 + np.exp(-raw.astype(np.float64))), atol=1e-6)
    np.testing.assert_array_equal(sigmoid(np.array([-1e30, 1e30], np.float32)), [0.0, 1.0])


@given(logits, temperatures)
def test_a_temperature_divides_the_logits_however_the_model_gives_them(
    values: list[float], temperature: float
) -> None:
    # Beyond ±7 a softmax meets the 1e-7 below which its outputs are taken for zero.
    raw = np.array(values, np.float32).clip(-7, 7)
    divided = raw / np.float32(temperature)
    np.testing.assert_allclose(calibrate(raw, "logits", temperature), sigmoid(divided), atol=1e-6)
    np.testing.assert_allclose(calibrate(sigmoid(raw), "sigmoid", temperature), sigmoid(divided), atol=2e-4)
    np.testing.assert_allclose(
        calibrate(softmax(raw).astype(np.float32), "softmax", temperature), softmax(divided), atol=2e-4
    )


@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=6), temperatures)
def test_calibrated_scores_are_probabilities_even_at_zero_and_one(
    values: list[float], temperature: float
) -> None:
    raw = np.array(values, np.float32)
    for output in ("sigmoid", "softmax"):
        scores = calibrate(raw, output, temperature)
        assert scores.dtype == np.float32
        assert ((scores >= 0) & (scores <= 1)).all()
        order = np.argsort(raw, kind="stable")
        assert (np.diff(scores[order]) >= 0).all()


def test_a_temperature_of_one_changes_nothing() -> None:
    raw = np.array([0.0, 0.3, 1.0], np.float32)
    for output in ("sigmoid", "softmax"):
        np.testing.assert_array_equal(calibrate(raw, output, 1.0), raw)


def test_a_label_that_stands_for_several_outputs_scores_their_highest() -> None:
    grouped = Classifier(card(), first_values, {"any": (0, 2), "one": (1,)})
    assert grouped.labels == ("any", "one")
    grouped.push(np.array([0.25, 0.5, 0.75, 0.0], np.float32))
    np.testing.assert_array_equal(grouped.push(np.zeros(HOP, np.float32)).scores, np.float32([0.75, 0.5]))


def test_a_window_is_rejected_when_a_negative_label_reaches_the_rule() -> None:
    scores = np.array([0.9, 0.1, 0.5], np.float32)
    np.testing.assert_array_equal(classifier(reject={"negative_over": 0.5}).accepted(scores), [0.0, 0.0, 0.0])
    np.testing.assert_array_equal(classifier(reject={"negative_over": 0.51}).accepted(scores), scores)
    np.testing.assert_array_equal(classifier().accepted(scores), scores)


def test_the_event_logic_is_given_zeros_for_a_rejected_window_and_else_the_scores_themselves() -> None:
    scores = np.array([0.9, 0.1, 0.5], np.float32)
    np.testing.assert_array_equal(classifier(reject={"negative_over": 0.5}).accepted(scores), np.zeros(3))
    assert classifier(reject={"negative_over": 0.51}).accepted(scores) is scores


def test_each_inference_is_reported_with_its_duration() -> None:
    taken: list[float] = []
    stream = Classifier(card(), first_values, {"one": (0,)}, taken.append)
    for _ in range(3):
        stream.push(np.zeros(HOP, np.float32))
    assert len(taken) == 3
    assert min(taken) >= 0.0


def test_after_reset_a_stream_begins_afresh() -> None:
    stream = classifier(warmup="silence")
    hops = np.random.default_rng(0).uniform(0, 1, (3, HOP)).astype(np.float32)
    first = [stream.push(hop).scores.tobytes() for hop in hops]
    stream.reset()
    assert [stream.push(hop).scores.tobytes() for hop in hops] == first


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([0.1, 0.2], "tiny.tflite: 2 outputs for 3 labels"),
        ([0.1, np.nan, 0.3], "tiny.tflite: the model gives values that are not finite for zeros"),
        ([0.1, 1.1, 0.3], r"tiny.tflite: output sigmoid must lie in 0…1; is it logits\?"),
        ([-0.1, 0.1, 0.3], r"output sigmoid must lie in 0…1"),
    ],
)
def test_the_self_test_finds_what_no_model_may_give(raw: list[float], message: str) -> None:
    with pytest.raises(PackageError, match=message):
        self_test(card(), lambda _: np.array(raw, np.float32), 3, "tiny.tflite")


def test_the_self_test_looks_at_noise_too() -> None:
    def overflows(window: np.ndarray) -> np.ndarray:
        return np.array([0.0, 0.0, np.inf if window.any() else 0.0], np.float32)

    with pytest.raises(PackageError, match="not finite for noise"):
        self_test(card(), overflows, 3, "tiny.tflite")
