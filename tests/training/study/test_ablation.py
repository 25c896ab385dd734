"""The ablation: what a factor brings is the test clips with it minus those without it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from scored import random_record

from training.base.report import write
from training.records.jobs import JobRecord
from training.study.ablation import GROUPS, Group, compose, effects
from training.study.contenders import contender


def _records(group: Group, base: float, shares: Sequence[float]) -> list[JobRecord]:
    made = [random_record(group.base, base, fold) for fold in (1, 2)]
    for factor, share in zip(group.factors, shares, strict=False):
        made += [random_record(group.model(factor), share, fold) for fold in (1, 2)]
    return made


@pytest.mark.parametrize("group", GROUPS.values(), ids=str)
def test_every_factor_is_another_model_that_exists(group: Group) -> None:
    models = group.models()
    assert len(set(models)) == len(models) == len(group.factors) + 1
    assert all(contender(model).epochs > 0 for model in models)


def test_a_factor_that_was_added_brings_its_models_figure_minus_the_bases() -> None:
    group = GROUPS["features"]
    found = effects(group, _records(group, 0.5, [0.8]))
    assert [effect.factor for effect in found] == [group.factors[0]]
    assert found[0].accuracy.value > 0.2
    assert found[0].accuracy.excludes_zero


def test_a_factor_that_was_left_out_brings_what_the_base_has_more() -> None:
    group = GROUPS["augmentation"]
    found = effects(group, _records(group, 0.8, [0.5]))
    assert found[0].factor.left_out
    assert found[0].accuracy.value > 0.2


def test_effects_come_largest_first() -> None:
    group = GROUPS["features"]
    values = [effect.accuracy.value for effect in effects(group, _records(group, 0.5, [0.4, 0.9, 0.6]))]
    assert values == sorted(values, reverse=True)


def test_without_the_base_there_is_no_effect() -> None:
    group = GROUPS["features"]
    records = [record for record in _records(group, 0.5, [0.8]) if record.job.model != group.base]
    assert effects(group, records) == ()


def test_the_page_says_what_was_run_and_what_was_not(tmp_path: Path) -> None:
    group = GROUPS["features"]
    report = compose(_records(group, 0.5, [0.8, 0.4]))
    write(report, tmp_path)
    assert f"| {group.factors[0].name} |" in report.markdown
    assert f"Not run: {group.factors[2].name}" in report.markdown
    assert "The base is `compact`; it was not run." in report.markdown
    assert {path.name for path in tmp_path.iterdir()} == {
        "README.md", "index.html", "ablation-features.csv", "ablation-features.png",
    }  # fmt: skip
