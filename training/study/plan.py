"""The budget: what each model's epochs cost here, before anything is run for long."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from statistics import median

from training.base.progress import Progress
from training.base.provenance import machine
from training.records.jobs import Job, JobRecord
from training.study.contenders import contender
from training.study.jobs import run_job
from training.study.task import Options


@dataclass(frozen=True)
class Line:
    """One model of the plan; times in seconds of this machine as it is loaded now, or was.

    ``fixed_s`` is what a job takes beside its epochs: loading, compiling, testing. ``records`` are those
    that the times are of; 0 where the model was timed for the plan.
    """

    model: str
    protocol: str
    jobs: int
    epochs: int
    epoch_s: float
    fixed_s: float
    records: int = 0

    @property
    def hours(self) -> float:
        return self.jobs * (self.fixed_s + self.epochs * self.epoch_s) / 3600


def measure(
    jobs: Iterable[Job], options: Options, say: Progress, known: Sequence[JobRecord] = ()
) -> list[Line]:
    """Run two epochs of the first job of every model and take the second one's time.

    A model that ``known`` has records of, made on such a machine, is not run: the times are theirs.
    """
    by_model: dict[str, list[Job]] = {}
    for job in jobs:
        by_model.setdefault(job.model, []).append(job)
    lines = []
    for model, of_model in by_model.items():
        protocol = of_model[0].protocol
        past = [
            r
            for r in known
            if (r.job.protocol, r.job.model, r.making.machine) == (protocol, model, machine())
        ]
        timed = past or [_timed(of_model[0], options, say)]
        # The first epoch compiles; it is kept where it is the only one.
        paces = [epoch.seconds for r in timed for epoch in r.epochs[1:] or r.epochs]
        beside = [r.making.seconds - sum(epoch.seconds for epoch in r.epochs) for r in timed]
        planned = contender(model).epochs
        epochs = min(planned, options.epochs or planned)
        pace = median(paces) if paces else 0.0
        lines.append(Line(model, protocol, len(of_model), epochs, pace, median(beside), len(past)))
    return lines


def _timed(job: Job, options: Options, say: Progress) -> JobRecord:
    with tempfile.TemporaryDirectory() as folder:
        say(f"timing {job.model}")
        return run_job(job, replace(options, epochs=2, runs=Path(folder)), say)


def page(lines: Sequence[Line], workers: int) -> str:
    """The plan as Markdown; early stopping can only shorten it."""
    rows = [
        f"| {line.model} | {line.protocol} | {line.jobs} | {line.epochs} | {line.epoch_s:.1f} "
        f"| {line.fixed_s:.0f} | {f'{line.records} records' if line.records else 'now'} | {line.hours:.2f} |"
        for line in lines
    ]
    total = sum(line.hours for line in lines)
    return "\n".join([
        f"## The budget of the {', '.join(sorted({line.protocol for line in lines}))} protocol",
        "",
        f"On {machine()}: the median epoch of the records that are there, else the second epoch of a job run "
        "for this plan, with whatever else ran then.",
        "",
        "| model | protocol | jobs | epochs | s an epoch | s a job beside | timed | hours |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        f"| **all** | | {sum(line.jobs for line in lines)} | | | | | **{total:.2f}** |",
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
