"""``sound-training cv``: cross-validation."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from monitor.errors import UsageError
from training.cli.options import data_option, parse_folds
from training.cli.study.compare import RECORDS

if TYPE_CHECKING:
    from training.records.jobs import Job, JobRecord, Protocol
    from training.study.task import Options
    from training.study.work import Result

_PATH = click.Path(path_type=Path)
ESC10_RECORDS = Path("docs/results/esc10/records")


def parse_numbers(_: click.Context, __: click.Parameter, text: str) -> tuple[int, ...]:
    """Callback of options such as ``--seeds 0,1``."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a list of numbers; write 0,1,2") from error


def parse_fold_list(
    context: click.Context, option: click.Parameter, text: str | None
) -> tuple[int, ...] | None:
    """Callback of an optional ``--folds``."""
    return None if text is None else parse_folds(context, option, text)


@click.command()
@data_option
@click.option(
    "--protocol", type=click.Choice(["honest", "seed"]), default="honest", show_default=True,
    help="honest: validation disjoint from test; seed: as in the student study, for comparison.",
)  # fmt: skip
@click.option("--models", help="Names, comma-separated; default: all models of the protocol.")
@click.option(
    "--folds", callback=parse_fold_list, help="Test folds, such as 1,2; default: all available folds."
)
@click.option("--seeds", default="0", show_default=True, callback=parse_numbers)
@click.option(
    "--corpus", type=click.Choice(["urbansound8k", "esc10"]), default="urbansound8k", show_default=True
)
@click.option("--epochs", type=click.IntRange(1), help="Maximum number of epochs of every model.")
@click.option(
    "--precision", type=click.Choice(["float32", "mixed_bfloat16"]),
    help="Precision of all models; default: the faster one for each, as measured.",
)  # fmt: skip
@click.option("--engine", type=click.Choice(["joblib", "dask"]), default="joblib", show_default=True)
@click.option("--scheduler", help="Address of the Dask scheduler, as tcp://host:8786.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes (joblib).")
@click.option(
    "--threads", default=0, type=click.IntRange(0), help="Threads per job; 0: its share of the cores."
)
@click.option(
    "--records", type=_PATH,
    help=f"Folder of records; default: {RECORDS}, for ESC-10 {ESC10_RECORDS}.",
)  # fmt: skip
@click.option("--runs", default="runs/study", show_default=True, type=_PATH, help="States after each epoch.")
@click.option("--cache", default=".cache/features", show_default=True, type=_PATH)
@click.option(
    "--plan",
    is_flag=True,
    help="Only time an epoch of models without records and print the budget and the finished jobs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per finished job.")
def cv(
    data: Path | None, protocol: Protocol, models: str | None, folds: tuple[int, ...] | None,
    seeds: tuple[int, ...], corpus: Literal["urbansound8k", "esc10"], epochs: int | None,
    precision: Literal["float32", "mixed_bfloat16"] | None, engine: str, scheduler: str | None, jobs: int,
    threads: int, records: Path | None, runs: Path, cache: Path, plan: bool, as_json: bool,
) -> None:  # fmt: skip
    """Train and test models on each fold in turn, and write a record of each job as it finishes.

    A job is skipped if its record has the same settings and clips; an interrupted job resumes after
    its last complete epoch. Records do not depend on the engine.

    \b
    Examples:
      sound-training cv --plan --models cnn,compact
      sound-training cv --models cnn,compact,yamnet-lr --seeds 0,1,2 --jobs 2
      sound-training cv --protocol seed
      sound-training cv --engine dask --scheduler tcp://10.0.0.5:8786
    """
    from training.study.task import Options

    if (engine == "dask") is not (scheduler is not None):
        raise UsageError("--engine dask and --scheduler tcp://host:port belong together")
    records = records or (ESC10_RECORDS if corpus == "esc10" else RECORDS)
    options = Options(data, corpus, cache, runs, epochs, precision, threads)
    asked = _jobs(options, protocol, models, folds, seeds)
    if plan:
        _plan(asked, options, jobs, records)
        return
    missing = missing_of(asked, options, records)
    if len(missing) < len(asked):
        click.echo(f"{len(asked) - len(missing)} of {len(asked)} records exist already", err=True)
    failed = run_jobs(missing, options, engine, scheduler, jobs, records, as_json)
    if not as_json:
        _summary(asked, records)
    if failed:
        sys.exit(1)


def _plan(asked: list[Job], options: Options, workers: int, records: Path) -> None:
    from training.records.jobs import read_all
    from training.study.plan import done, measure, page

    found = [r for r in read_all(records) if r.job.protocol in {job.protocol for job in asked}]
    click.echo(page(measure(asked, options, lambda text: click.echo(text, err=True), found), workers))
    click.echo("\n" + done(found))


