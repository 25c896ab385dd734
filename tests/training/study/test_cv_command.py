"""What `cv` says before and while jobs run; no network is trained."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tqdm
from corpora import write_urbansound8k
from scored import random_record

from training.base import quiet
from training.cli.study import cv
from training.errors import DataError
from training.records.jobs import Job
from training.study.task import Options
from training.study.work import Failure


def test_a_fold_that_is_not_there_is_refused_before_any_job(tmp_path: Path) -> None:
    write_urbansound8k(tmp_path, folds=(1, 2))
    with pytest.raises(DataError, match=r"--folds 7, 9: urbansound8k .* there are \[1, 2\]") as refused:
        cv._jobs(Options(tmp_path), "honest", "compact", (1, 7, 9), (0,))
    assert refused.value.exit_code == 3
    assert [job.test_fold for job in cv._jobs(Options(tmp_path), "honest", "compact", (2,), (0,))] == [2]


class Bar:
    """Stands for the progress bar; keeps (done, total) after each update."""

    def __init__(self, total: int, **_: Any) -> None:
        self.total, self.done, self.states = total, 0, list[tuple[int, int]]()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None: ...

    def set_postfix_str(self, text: str) -> None: ...

    def update(self, count: int) -> None:
        self.done += count
        self.states.append((self.done, self.total))


def test_epochs_that_are_not_run_leave_the_total_of_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    bars: list[Bar] = []
    monkeypatch.setattr(tqdm, "tqdm", lambda **given: bars.append(Bar(**given)) or bars[-1])
    jobs = [Job("honest", "clstm", fold, 0) for fold in (1, 2, 3)]
    made = [
        replace(random_record("clstm", 0.5, fold), job=job) for fold, job in zip((1, 2, 3), jobs, strict=True)
    ]
    results = [made[0], Failure(jobs[1], "no clips"), made[2]]

    def each() -> Iterator[Any]:
        yield from results

    assert list(cv._with_bar(each(), jobs, Options(None))) == results
    # Fifty epochs are planned for each job; the records have three.
    assert bars[0].states == [(3, 103), (3, 53), (6, 6)]


def test_what_is_written_to_the_descriptor_while_a_library_loads_is_lost_and_nothing_later(
    capfd: pytest.CaptureFixture[str],
) -> None:
    import os

    with quiet._silent_descriptor(2):
        os.write(2, b"I0000 cudart_stub.cc: no GPU\n")
    os.write(2, b"epoch 1/60\n")
    sys.stderr.flush()
    assert capfd.readouterr().err == "epoch 1/60\n"
