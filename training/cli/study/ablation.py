"""``sound-training ablation``: one factor at a time."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from monitor.errors import UsageError
from training.cli.options import data_option, parse_folds

if TYPE_CHECKING:
    from training.records.jobs import Job
    from training.study.ablation import Group
    from training.study.task import Options

_PATH = click.Path(path_type=Path)


def _folds(context: click.Context, option: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    return None if text is None else parse_folds(context, option, text)


@click.command()
@data_option
@click.option(
    "--group", "groups", type=click.Choice(["features", "augmentation"]), multiple=True,
    help="Group of factors; repeatable; default: all.",
)  # fmt: skip
@click.option("--folds", callback=_folds, help="Test folds, such as 1,2; default: all available folds.")
@click.option("--seed", default=0, show_default=True)
@click.option("--epochs", default=12, show_default=True, type=click.IntRange(1), help="Epochs of each run.")
@click.option(
    "--corpus", type=click.Choice(["urbansound8k", "esc10"]), default="urbansound8k", show_default=True
)
@click.option("--engine", type=click.Choice(["joblib", "dask"]), default="joblib", show_default=True)
@click.option("--scheduler", help="Address of the Dask scheduler, as tcp://host:8786.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes (joblib).")
@click.option("--records", default="docs/results/study/ablation/records", show_default=True, type=_PATH)
@click.option("--out", default="docs/results/study/ablation", show_default=True, type=_PATH)
@click.option(
    "--runs", default="runs/ablation", show_default=True, type=_PATH, help="States after each epoch."
)
@click.option("--cache", default=".cache/features", show_default=True, type=_PATH)
@click.option("--plan", is_flag=True, help="Only time an epoch of each base and print the budget.")
@click.option("--report", is_flag=True, help="Only write the page from existing records.")
def ablation(
    data: Path | None, groups: tuple[str, ...], folds: tuple[int, ...] | None, seed: int, epochs: int,
    corpus: Literal["urbansound8k", "esc10"], engine: str, scheduler: str | None, jobs: int, records: Path,
    out: Path, runs: Path, cache: Path, plan: bool, report: bool,
) -> None:  # fmt: skip
    """Measure the effect of each feature choice and each augmentation, all else equal.

    Runs are short, with one seed on every fold. A job is skipped if its record has the same settings
    and clips. The page of paired differences is made from the records alone.

    \b
    Examples:
      sound-training ablation --plan
      sound-training ablation --group augmentation --epochs 12
      sound-training ablation --report
    """
    from training.study.ablation import GROUPS
    from training.study.task import Options

    if (engine == "dask") is not (scheduler is not None):
        raise UsageError("--engine dask and --scheduler tcp://host:port belong together")
    if not report:
        options = Options(data, corpus, cache, runs, epochs)
        chosen = [GROUPS[name] for name in dict.fromkeys(groups or GROUPS)]
        by_group = {group.name: _jobs(group, options, folds, seed) for group in chosen}
        if plan:
            click.echo(_plan(chosen, by_group, options, jobs))
            return
        _run([job for of_group in by_group.values() for job in of_group], options, scheduler, jobs, records)
    _write(records, out)


def _jobs(group: Group, options: Options, folds: tuple[int, ...] | None, seed: int) -> list[Job]:
    from training.data.corpora import data_root, load
    from training.study.contenders import contender
    from training.study.folds import check_folds, labelled
    from training.study.jobs import planned

    corpus = labelled(load(data_root(options.data)), options.corpus)
    check_folds(folds or (), corpus)
    models = [contender(name).name for name in group.models()]
    return planned("honest", models, folds or corpus.folds, (seed,))


def _plan(groups: list[Group], jobs: dict[str, list[Job]], options: Options, workers: int) -> str:
    """Return the budget, timed on the bases only: the changes hardly affect the time of an epoch."""
    from dataclasses import replace

    from training.study.plan import measure, page

    bases = [jobs[group.name][0] for group in groups]
    lines = measure(bases, options, lambda text: click.echo(text, err=True))
    counted = [replace(line, jobs=len(jobs[g.name])) for line, g in zip(lines, groups, strict=True)]
    return page(counted, workers)


def _run(asked: list[Job], options: Options, scheduler: str | None, workers: int, records: Path) -> None:
    from training.cli.study.cv import missing_of, run_jobs

    missing = missing_of(asked, options, records)
    click.echo(f"{len(missing)} of {len(asked)} jobs to run, {options.epochs} epochs each", err=True)
    engine = "dask" if scheduler else "joblib"
    if run_jobs(missing, options, engine, scheduler, workers, records, as_json=False):
        sys.exit(1)


def _write(records: Path, out: Path) -> None:
    from training.base.report import write
    from training.errors import DataError
    from training.records.jobs import read_all
    from training.study.ablation import compose

    found = read_all(records)
    if not found:
        raise DataError(f"{records}: no records; run the jobs first: sound-training ablation")
    click.echo(str(write(compose(found), out)))
