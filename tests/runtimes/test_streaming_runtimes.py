"""A package with a state gives the same scores in every runtime, through the whole route of a replay."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from environment import tflite_python
from replaying import ROOT, replay_street
from test_scores import SCORE_TOLERANCE, read_scores

PACKAGE = ROOT / "models" / "urban-sounds-0.6.0.tflite"
Scored = Callable[[Path, str], np.ndarray]


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    folder = tmp_path_factory.mktemp("scores")

    def score(python: Path, runtime: str) -> np.ndarray:
        written = folder / f"{runtime}.csv"
        settings = ("--set", f"model.path={str(PACKAGE)!r}", "--set", f"model.runtime={runtime}")
        done = replay_street(python, "--scores", written, *settings)
        assert f"on {runtime}" in done.stderr
        return read_scores(written)[1][:, 2:]

    return score


@pytest.fixture(scope="module")
def expected(scored: Scored) -> np.ndarray:
    scores = scored(Path(sys.executable), "ai_edge_litert")
    assert (np.ptp(scores, axis=0) > 20 * SCORE_TOLERANCE).all()
    return scores


def test_tensorflow_gives_the_scores_of_ai_edge_litert(scored: Scored, expected: np.ndarray) -> None:
    pytest.importorskip("tensorflow")
    scores = scored(Path(sys.executable), "tensorflow")
    np.testing.assert_allclose(scores, expected, rtol=0, atol=SCORE_TOLERANCE)


@pytest.mark.environment
def test_tflite_runtime_gives_the_scores_of_ai_edge_litert(scored: Scored, expected: np.ndarray) -> None:
    python = tflite_python()
    if python is None:
        pytest.skip("there is no Python 3.11, the last that tflite-runtime runs on")
    scores = scored(python, "tflite_runtime")
    np.testing.assert_allclose(scores, expected, rtol=0, atol=SCORE_TOLERANCE)
