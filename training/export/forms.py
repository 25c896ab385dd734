"""The converted forms of a trained network, each checked before it is shipped.

Forms are float32, float16, int8 weights with float activations (dynamic range), and full int8. Inputs
and outputs are float in every form.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.model.runtime import Runtime
from training.base.arrays import Floats
from training.base.child import ChildError, run_child
from training.base.progress import Progress
from training.data.corpora import Clip
from training.data.splits import rank
from training.errors import DataError, ExportError
from training.export.conversion import Weights, to_tflite
from training.export.parity import TOLERANCE, check_operators
from training.export.timed import Timed
from training.export.timed import run as run_windows
from training.export.trained_network import TrainedNetwork
from training.fit.predict import predict
from training.scoring.evaluation import streamer

FORMS: tuple[Weights, ...] = ("float32", "float16", "dynamic", "int8")
HERE, THERE = "ai_edge_litert", "tflite_runtime"
LEAST_AGREEMENT = 0.97
"""Least share of clips with the same prediction as float32."""
MOST_LOST = 0.01
"""Largest loss of accuracy against float32."""
_EXAMPLES = 500
"""Windows that calibrate the int8 ranges."""
_COMPARED = 500
"""Windows on which every form is compared with Keras."""


@dataclass(frozen=True)
class Checked:
    """One form with its measurements; ``refused`` states the check that failed, "" if none.

    Parameters
    ----------
    differences
        Largest difference of a logit to Keras, relative to the largest logit, by runtime.
    window_us
        Time of a window in µs by runtime, all forms interleaved.
    clips
        Number of clips evaluated.
    windows
        Number of windows compared.
    """

    form: Weights
    flatbuffer: bytes
    differences: Mapping[str, float]
    accuracy: float
    agreement: float
    window_us: Mapping[str, float]
    refused: tuple[str, ...]
    clips: int
    windows: int


def make_forms(
    network: TrainedNetwork,
    clips: Sequence[tuple[Clip, str]],
    other_python: Path | None,
    say: Progress,
    forms: Sequence[Weights] = FORMS,
) -> list[Checked]:
    """Convert and check every form, float32 first.

    Parameters
    ----------
    clips
        Labelled clips; an eighth of the recordings calibrates int8, the others evaluate.
    other_python
        An interpreter with tflite-runtime; None checks in this one only.

    Raises
    ------
    ExportError
        If the package is not of this network, or the other interpreter does not run.
    """
    fit, judge = _dealt(clips)
    windows = network.windows([clip for clip, _ in judge], _COMPARED)
    keras = predict(network.model, windows)
    _check_package(network, windows, keras)
    flatbuffers = _converted(network, network.windows([clip for clip, _ in fit], _EXAMPLES), forms, say)
    timed = run_everywhere(windows, flatbuffers, (len(network.package.labels),), other_python, say)
    checked, answers = [], dict[Weights, _Answers]()
    for form, flatbuffer in flatbuffers.items():
        say(f"{form}: scoring {len(judge)} clips")
        answers[form] = _answers(network, flatbuffer, judge)
        found = {runtime: models[form] for runtime, models in timed.items()}
        checked.append(_check(form, flatbuffer, found, keras, answers[form], answers[forms[0]]))
    return checked


def _dealt(clips: Sequence[tuple[Clip, str]]) -> tuple[list[tuple[Clip, str]], list[tuple[Clip, str]]]:
    """Split the recordings into calibration and evaluation, classes mixed, identically in every run."""
    chosen = set(sorted({clip.recording for clip, _ in clips}, key=rank)[::8])
    order = sorted(clips, key=lambda pair: rank(f"{pair[1]}/{pair[0].path.name}"))
    fit = [pair for pair in order if pair[0].recording in chosen]
    judge = [pair for pair in order if pair[0].recording not in chosen]
    if not fit or not judge:
        raise DataError("the clips are of one recording; ranges and figures need different ones")
    return fit, judge


def _check_package(network: TrainedNetwork, windows: Floats, keras: Floats) -> None:
    made = network.package
    runtime = Runtime(made.flatbuffer, made.path, outputs=len(made.labels), prefer=HERE)
    apart = _difference(np.stack([runtime.run(window) for window in windows]), keras)
    # The package may be float16.
    if not apart <= TOLERANCE["float16"]:
        raise ExportError(f"{made.path}: differs from the run by {apart:.2g}; it was made of another")


def _difference(ours: Floats, keras: Floats) -> float:
    return float(np.max(np.abs(ours - keras)) / max(1.0, float(np.abs(keras).max())))


def _converted(
    network: TrainedNetwork, examples: Floats, forms: Sequence[Weights], say: Progress
) -> dict[Weights, bytes]:
    flatbuffers: dict[Weights, bytes] = {}
    for form in forms:
        say(f"converting to {form}")
        flatbuffers[form] = to_tflite(network.model, form, examples if form == "int8" else None)
        check_operators(flatbuffers[form])
    return flatbuffers


def run_everywhere(
    windows: Floats,
    flatbuffers: Mapping[Weights, bytes],
    outputs: Sequence[int],
    other: Path | None,
    say: Progress,
) -> dict[str, dict[str, Timed]]:
    """Return the outputs for ``windows`` by runtime and form.

    Parameters
    ----------
    outputs
        Sizes of the outputs, in the order in which they are concatenated.
    other
        An interpreter with tflite-runtime; None runs them in this one only.

    Raises
    ------
    ExportError
        If the other interpreter does not run.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "windows.npy", windows)
        for form, flatbuffer in flatbuffers.items():
            (folder / f"{form}.tflite").write_bytes(flatbuffer)
        say(f"running {len(windows)} windows in this interpreter")
        timed = {HERE: run_windows(folder, HERE, outputs)}
        if other is not None:
            say(f"running them in {other}")
            timed[THERE] = elsewhere(folder, other, outputs)
        return timed


