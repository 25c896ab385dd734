"""Estimate the time that jobs will take on this machine, model by model, before they run."""

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
    """The estimate for one model, measured on this machine under its load at that time.

    Attributes
    ----------
    epoch_s
        Median time of an epoch, seconds.
    fixed_s
        Time of a job outside its epochs (loading, compiling, testing), seconds.
    records
        Number of records that the times come from; 0 if the model was timed for this plan.
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
    """Estimate each model from its ``known`` records of an equal machine.

    A model without such records is timed: two epochs of its first job are run, and the second counts.
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
            if (r.job.protocol, r.job.model, r.provenance.machine) == (protocol, model, machine())
        ]
        timed = past or [_timed(of_model[0], options, say)]
        # The first epoch includes compilation, so it counts only if there is no other.
        paces = [epoch.seconds for r in timed for epoch in r.epochs[1:] or r.epochs]
        beside = [r.provenance.seconds - sum(epoch.seconds for epoch in r.epochs) for r in timed]
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
    """Return the plan as Markdown; early stopping can only shorten it."""
    rows = [
        f"| {line.model} | {line.protocol} | {line.jobs} | {line.epochs} | {line.epoch_s:.1f} "
        f"| {line.fixed_s:.0f} | {f'{line.records} records' if line.records else 'now'} | {line.hours:.2f} |"
        for line in lines
    ]
    total = sum(line.hours for line in lines)
    return "\n".join([
        f"## The budget of the {', '.join(sorted({line.protocol for line in lines}))} protocol",
        "",
        f"On {machine()}: the median epoch of existing records, else the second epoch of a job that was run "
        "for this plan, under the load at that time.",
        "",
        "| model | protocol | jobs | epochs | s per epoch | other s per job | timed | hours |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        f"| **all** | | {sum(line.jobs for line in lines)} | | | | | **{total:.2f}** |",
        "",
        f"With {workers} at a time: {total / workers:.2f} hours at best.",
    ])  # fmt: skip


def done(records: Iterable[JobRecord]) -> str:
    """Return the finished jobs as Markdown; times are those of the machines that ran them."""
    by_model = [
        list(of_model)
        for _, of_model in groupby(
            sorted(records, key=lambda record: record.job),
            lambda record: (record.job.protocol, record.job.model),
        )
    ]
    if not by_model:
        return "There are no records yet."
    hours = sum(record.provenance.seconds for of_model in by_model for record in of_model) / 3600
    return "\n".join([
        "Finished jobs:",
        "",
        "| model | protocol | jobs | total epochs | s per epoch, median | hours | which |",
        "|---|---|---|---|---|---|---|",
        *map(_done, by_model),
        f"| **all** | | {sum(map(len, by_model))} | | | **{hours:.2f}** | |",
        "",
        "Early stopping makes runs shorter than planned. Times include waiting for a shared core.",
    ])  # fmt: skip


def _done(records: Sequence[JobRecord]) -> str:
    job, times = records[0].job, [epoch.seconds for record in records for epoch in record.epochs]
    folds: dict[int, list[int]] = {}
    for record in records:
        folds.setdefault(record.job.seed, []).append(record.job.test_fold)
    which = "; ".join(f"seed {seed}: folds {', '.join(map(str, of))}" for seed, of in sorted(folds.items()))
    hours = sum(record.provenance.seconds for record in records) / 3600
    pace = f"{median(times):.1f}" if times else "–"
    return (
        f"| {job.model} | {job.protocol} | {len(records)} | {len(times)} | {pace} | {hours:.2f} | {which} |"
    )
