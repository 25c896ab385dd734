"""``sound-training default-ablation``: what each part of the shipped recipe brings."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.cli.options import Clock, data_option, parse_folds

if TYPE_CHECKING:
    from training.records.jobs import Job

_PATH = click.Path(path_type=Path)
HOPS = "hops.json"
"""Beside the records: how long a hop of each form takes."""


@click.command("default-ablation")
@data_option
@click.option("--folds", default="1,2", show_default=True, callback=parse_folds, help="Test folds.")
@click.option("--seed", default=0, show_default=True)
@click.option("--teacher", type=_PATH, help="YAMNet with its embedding; default: in the data folder.")
@click.option("--records", default="docs/results/default/ablation/records", show_default=True, type=_PATH)
@click.option("--out", default="docs/results/default/ablation", show_default=True, type=_PATH)
@click.option(
    "--runs", default="runs/default-ablation", show_default=True, type=_PATH, help="States after each epoch."
)
@click.option("--report", is_flag=True, help="Make the page from the records that are there, run nothing.")
def default_ablation(
    data: Path | None, folds: tuple[int, ...], seed: int, teacher: Path | None, records: Path, out: Path,
    runs: Path, report: bool,
) -> None:  # fmt: skip
    """Measure what each part of the recipe of `default` brings, and form, window, rate and front end.

    Short runs of the network, one factor at a time, each a job with a record of its own; a
    job whose record was made with the same settings is not run again. Interrupted, the same command
    goes on where it stopped. The page is made from the records alone, whichever of them are there.

    \b
    Examples:
      sound-training default-ablation --data ~/sounds
      sound-training default-ablation --report
    """
    if not report:
        _run(data, folds, seed, teacher, records, runs)
    _write(records, out)


def _run(
    data: Path | None, folds: tuple[int, ...], seed: int, teacher: Path | None, records: Path, runs: Path
) -> None:
    from training.data.corpora import TEACHER_FILE, data_root, load, unlabelled_sounds
    from training.recipes.ablation.costs import time_forms
    from training.recipes.ablation.factors import Settings
    from training.recipes.ablation.job import AblationInputs, found, planned, run_job
    from training.recipes.shipped import School

    root, say, base = data_root(data), Clock(), Settings()
    school = School(teacher or root / "yamnet" / TEACHER_FILE, unlabelled_sounds(root / "effects"))
    place = AblationInputs(load(root), school, Path(".cache/features"), runs)
    missing = [job for job in planned(folds, seed) if found(job, base, place, records) is None]
    begun = time.monotonic()
    for number, job in enumerate(missing):
        say(_progress(job, number, len(missing), time.monotonic() - begun))
        run_job(job, base, place, say).write(records)
    say("timing a hop of each form")
    time_forms(records / HOPS)


def _progress(job: Job, done: int, total: int, seconds: float) -> str:
    left = f", about {seconds / done * (total - done) / 60:.0f} min left" if done else ""
    return f"job {done + 1} of {total}{left}: {job}"


def _write(records: Path, out: Path) -> None:
    from training.base.report import write
    from training.errors import DataError
    from training.recipes.ablation.costs import costs, hop_times
    from training.recipes.ablation.page import compose
    from training.recipes.ablation.records import read_all

    found = read_all(records)
    if not found:
        raise DataError(f"{records}: no records; run the jobs first: sound-training default-ablation")
    click.echo(str(write(compose(found, costs(), hop_times(records / HOPS)), out)))
