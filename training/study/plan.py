"""The budget: what each model's epochs cost here, before anything is run for long."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from statistics import median

from training.study.contenders import contender
from training.study.jobs import machine, run_job
from training.study.records import Job, JobRecord
from training.study.task import Options


@dataclass(frozen=True)
class Line:
    """One model of the plan; times in seconds of this machine as it is loaded now.

    ``fixed_s`` is what a job takes beside its epochs: loading, compiling, testing.
    """

    model: str
    protocol: str
    jobs: int
    epochs: int
    epoch_s: float
    fixed_s: float

    @property
    def hours(self) -> float:
        return self.jobs * (self.fixed_s + self.epochs * self.epoch_s) / 3600


def measure(jobs: Iterable[Job], options: Options, say: Callable[[str], None]) -> list[Line]:
    """Run two epochs of the first job of every model and take the second one's time."""
    by_model: dict[str, list[Job]] = {}
    for job in jobs:
        by_model.setdefault(job.model, []).append(job)
    lines = []
    for model, of_model in by_model.items():
        with tempfile.TemporaryDirectory() as folder:
            trial = replace(options, epochs=2, runs=Path(folder))
            say(f"timing {model}")
            record = run_job(of_model[0], trial, say)
        planned = contender(model).epochs
        epochs = min(planned, options.epochs or planned)
        trained = sum(epoch.seconds for epoch in record.epochs)
        epoch_s = record.epochs[-1].seconds if record.epochs else 0.0
        fixed_s = record.making.seconds - trained
        lines.append(Line(model, of_model[0].protocol, len(of_model), epochs, epoch_s, fixed_s))
    return lines


def page(lines: Sequence[Line], workers: int) -> str:
    """The plan as Markdown; early stopping can only shorten it."""
    rows = [
        f"| {line.model} | {line.protocol} | {line.jobs} | {line.epochs} | {line.epoch_s:.1f} "
        f"| {line.fixed_s:.0f} | {line.hours:.2f} |"
        for line in lines
    ]
    total = sum(line.hours for line in lines)
    return "\n".join([
        f"Measured on {machine()}: the second epoch of one job of each model, with whatever else ran then.",
        "",
        "| model | protocol | jobs | epochs | s an epoch | s a job beside | hours |",
        "|---|---|---|---|---|---|---|",
        *rows,
        f"| **all** | | {sum(line.jobs for line in lines)} | | | | **{total:.2f}** |",
        "",
        f"With {workers} at a time: {total / workers:.2f} hours at best.",
    ])  # fmt: skip


def done(records: Iterable[JobRecord]) -> str:
    """What the records say of jobs that have been run, as Markdown; times are of the machines they ran on."""
    by_model = [
        list(of_model)
        for _, of_model in groupby(
            sorted(records, key=lambda record: record.job),
            lambda record: (record.job.protocol, record.job.model),
        )
    ]
    if not by_model:
        return "No records are there yet."
    hours = sum(record.making.seconds for of_model in by_model for record in of_model) / 3600
    return "\n".join([
        "Records are there of:",
        "",
        "| model | protocol | jobs | epochs of them all | s an epoch, median | hours | which |",
        "|---|---|---|---|---|---|---|",
        *map(_done, by_model),
        f"| **all** | | {sum(map(len, by_model))} | | | **{hours:.2f}** | |",
        "",
        "Early stopping makes runs shorter than planned; a job that shared its core counts the wait.",
    ])  # fmt: skip


def _done(records: Sequence[JobRecord]) -> str:
    job, times = records[0].job, [epoch.seconds for record in records for epoch in record.epochs]
    folds: dict[int, list[int]] = {}
    for record in records:
        folds.setdefault(record.job.seed, []).append(record.job.test_fold)
    which = "; ".join(f"seed {seed}: folds {', '.join(map(str, of))}" for seed, of in sorted(folds.items()))
    hours = sum(record.making.seconds for record in records) / 3600
    pace = f"{median(times):.1f}" if times else "–"
    return (
        f"| {job.model} | {job.protocol} | {len(records)} | {len(times)} | {pace} | {hours:.2f} | {which} |"
    )
