"""Laws of streets and speech: who hears them has not learnt from them, and no attack was learnt on them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from corpora import write_backgrounds, write_corpora

pytest.importorskip("tensorflow")

from training.data.corpora import Corpora, load
from training.data.splits import deal_backgrounds, leave_one_out
from training.errors import DataError
from training.robustness.played import backgrounds
from training.robustness.played.backgrounds import (
    recordings,
    to_learn_on,
    unlearnt_by_package,
    unlearnt_by_study,
    waveforms,
)

SHIPPED = Path(__file__).parents[3] / "models" / "urban-sounds-0.6.0.tflite"
KINDS = ("street", "speech")


@pytest.fixture
def corpora(tmp_path: Path) -> Corpora:
    # Of more folds than a package is made of: over how many they are dealt decides who gets which.
    write_corpora(tmp_path, folds=(1, 2, 3, 4))
    write_backgrounds(tmp_path, kinds=KINDS)
    return load(tmp_path)


def without(monkeypatch: pytest.MonkeyPatch, fold: int) -> Path:
    """A package that has heard the others of folds 1, 2 and 3."""
    others = ", ".join(str(number) for number in (1, 2, 3) if number != fold)
    told = SimpleNamespace(recipe_cv=False, fold=str(fold), data=f"trained on folds {others}, seeds 0")
    model = SimpleNamespace(card=SimpleNamespace(quality=(told,)))
    monkeypatch.setattr(backgrounds, "load_model", lambda path, third_party: model)
    return Path(f"without-fold{fold}.tflite")


@pytest.mark.parametrize("fold", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_package_hears_what_its_training_left_out(
    corpora: Corpora, monkeypatch: pytest.MonkeyPatch, fold: int, kind: str
) -> None:
    parts = leave_one_out(corpora, (1, 2, 3))[fold]
    found = unlearnt_by_package(corpora, without(monkeypatch, fold), kind)
    assert found
    assert {clip.label for clip in found} == {kind}
    assert not {*found} & {*parts.train.backgrounds}
    assert {*found} <= {*parts.test.backgrounds}


def test_the_studys_networks_hear_what_they_left_out_and_so_does_a_package_that_heard_all(
    corpora: Corpora,
) -> None:
    found = unlearnt_by_study(corpora, "street")
    assert found
    assert not {*found} & {*deal_backgrounds(corpora.backgrounds)[0]}
    assert unlearnt_by_package(corpora, SHIPPED, "street") == found


@pytest.mark.parametrize("fold", [1, 2, 3])
def test_nobody_is_judged_on_what_is_left_to_learn_on(
    corpora: Corpora, monkeypatch: pytest.MonkeyPatch, fold: int
) -> None:
    package = without(monkeypatch, fold)
    judged = {*unlearnt_by_study(corpora, "street"), *unlearnt_by_package(corpora, package, "street")}
    left = to_learn_on(corpora, [package], "street")
    assert left
    assert not {*left} & judged
    every: Any = {clip for clip in corpora.backgrounds if clip.label == "street"}
    assert {*left} | judged == every


def test_without_a_recording_nothing_is_played(corpora: Corpora) -> None:
    assert len(waveforms(unlearnt_by_study(corpora, "street"))) == len(unlearnt_by_study(corpora, "street"))
    assert recordings(unlearnt_by_study(corpora, "sea")) == ()
    with pytest.raises(DataError, match="need more files"):
        waveforms(unlearnt_by_study(corpora, "sea"))
