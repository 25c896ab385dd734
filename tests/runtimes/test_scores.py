"""Each package gives the same scores in every runtime, numpy 1 or 2, through the whole route."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from environment import tflite_python
from replaying import COMMITTED, PACKAGES, replay_street

SCORE_TOLERANCE = 1e-4
LEVEL_TOLERANCE_DB = 0.11
"""Written with one digit: the last may round either way."""


def read_scores(path: Path) -> tuple[list[str], np.ndarray]:
    """Labels, and rows of time, level and scores."""
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header[:3] == ["file", "time_s", "level_dbfs"]
    return header[3:], np.array([[float(value) for value in row[1:]] for row in rows])


def check_scores(python: Path, runtime: str, committed: Path, tmp_path: Path) -> None:
    written = tmp_path / "scores.csv"
    done = replay_street(python, "--scores", written, *PACKAGES[committed])
    assert f"on {runtime}" in done.stderr
    labels, scores = read_scores(written)
    expected_labels, expected = read_scores(committed)
    remedy = "the model or the street changed: run python tests/runtimes/make_scores.py"
    assert labels == expected_labels, remedy
    assert scores.shape == expected.shape, remedy
    np.testing.assert_array_equal(scores[:, 0], expected[:, 0])
    np.testing.assert_allclose(scores[:, 1], expected[:, 1], atol=LEVEL_TOLERANCE_DB)
    np.testing.assert_allclose(scores[:, 2:], expected[:, 2:], rtol=0, atol=SCORE_TOLERANCE, err_msg=remedy)


@pytest.fixture(scope="module")
def other_python() -> Path:
    python = tflite_python()
    if python is None:
        pytest.skip("there is no Python 3.11, the last that tflite-runtime runs on")
    return python


def test_the_committed_scores_tell_models_apart() -> None:
    _, rows = read_scores(COMMITTED)
    scores = rows[:, 2:]
    assert (scores.max(axis=0) - scores.min(axis=0) > 50 * SCORE_TOLERANCE).all()
    assert scores.max() > 0.5


@pytest.mark.parametrize("committed", PACKAGES, ids=lambda path: path.stem)
def test_ai_edge_litert_gives_the_committed_scores(committed: Path, tmp_path: Path) -> None:
    check_scores(Path(sys.executable), "ai_edge_litert", committed, tmp_path)


@pytest.mark.environment
@pytest.mark.parametrize("committed", PACKAGES, ids=lambda path: path.stem)
def test_tflite_runtime_gives_the_committed_scores(
    other_python: Path, committed: Path, tmp_path: Path
) -> None:
    check_scores(other_python, "tflite_runtime", committed, tmp_path)


@pytest.mark.environment
def test_tflite_runtime_hears_the_same_events(other_python: Path) -> None:
    """Label, type and whole hops; scores may differ in their last digits."""
    heard = []
    for python in (Path(sys.executable), other_python):
        lines = replay_street(python, "--json", "--deterministic").stdout.splitlines()
        records = [json.loads(line) for line in lines]
        heard.append([(r["type"], r["label"], r["start_s"], r["end_s"], r["event_id"]) for r in records])
    assert heard[0] == heard[1]
    assert heard[0]


@pytest.mark.environment
def test_the_other_environment_really_is_another(other_python: Path) -> None:
    code = "import numpy, importlib.util as u; print(numpy.__version__, u.find_spec('ai_edge_litert'))"
    shown = subprocess.run([other_python, "-c", code], capture_output=True, text=True, check=True).stdout
    major, found = shown[:1], shown.split()[1]
    assert (major, found) == ("1", "None")
