"""Records of two engines: the same but for the clock, or it is said what is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scored import random_record

from training.records.jobs import JobRecord
from training.study.same import main, verdict

MADE = random_record("net", 0.5)


def _slower(record: JobRecord) -> JobRecord:
    epochs = tuple(replace(epoch, seconds=9 * epoch.seconds) for epoch in record.epochs)
    return replace(record, provenance=replace(record.provenance, seconds=99.0), epochs=epochs)


def _with_loss(record: JobRecord, factor: float) -> JobRecord:
    return replace(record, epochs=tuple(replace(e, loss=factor * e.loss) for e in record.epochs))


def test_times_are_not_compared() -> None:
    assert verdict(MADE, _slower(MADE)) == "yes"


def test_the_last_digits_are_rounding_and_more_is_not() -> None:
    assert verdict(MADE, _with_loss(MADE, 1.0001)) == "but for rounding"
    assert verdict(MADE, _with_loss(MADE, 1.1)) == "no"


def test_another_prediction_setting_or_length_is_another_record() -> None:
    clips = replace(MADE.clips, prediction=np.roll(MADE.clips.prediction, 1))
    assert verdict(MADE, replace(MADE, clips=clips)) == "no"
    assert verdict(MADE, replace(MADE, provenance=replace(MADE.provenance, settings={"rate": 0.1}))) == "no"
    assert verdict(MADE, replace(MADE, epochs=MADE.epochs[:1])) == "no"


def test_folders_are_compared_job_by_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for fold in (1, 2):
        made = random_record("net", 0.5, fold)
        made.write(tmp_path / "one")
        _slower(made).write(tmp_path / "other")
    assert main(tmp_path / "one", tmp_path / "other") == 0
    assert capsys.readouterr().out.count("| yes |") == 2
    random_record("net", 0.5, 3).write(tmp_path / "one")
    assert main(tmp_path / "one", tmp_path / "other") == 1
    assert "a record is missing" in capsys.readouterr().out
