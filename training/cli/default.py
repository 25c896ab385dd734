"""``sound-training default``: the model that ships, from recordings to package."""

from __future__ import annotations

from pathlib import Path

import click

from training.cli.options import Clock, data_option, parse_folds


@click.command()
@data_option
@click.option("--train", "train_folds", default="1,3", show_default=True, callback=parse_folds)
@click.option("--test", "test_folds", default="2", show_default=True, callback=parse_folds)
@click.option(
    "--teacher",
    type=click.Path(path_type=Path),
    help="YAMNet with its embedding; default: in the data folder.",
)
@click.option("--seed", default=0, show_default=True)
@click.option("--epochs", default=30, show_default=True, type=click.IntRange(1))
@click.option("--version", "model_version", default="0.1.0", show_default=True, help="Version in the card.")
@click.option("--models", default="models", show_default=True, type=click.Path(path_type=Path))
@click.option(
    "--records", default="docs/results/first-model", show_default=True, type=click.Path(path_type=Path)
)
@click.option("--runs", default="runs", show_default=True, type=click.Path(path_type=Path))
def default(
    data: Path | None, train_folds: tuple[int, ...], test_folds: tuple[int, ...], teacher: Path | None,
    seed: int, epochs: int, model_version: str, models: Path, records: Path, runs: Path,
) -> None:  # fmt: skip
    """Train, calibrate, test and package the model that ships.

    Interrupted, the same command goes on where it stopped.

    \b
    Example:
      sound-training default --data ~/sounds --train 1,3 --test 2 --seed 0
    """
    from training.data import data_root, load
    from training.default import Plan, School, make, write
    from training.distillation import TEACHER_FILE, unlabelled_sounds
    from training.prepare import default_front_end
    from training.records import write_records
    from training.streaming.fit import StreamRun
    from training.streaming.lessons import LessonPlan

    folds = f"--train {','.join(map(str, train_folds))} --test {','.join(map(str, test_folds))}"
    command = f"sound-training default {folds} --seed {seed} --epochs {epochs}"
    root = data_root(data)
    run = StreamRun(seed=seed, epochs=epochs)
    plan = Plan(train_folds, test_folds, run, LessonPlan(), model_version, command)
    school = School(teacher or root / "yamnet" / TEACHER_FILE, unlabelled_sounds(root / "effects"))
    folder = runs / f"default-{'_'.join(map(str, train_folds))}-seed{seed}-{epochs}"
    outcome = make(plan, load(root), school, default_front_end(Path(".cache/features")), folder, Clock())
    path = write(outcome, models)
    write_records(outcome, plan, records)
    click.echo(str(path))