def _jobs(
    options: Options, protocol: Protocol, models: str | None, folds: tuple[int, ...] | None,
    seeds: tuple[int, ...],
) -> list[Job]:  # fmt: skip
    from training.base.variants import base_of
    from training.data.corpora import data_root, load
    from training.study.contenders import contender, models_of
    from training.study.folds import check_folds, labelled
    from training.study.jobs import planned

    names = models.split(",") if models else models_of(protocol)
    for name in names:
        contender(name)
        if base_of(name) not in models_of(protocol):
            raise UsageError(f"{name}: --protocol {protocol} is for {', '.join(models_of(protocol))}")
    corpus = labelled(load(data_root(options.data)), options.corpus)
    check_folds(folds or (), corpus)
    return planned(protocol, names, folds or corpus.folds, seeds)


def missing_of(jobs: list[Job], options: Options, records: Path) -> list[Job]:
    """Return the jobs without a record that was made with these settings from these clips."""
    from training.study.jobs import found

    return [job for job in jobs if found(job, options, records) is None]


def run_jobs(
    jobs: list[Job], options: Options, engine: str, scheduler: str | None, workers: int, records: Path,
    as_json: bool,
) -> list[str]:  # fmt: skip
    """Run the jobs and write each record; print and return the failures."""
    from training.study.engines import in_dask, in_joblib
    from training.study.work import Failure

    if not jobs:
        return []
    results = in_dask(jobs, options, scheduler) if scheduler else in_joblib(jobs, options, workers)
    failed = []
    for result in _with_bar(results, jobs, options):
        if isinstance(result, Failure):
            failed.append(f"{result.job}: {result.message}")
            continue
        result.write(records)
        if as_json:
            click.echo(json.dumps(_line(result)))
    for message in failed:
        click.echo(f"error: {message}", err=True)
    return failed


def _with_bar(results: Iterable[Result], jobs: list[Job], options: Options) -> Iterator[Result]:
    """Show progress in epochs, which dominate the time, to estimate the time remaining.

    Epochs that early stopping or a failure saves leave the total, so that the bar does not jump.
    """
    from tqdm import tqdm

    from training.records.jobs import JobRecord
    from training.study.contenders import contender

    def weight(job: Job) -> int:
        planned = contender(job.model).epochs
        return max(1, min(planned, options.epochs or planned))

    with tqdm(total=sum(map(weight, jobs)), unit="epoch", file=sys.stderr, smoothing=0.1) as bar:
        for result in results:
            ran = max(1, len(result.epochs)) if isinstance(result, JobRecord) else 0
            bar.total -= weight(result.job) - ran
            bar.set_postfix_str(str(result.job))
            bar.update(ran)
            yield result


def _line(record: JobRecord) -> dict[str, Any]:
    last = record.epochs[-1] if record.epochs else None
    line = {"job": str(record.job), "accuracy": record.clips.accuracy, "seconds": record.provenance.seconds}
    if record.job.protocol == "seed" and last is not None:
        line |= {"last_epoch": last.test_accuracy, "mean_over_epochs": _over_epochs([record])[0]}
    return line


def _summary(jobs: list[Job], records: Path) -> None:
    """Print one line per model; under the seed protocol with the figure as published first."""
    from training.records.jobs import read_all

    by_model: dict[str, list[JobRecord]] = {}
    for record in read_all(records):
        if record.job in jobs:
            by_model.setdefault(record.job.model, []).append(record)
    for model, found in by_model.items():
        tested = sum(len(record.clips.clip) for record in found)
        right = sum(int((record.clips.prediction == record.clips.truth).sum()) for record in found)
        text = f"{model}: {len(found)} jobs, pooled accuracy {right / tested:.3f}"
        if found[0].job.protocol == "seed":
            mean, f1 = _over_epochs(found)
            last = sum(record.epochs[-1].test_accuracy or 0.0 for record in found) / len(found)
            text += f"; as published, mean over epochs and folds: {mean:.3f} (F1 {f1:.3f})"
            text += f"; last epoch: {last:.3f}"
        click.echo(text)


def _over_epochs(records: list[JobRecord]) -> tuple[float, float]:
    """Mean over all epochs of all folds of test accuracy and weighted F1."""
    epochs = [epoch for record in records for epoch in record.epochs]
    accuracy = sum(epoch.test_accuracy or 0.0 for epoch in epochs) / len(epochs)
    return accuracy, sum(epoch.test_f1 or 0.0 for epoch in epochs) / len(epochs)
