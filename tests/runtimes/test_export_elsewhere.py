"""The export's check of forms in another interpreter gives what it gives in this one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from environment import tflite_python

pytest.importorskip("tensorflow")

from training.export.conversion import to_tflite
from training.export.forms import elsewhere
from training.export.timed import run
from training.networks.compact import NetworkSpec, build

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NETWORK = NetworkSpec(frames=48, stem=4, blocks=(4, 6), top=8)


@pytest.mark.environment
def test_the_export_check_hears_the_same_in_both_interpreters(tmp_path: Path) -> None:
    python = tflite_python()
    if python is None:
        pytest.skip("there is no Python 3.11, the last that tflite-runtime runs on")
    flatbuffer = to_tflite(build(NETWORK, 3))
    (tmp_path / "plain.tflite").write_bytes(flatbuffer)
    # Without its identifier: tflite-runtime verifies no more of a file, and may crash on a truncated one.
    (tmp_path / "broken.tflite").write_bytes(flatbuffer[:4] + b"none" + flatbuffer[8:])
    windows = np.random.default_rng(0).standard_normal((20, NETWORK.frames, NETWORK.n_mels))
    np.save(tmp_path / "windows.npy", windows.astype(np.float32))
    here, there = run(tmp_path, "ai_edge_litert", (3,)), elsewhere(tmp_path, python, (3,))
    np.testing.assert_allclose(there["plain"].outputs, here["plain"].outputs, rtol=0, atol=1e-4)
    assert np.ptp(here["plain"].outputs, axis=0).min() > 1e-3
    assert "cannot load the model" in there["broken"].refused
