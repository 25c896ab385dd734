"""The whole study on recordings that take seconds to make: every step of ``make study``, in order."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from corpora import write_corpora

from training.records.jobs import read_all

pytest.importorskip("tensorflow")

_SCRIPT = Path(__file__).parents[3] / "training" / "study" / "small.sh"
_SIZES = {
    "STUDY_CORPORA": "urbansound8k",
    "STUDY_SEED_MODELS": "clstm",
    "STUDY_MODELS": "compact",
    "STUDY_ARCHITECTURES": "compact",
    "STUDY_FOLDS": "1",
    "STUDY_EPOCHS": "1",
    "STUDY_ABLATION_EPOCHS": "1",
    "STUDY_ABLATION": "augmentation",
    "STUDY_TRIALS": "1",
}


def _environment(folder: Path) -> dict[str, str]:
    places = {"SOUND_DATA": folder / "data", "STUDY_OUT": folder / "out", "STUDY_CACHE": folder / "cache"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **_SIZES, **{key: str(value) for key, value in places.items()}, "PATH": path}


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=_environment(folder), capture_output=True, text=True, timeout=1800, check=False
    )


def test_the_study_runs_unattended_from_recordings_to_pages(tmp_path: Path) -> None:
    write_corpora(tmp_path / "data", folds=(1, 2, 3))
    ran = _run(tmp_path, str(_SCRIPT))
    assert ran.returncode == 0, ran.stderr[-3000:]
    out = tmp_path / "out"
    home = out / "urbansound8k"
    for page in (out / "explore", home, home / "ablation", home / "search"):
        assert (page / "index.html").is_file(), page
        assert (page / "README.md").is_file(), page
    jobs = {str(record.job) for record in read_all(home / "records")}
    assert jobs == {f"{name}-fold1-seed0" for name in ("seed/clstm", "honest/compact")}
    assert "| compact |" in (out / "architectures.md").read_text()
    assert "| label smoothing |" in (home / "ablation" / "README.md").read_text()
    assert "Not run: " not in (home / "ablation" / "README.md").read_text().split("## Mixing")[1]
    assert "1 complete" in (home / "search" / "fold1" / "README.md").read_text()
