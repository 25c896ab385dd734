"""Run one job of the study, from its clips to its record; a run resumes after its last epoch."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from training.base.maths import fit_temperature, softmax
from training.base.progress import Progress
from training.base.provenance import machine, versions
from training.data.corpora import MORE, Corpora, data_root, load
from training.data.splits import deal_backgrounds
from training.fit.loop import Row, prepare_keras
from training.records.envelope import CodeVersion
from training.records.jobs import JOBS, ClipOutcomes, DataUse, Epoch, Job, JobRecord, Provenance, job_key
from training.records.store import Store
from training.study.contenders import contender, validation_of
from training.study.folds import Corpus, Labelled, divide, labelled
from training.study.task import Fitted, Options, Precision, Task


def run_job(job: Job, options: Options, report: Progress) -> JobRecord:
    """Train, test and return the record; an interrupted job resumes after its last epoch.

    Raises
    ------
    DataError
        If the data do not allow the job.
    """
    task = make_task(job, options, report)
    model = contender(job.model)
    begun = time.monotonic()
    if model.epochs:
        prepare_keras(job.seed, _precision(job, options))
    fitted = model.fit(task)
    clips = _outcome(task, fitted)
    # This clock misses the epochs of an earlier, interrupted call; the history holds them.
    trained = sum(row["seconds"] for row in fitted.history)
    seconds = max(time.monotonic() - begun, trained)
    settings = {**fitted.settings, **_arithmetic(job, options)}
    return JobRecord(
        job,
        _data_use(task),
        Provenance(
            settings,
            versions(),
            machine(),
            command(job, options),
            round(seconds, 1),
            CodeVersion.of(__name__),
        ),
        tuple(_epoch(number, row) for number, row in enumerate(fitted.history, start=1)),
        fitted.best_epoch,
        fitted.cost,
        clips,
    )


def found(job: Job, options: Options, records: Path) -> JobRecord | None:
    """Return the job's record under ``records`` if its settings and clips are the same, else None.

    Raises
    ------
    DataError
        If the data do not allow the job.
    """
    task = make_task(job, options, lambda text: None)
    settings = {**contender(job.model).decided(task), **_arithmetic(job, options)}
    tested = [task.corpus.clips[row].path.stem for row in task.parts.test]
    return Store(records, JOBS).find(str(job), job_key(settings, _data_use(task), tested))


def _data_use(task: Task) -> DataUse:
    parts = task.parts
    named = sorted(f"{clip.path.stem} {clip.label}" for clip in task.backgrounds)
    backgrounds = hashlib.sha256("\n".join(named).encode()).hexdigest()[:16]
    return DataUse(
        parts.train_folds,
        parts.rule,
        len(parts.train),
        len(parts.validation),
        task.corpus.labels,
        backgrounds,
    )


def _precision(job: Job, options: Options) -> Precision:
    return options.precision or contender(job.model).precision


def _arithmetic(job: Job, options: Options) -> dict[str, Any]:
    """Return the precision that a network computes in; empty for a model without epochs."""
    return {"precision": _precision(job, options)} if contender(job.model).epochs else {}


def make_task(job: Job, options: Options, report: Progress) -> Task:
    """Return the input of the job's trainer.

    Raises
    ------
    DataError
        If the data do not allow the job.
    """
    corpus, backgrounds = _corpus(data_root(options.data), options.corpus)
    parts = divide(corpus, job.test_fold, validation_of(job))
    folder = options.runs / options.corpus / f"{job}{_variant(options)}"
    return Task(job, corpus, parts, backgrounds, options, folder, report)


def command(job: Job, options: Options) -> str:
    """Return the command that makes this record alone, without the data folder."""
    parts = [f"sound-training cv --protocol {job.protocol} --models {job.model}"]
    parts.append(f"--folds {job.test_fold} --seeds {job.seed}")
    if options.corpus != "urbansound8k":
        parts.append(f"--corpus {options.corpus}")
    if options.epochs:
        parts.append(f"--epochs {options.epochs}")
    if options.precision:
        parts.append(f"--precision {options.precision}")
    return " ".join(parts)


@lru_cache(maxsize=2)
def _corpus(root: Path, name: Corpus) -> tuple[Labelled, tuple[Any, ...]]:
    """Return the corpus and the backgrounds for training; the others test the default model.

    The study keeps to ``background/``: with more of them every batch, and so every record, would differ.
    """
    corpora: Corpora = load(root)
    screened = [clip for clip in corpora.backgrounds if clip.path.parent.name != MORE]
    return labelled(corpora, name), deal_backgrounds(screened)[0]


def _variant(options: Options) -> str:
    """Return a suffix for the run's folder: runs that differ in length or precision share no state."""
    return "".join(f"-{value}" for value in (options.epochs, options.precision) if value)


def _outcome(task: Task, fitted: Fitted) -> ClipOutcomes:
    parts, clips = task.parts, task.corpus.clips
    logits = fitted.logits(parts.test)
    temperature = 1.0
    if task.job.protocol == "honest":
        temperature = fit_temperature(fitted.logits(parts.validation), task.truth(parts.validation))
    probability = softmax(logits / temperature)
    tested = [clips[row] for row in parts.test]
    return ClipOutcomes(
        tuple(clip.path.stem for clip in tested),
        tuple(clip.recording for clip in tested),
        np.array([clip.salience for clip in tested], np.int64),
        task.truth(parts.test),
        logits.argmax(axis=1).astype(np.int64),
        probability,
        temperature,
    )


def _epoch(number: int, row: Row) -> Epoch:
    measured: Mapping[str, float] = {name: round(value, 5) for name, value in row.items()}
    return Epoch(epoch=number, **measured)


def planned(protocol: Any, models: Sequence[str], folds: Sequence[int], seeds: Sequence[int]) -> list[Job]:
    """Return the jobs ordered by model as given, then by seed, then by fold."""
    return [Job(protocol, m, fold, seed) for m in models for seed in seeds for fold in folds]
