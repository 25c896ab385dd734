"""What the interpreter takes and gives, and what it refuses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tiny import WEIGHTS, WINDOW, any_length_model, dense_model

from monitor.errors import PackageError
from monitor.model.runtime import RUNTIMES, Runtime

PATH = Path("tiny.tflite")
WINDOW_VALUES = np.linspace(-1.0, 1.0, WINDOW, dtype=np.float32)
BIAS = (0.1, -1.0, 0.0)


def expected() -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-(WEIGHTS @ WINDOW_VALUES + BIAS)))


def test_scores_are_the_models() -> None:
    runtime = Runtime(dense_model(WEIGHTS, BIAS), PATH, outputs=3)
    assert (runtime.name, runtime.input_size, runtime.output_size) == ("ai_edge_litert", WINDOW, 3)
    scores = runtime.run(WINDOW_VALUES)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected(), atol=1e-6)


def test_scores_already_given_do_not_change_later() -> None:
    runtime = Runtime(dense_model(WEIGHTS, BIAS), PATH, outputs=3)
    first = runtime.run(WINDOW_VALUES)
    kept = first.copy()
    runtime.run(-WINDOW_VALUES)
    np.testing.assert_array_equal(first, kept)


def test_streams_of_several_threads_share_it_without_disturbing_each_other() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(3, 4096)).astype(np.float32)
    runtime = Runtime(dense_model(weights), PATH, outputs=3)
    windows = rng.normal(size=(8, 4096)).astype(np.float32)
    alone = [runtime.run(window) for window in windows]
    with ThreadPoolExecutor(len(windows)) as threads:
        together = list(threads.map(lambda window: [runtime.run(window) for _ in range(200)], windows))
    for one, many in zip(alone, together, strict=True):
        assert all((one == each).all() for each in many)


def test_a_model_that_takes_any_number_of_samples_is_given_its_window() -> None:
    runtime = Runtime(any_length_model(), PATH, outputs=WINDOW, inputs=WINDOW)
    assert runtime.input_size == WINDOW
    np.testing.assert_allclose(runtime.run(WINDOW_VALUES), 1 / (1 + np.exp(-WINDOW_VALUES)), atol=1e-6)


def test_a_model_of_one_size_keeps_it() -> None:
    assert Runtime(dense_model(WEIGHTS), PATH, outputs=3, inputs=2 * WINDOW).input_size == WINDOW


def test_quantised_models_take_and_give_floats_within_a_step() -> None:
    runtime = Runtime(dense_model(WEIGHTS, BIAS, values="int8"), PATH, outputs=3)
    np.testing.assert_allclose(runtime.run(WINDOW_VALUES), expected(), atol=1 / 256 + WINDOW / 64 / 4)
    # What int8 cannot hold ends at its limits instead of wrapping round.
    np.testing.assert_array_equal(
        runtime.run(np.full(WINDOW, 100.0, np.float32)), runtime.run(np.full(WINDOW, 2.0, np.float32))
    )


@pytest.mark.parametrize(
    ("model", "outputs", "message"),
    [
        (dense_model(WEIGHTS, inputs=2), 3, "the model has 2 inputs; one is supported"),
        (dense_model(WEIGHTS), 4, r"no output has 4 values, .* have sizes \[3, 3\]"),
        (dense_model(WEIGHTS, values="int32"), 3, "the model's input is int32; float or quantised"),
        (b"\x1c\x00\x00\x00TFL3", 3, r"cannot load the model \(.+\)"),
        (dense_model(WEIGHTS)[:-40], 3, r"cannot load the model \(.+\)"),
        (dense_model(WEIGHTS)[:200], 3, r"cannot load the model \(.+\)"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_in_one_line(model: bytes, outputs: int, message: str) -> None:
    with pytest.raises(PackageError, match=f"^tiny.tflite: .*{message}") as caught:
        Runtime(model, PATH, outputs=outputs)
    assert "\n" not in str(caught.value)


def test_a_runtime_that_is_not_installed_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RUNTIMES, "tflite_runtime", "is_not_installed")
    with pytest.raises(PackageError, match="the runtime tflite_runtime is not installed; run: pip install"):
        Runtime(dense_model(WEIGHTS), PATH, outputs=3, prefer="tflite_runtime")


def test_the_next_runtime_is_taken_where_one_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RUNTIMES, "ai_edge_litert", "is_not_installed")
    monkeypatch.setitem(RUNTIMES, "tflite_runtime", "ai_edge_litert.interpreter")
    assert Runtime(dense_model(WEIGHTS), PATH, outputs=3).name == "tflite_runtime"
    for name in RUNTIMES:
        monkeypatch.setitem(RUNTIMES, name, "is_not_installed")
    with pytest.raises(PackageError, match="a TFLite runtime is not installed; run: pip install"):
        Runtime(dense_model(WEIGHTS), PATH, outputs=3)


def test_a_model_that_fails_when_it_is_run_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime(dense_model(WEIGHTS), Path("tiny.tflite"), outputs=3)

    class Broken:
        def set_tensor(self, *_: object) -> None: ...

        def invoke(self) -> None:
            raise RuntimeError(
                "tensorflow/lite/kernels/x.cc:1 a != b (1 != 2)\nNode number 3 failed to invoke."
            )

    monkeypatch.setattr(runtime, "_interpreter", Broken())
    with pytest.raises(
        PackageError, match=r"^tiny\.tflite: the model cannot be run \(.*1 != 2\)\); convert it"
    ) as end:
        runtime.run(np.zeros(WINDOW, np.float32))
    assert "\n" not in str(end.value)