def elsewhere(folder: Path, python: Path, outputs: Sequence[int]) -> dict[str, Timed]:
    """Run windows as :func:`training.export.timed.run` does, with tflite-runtime in another interpreter.

    Raises
    ------
    ExportError
        If it cannot be run, or ends with an error.
    """
    arguments = (folder, THERE, ",".join(map(str, outputs)))
    try:
        run_child("training.export.timed", *arguments, python=python, inherit_path=False)
    except OSError as error:
        raise ExportError(f"{python}: cannot be run ({error.strerror}); see --other-python") from error
    except ChildError as error:
        raise ExportError(f"{python}: {THERE} {error}") from error
    results = json.loads((folder / f"{THERE}.json").read_text())
    return {form: Timed(**values) for form, values in results.items()}


@dataclass(frozen=True)
class _Answers:
    """The predicted class of each clip, and whether it is correct."""

    taken: NDArray[np.int64]
    right: NDArray[np.bool_]


def _answers(network: TrainedNetwork, flatbuffer: bytes, clips: Sequence[tuple[Clip, str]]) -> _Answers:
    labels = network.package.labels
    classes = [i for i, label in enumerate(labels) if label in network.card.classes]
    logits = streamer(network.card, flatbuffer, labels).logits(clip for clip, _ in clips)
    taken = np.array(classes)[logits[:, classes].argmax(axis=1)]
    return _Answers(taken, taken == [labels.index(label) for _, label in clips])


def _check(
    form: Weights,
    flatbuffer: bytes,
    found: Mapping[str, Timed],
    keras: Floats,
    answers: _Answers,
    first: _Answers,
) -> Checked:
    """Measure a form; ``first`` are the predictions of float32."""
    outputs = {runtime: np.array(one.outputs) for runtime, one in found.items() if not one.refused}
    accuracy, agreement = float(answers.right.mean()), float((answers.taken == first.taken).mean())
    return Checked(
        form,
        flatbuffer,
        {runtime: _difference(ours, keras) for runtime, ours in outputs.items()},
        accuracy,
        agreement,
        {runtime: one.window_us for runtime, one in found.items() if not one.refused},
        refusals(form, found, keras, agreement, float(first.right.mean()) - accuracy),
        len(answers.taken),
        len(keras),
    )


def refusals(
    form: Weights, found: Mapping[str, Timed], keras: Floats, agreement: float, lost: float
) -> tuple[str, ...]:
    """Return the checks that a form fails.

    Parameters
    ----------
    found
        Results by runtime.
    keras
        Logits of each window, shape (windows, outputs).
    agreement
        Share of clips with the same prediction as float32.
    lost
        Loss of accuracy.
    """
    said = []
    for runtime, one in found.items():
        if one.refused:
            said.append(f"{runtime}: {one.refused}")
            continue
        apart = _difference(np.array(one.outputs), keras)
        # Written so that NaN fails too.
        if not apart <= TOLERANCE[form]:
            said.append(f"{runtime}: differs from Keras by {apart:.2g}, more than {TOLERANCE[form]:g}")
    if agreement < LEAST_AGREEMENT:
        said.append(f"takes {1 - agreement:.1%} of clips for another class than float32 does")
    if lost > MOST_LOST:
        said.append(f"loses {lost:.1%} of accuracy to float32")
    return tuple(said)
