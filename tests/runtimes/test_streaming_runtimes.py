"""A streaming package gives the same scores in every runtime, through the whole route of a replay."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from environment import tflite_python
from replaying import EXAMPLES, ROOT
from test_scores import SCORE_TOLERANCE, read_scores

pytest.importorskip("tensorflow")

from monitor.model.package import read_package, write_package
from training.data.corpora import LABELS
from training.export.conversion import to_tflite
from training.export.forms import elsewhere
from training.export.hops import run
from training.export.package import make_card, undecided
from training.features.front_end import default_front_end
from training.fit.windows import Scaling
from training.networks.columns import StreamSpec
from training.networks.streaming import build, streaming

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SPEC = StreamSpec(stem=4, blocks=(6, 8, 10), top=12, rings=(2, 5), level_frames=10)
HOP = 12
Scored = Callable[[Path, str], np.ndarray]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network: its scores wander with what it hears, which is all that is asked here."""
    import keras

    keras.utils.set_random_seed(3)
    step = streaming(build(SPEC), SPEC, HOP)
    spec = default_front_end(Path()).spec.model_copy(update={"frames": SPEC.frames})
    scaling = Scaling(np.full(64, -55.0, np.float32), 4.0)
    path = tmp_path_factory.mktemp("model") / "streaming.tflite"
    card = make_card(spec, scaling, undecided(), HOP * spec.hop, step.inputs[1].shape[1])
    write_package(path, to_tflite(step), LABELS, card)
    return path


@pytest.fixture(scope="module")
def scored(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    folder = tmp_path_factory.mktemp("scores")

    def score(python: Path, runtime: str) -> np.ndarray:
        written = folder / f"{runtime}.csv"
        settings = (f"model.path={package}", f"model.runtime={runtime}")
        done = subprocess.run(
            [python, "-m", "monitor", "replay", "street.wav", "--config", ROOT / "config.yaml",
             *(word for setting in settings for word in ("--set", setting)), "--scores", written],
            cwd=EXAMPLES, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
            timeout=240, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert f"on {runtime}" in done.stderr
        return read_scores(written)[1][:, 2:]

    return score


@pytest.fixture(scope="module")
def expected(scored: Scored) -> np.ndarray:
    scores = scored(Path(sys.executable), "ai_edge_litert")
    assert (np.ptp(scores, axis=0) > 20 * SCORE_TOLERANCE).all()
    return scores


def test_tensorflow_gives_the_scores_of_ai_edge_litert(scored: Scored, expected: np.ndarray) -> None:
    scores = scored(Path(sys.executable), "tensorflow")
    np.testing.assert_allclose(scores, expected, rtol=0, atol=SCORE_TOLERANCE)


@pytest.fixture(scope="module")
def other_python() -> Path:
    python = tflite_python()
    if python is None:
        pytest.skip("there is no Python 3.11, the last that tflite-runtime runs on")
    return python


@pytest.mark.environment
def test_tflite_runtime_gives_the_scores_of_ai_edge_litert(
    scored: Scored, expected: np.ndarray, other_python: Path
) -> None:
    scores = scored(other_python, "tflite_runtime")
    np.testing.assert_allclose(scores, expected, rtol=0, atol=SCORE_TOLERANCE)


@pytest.mark.environment
def test_the_export_check_hears_the_same_in_both_interpreters(
    package: Path, other_python: Path, tmp_path: Path
) -> None:
    made = read_package(package)
    assert made.card is not None
    assert made.card.state is not None
    (tmp_path / "plain.tflite").write_bytes(made.flatbuffer)
    # Without its identifier: tflite-runtime verifies no more of a file, and may crash on a truncated one.
    (tmp_path / "broken.tflite").write_bytes(made.flatbuffer[:4] + b"none" + made.flatbuffer[8:])
    frames = np.random.default_rng(0).standard_normal((20, HOP, SPEC.n_mels)).astype(np.float32)
    np.save(tmp_path / "frames.npy", frames)
    here = run(tmp_path, "ai_edge_litert", len(LABELS), made.card.state)
    there = elsewhere(tmp_path, other_python, len(LABELS), made.card.state)
    np.testing.assert_allclose(there["plain"].outputs, here["plain"].outputs, rtol=0, atol=1e-4)
    assert np.ptp(here["plain"].outputs, axis=0).min() > 1e-3
    assert "cannot load the model" in there["broken"].refused
