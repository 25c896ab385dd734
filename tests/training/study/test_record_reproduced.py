"""A committed record, begun again by the code as it is (`pytest -m accuracy`, with SOUND_DATA)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from training.data.corpora import DATA_VARIABLE

pytest.importorskip("tensorflow")

from training.fit.loop import history_of
from training.records.jobs import Job, read_all
from training.study.jobs import found, make_task, run_job
from training.study.task import Options

pytestmark = [
    pytest.mark.accuracy,
    pytest.mark.skipif(not os.environ.get(DATA_VARIABLE), reason=f"{DATA_VARIABLE} names no recordings"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

RECORDS = Path(__file__).resolve().parents[3] / "docs/results/study/records"
ROUNDING = 1e-3
"""Relative: what another order of sums on another processor changes in the mean loss of an epoch."""


class _EnoughError(Exception):
    """Ends a run after its first epoch."""


@pytest.mark.parametrize("job", [Job("honest", "compact", 3, 0)], ids=str)
def test_a_record_begins_as_it_did(job: Job, tmp_path: Path) -> None:
    options = Options(None, cache=tmp_path / "cache", runs=tmp_path / "runs")
    assert found(job, options, RECORDS), "settings or clips are other ones; cv would run the job again"
    kept = next(record for record in read_all(RECORDS) if record.job == job)

    def until_the_first_epoch(text: str) -> None:
        if text.startswith("epoch 1/"):
            raise _EnoughError

    with pytest.raises(_EnoughError):
        run_job(job, options, until_the_first_epoch)
    row = history_of(make_task(job, options, print).folder)[0]
    assert row["loss"] == pytest.approx(kept.epochs[0].loss, rel=ROUNDING)
