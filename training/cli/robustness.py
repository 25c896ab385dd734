"""``sound-training robustness``: models under adversarial attacks and everyday corruptions."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.cli.options import data_option
from training.cli.study.cv import missing_of, parse_fold_list, parse_numbers, run_jobs

if TYPE_CHECKING:
    from training.robustness.plan import AnalysisPlan

_PATH = click.Path(path_type=Path)
_HARDENED = "hardening.beta=1~hardening.epsilon_db=0.5"
_MODELS = f"default,cnn,gru,clstm,compact~epochs=30,compact~epochs=30~{_HARDENED}"
GUIDE = Path("docs/robustness.md")
_PARTS = "features,sound,transfer,alerts,universal,examples,everyday"
_CLIPS, _QUICK_CLIPS = 50, 100
_FOLDS, _QUICK_FOLDS = (1, 2, 3), (2,)
_JOBS, _QUICK_JOBS = 1, 2
_OUT, _QUICK_OUT = Path("docs/results/robustness"), Path("runs/robustness-quick")


def _names(_: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name for name in text.split(",") if name)


def _parts(context: click.Context, option: click.Parameter, text: str) -> tuple[str, ...]:
    names = _names(context, option, text) or ()
    unknown = [name for name in names if name not in _PARTS.split(",")]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is not a part; choose from {_PARTS}")
    return names


@click.command()
@data_option
@click.option(
    "--models", callback=_names,
    help="Networks, comma-separated: of the study, and the default model without the test fold, as default "
    f"--left-out leaves it in the folder default beside RUNS; '': only packages.  [default: {_MODELS}]",
)  # fmt: skip
@click.option("--folds", callback=parse_fold_list, help="Test folds.  [default: 1,2,3; quick: 2]")
@click.option("--seeds", default="0", show_default=True, callback=parse_numbers)
@click.option(
    "--clips", type=click.IntRange(0),
    help=f"Clips of each fold, the same for every model; 0: all.  [default: {_CLIPS}; quick: {_QUICK_CLIPS}]",
)  # fmt: skip
@click.option(
    "--package", "packages", multiple=True, default=("models/urban-sounds.tflite",), show_default=True,
    type=click.Path(path_type=Path, exists=True), help="Model package; repeatable.",
)  # fmt: skip
@click.option(
    "--parts", default=_PARTS, show_default=True, callback=_parts,
    help="Analyses, comma-separated; '' only regenerates the page from existing records.",
)  # fmt: skip
@click.option(
    "--quick", is_flag=True,
    help=f"One fold, no training, fewer steps, FMN instead of CW, into {_QUICK_OUT}.",
)  # fmt: skip
@click.option(
    "--jobs", type=click.IntRange(1), help=f"Parallel analyses.  [default: {_JOBS}; quick: {_QUICK_JOBS}]"
)
@click.option("--out", type=_PATH, help=f"Folder of page and records.  [default: {_OUT}]")
@click.option("--runs", default="runs/study", show_default=True, type=_PATH, help="States of the networks.")
@click.option(
    "--sounds", default="runs/robustness-sounds", show_default=True, type=_PATH,
    help="Folder for audio examples; they contain corpus recordings.",
)  # fmt: skip
@click.option("--cache", default=".cache/features", show_default=True, type=_PATH)
def robustness(
    data: Path | None, models: tuple[str, ...] | None, folds: tuple[int, ...] | None, seeds: tuple[int, ...],
    clips: int | None, packages: tuple[Path, ...], parts: tuple[str, ...], quick: bool, jobs: int | None,
    out: Path | None, runs: Path, sounds: Path, cache: Path,
) -> None:  # fmt: skip
    """Evaluate models under adversarial attacks and corruptions; write tables, pictures and a page.

    Each analysis writes a record, so that an interrupted run resumes when the same command is run again.
    Models without trained weights are trained first, except with --quick.

    \b
    Examples:
      sound-training robustness --quick
      sound-training robustness --models cnn,compact --folds 1,2 --parts features
      sound-training robustness --models '' --package my-model.tflite --parts everyday
    """
    from training.base.report import write
    from training.data.corpora import data_root, load
    from training.robustness.analyses import works
    from training.robustness.jobs import run
    from training.robustness.page.compose import compose
    from training.robustness.page.gather import gather
    from training.robustness.plan import AnalysisPlan
    from training.study.folds import check_folds, labelled
    from training.study.task import Options

    anew = parts or (_QUICK_OUT / "records").is_dir()
    out = out or (_QUICK_OUT if quick and anew else _OUT)
    if models is None:
        models = tuple(_MODELS.split(","))
    options = Options(data, cache=cache, runs=runs)
    folds = folds or (_QUICK_FOLDS if quick else _FOLDS)
    count = clips if clips is not None else _QUICK_CLIPS if quick else _CLIPS
    plan = AnalysisPlan(options, models, folds, seeds, count, quick, packages, out, sounds)
    if parts:
        check_folds(folds, labelled(load(data_root(data)), options.corpus))
    failed = _train(plan) if parts and not quick else []
    began = time.perf_counter()
    refused = run(works(plan, parts), out / "records", jobs or (_QUICK_JOBS if quick else _JOBS))
    click.echo(f"analyses took {time.perf_counter() - began:.0f} s", err=True)
    for message in refused:
        click.echo(f"error: {message}", err=True)
    guide = os.path.relpath(GUIDE, out) if GUIDE.is_file() else ""
    click.echo(str(write(compose(gather(out / "records"), guide), out)))
    if failed or refused:
        sys.exit(1)


def _train(plan: AnalysisPlan) -> list[str]:
    """Train the study's without weights or without a record on the whole test fold; return the failures."""
    from training.robustness.plan import state_of
    from training.robustness.targets.held_out import DEFAULT

    records = plan.out / "records" / "hardening"
    jobs = plan.jobs(model for model in plan.models if model != DEFAULT)
    unrecorded = missing_of(jobs, plan.options, records)
    missing = [job for job in jobs if job in unrecorded or not state_of(job, plan.options).is_file()]
    return run_jobs(missing, plan.options, "joblib", None, 1, records, False)
