"""``sound-training features`` fills the cache that later steps read, and says what it cost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from corpora import write_urbansound8k

from training.cli import main
from training.cli.study.features import _PRESETS, _RECIPES
from training.data.corpora import load
from training.features.altered import load_bank, recipes
from training.features.spec import presets
from training.features.store import load_features


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_urbansound8k(folder, folds=(1, 2))
    return folder


def run(root: Path, *arguments: str) -> str:
    result = CliRunner().invoke(main, ["features", "--data", str(root), "--workers", "1", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_choices_are_the_presets_and_recipes_that_exist() -> None:
    assert set(_PRESETS) == set(presets)
    assert set(_RECIPES) == set(recipes)


def test_later_steps_find_what_the_command_computed(root: Path, tmp_path: Path) -> None:
    out = run(root, "--preset", "log-mel", "--cache", str(tmp_path))
    assert "log-mel: features of 24 clips, shape (24, 200, 64)" in out
    done: list[int] = []
    load_features(load(root).urban, presets["log-mel"], tmp_path, done.append, workers=1)
    assert done == [24], "everything was at hand at once"


def test_the_bank_is_rendered_once_with_its_time(root: Path, tmp_path: Path) -> None:
    out = run(root, "--preset", "log-mel", "--bank", "shift", "--copies", "3", "--cache", str(tmp_path))
    assert re.search(r"3 copies by recipe shift of 24 clips, shape \(72, 200, 64\), in [\d.]+ s", out)
    done: list[int] = []
    load_bank(load(root).urban, presets["log-mel"], recipes["shift"], 3, tmp_path, done.append, workers=1)
    assert done == [72]


def test_speed_is_told_in_times_real_time_and_caches_nothing(root: Path, tmp_path: Path) -> None:
    out = run(root, "--preset", "seed-mel", "--speed", "--cache", str(tmp_path / "cache"))
    assert int(re.search(r"seed-mel: (\d+) times real time a core", out)[1]) > 0  # type: ignore[index]
    assert not (tmp_path / "cache").exists()
