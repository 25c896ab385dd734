"""``sound-training default``: the model that ships, from recordings to package."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from training.cli.options import Clock, data_option, parse_folds

SHIPPED = Path("docs/results/default")
"""Records of the recipe that ships, beside which another stands."""


def _seeds(_: click.Context, __: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no list of seeds; write 0,1,2") from error


@click.command()
@data_option
@click.option("--folds", default="1,2,3", show_default=True, callback=parse_folds, help="Two at least.")
@click.option(
    "--seeds", default="0", show_default=True, callback=_seeds,
    help="The first decides what ships; each repeats the figures.",
)  # fmt: skip
@click.option(
    "--teacher",
    type=click.Path(path_type=Path),
    help="YAMNet with its embedding; default: in the data folder.",
)
@click.option("--epochs", show_default="the recipe's", type=click.IntRange(1))
@click.option("--version", "model_version", default="0.1.0", show_default=True, help="Version in the card.")
@click.option(
    "--change",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another recipe: a setting of `run` or `lessons`, dotted. Nothing that ships is overwritten.",
)
@click.option(
    "--models", type=click.Path(path_type=Path), help="[default: models; with --change: the folder of runs]"
)
@click.option(
    "--records",
    type=click.Path(path_type=Path),
    help="[default: docs/results/default; with --change: records in the folder of runs]",
)
@click.option(
    "--study", default="docs/results/study/records", show_default=True, type=click.Path(path_type=Path),
    help="Records of the study's models, to stand beside.",
)  # fmt: skip
@click.option(
    "--runs", type=click.Path(path_type=Path), help="[default: runs/default; with --change: named after it]"
)
def default(
    data: Path | None, folds: tuple[int, ...], seeds: tuple[int, ...], teacher: Path | None,
    epochs: int | None, model_version: str, changes: tuple[str, ...], models: Path | None,
    records: Path | None, study: Path, runs: Path | None,
) -> None:  # fmt: skip
    """Train, calibrate, test and package the model that ships.

    Each fold is left out in turn, for the figures and the thresholds; what ships is trained on all.
    Interrupted, the same command goes on where it stopped. Networks that never heard a fold are
    left in the folder of runs, for `stream-eval`.

    \b
    Examples:
      sound-training default --data ~/sounds --folds 1,2,3 --seeds 0
      sound-training default --change run.recipe.room=0.4 --change lessons.room=0.4
    """
    from training.base.variants import settings_of
    from training.data.corpora import TEACHER_FILE, data_root, load, unlabelled_sounds
    from training.features.front_end import default_front_end
    from training.fit.lessons import LessonPlan
    from training.fit.streaming import StreamRun
    from training.recipes.shipped import NAME, School, ShippedPlan, make, write
    from training.recipes.shipped_report import write_records

    epochs = epochs or StreamRun().epochs
    named = (",".join(map(str, numbers)) for numbers in (folds, seeds))
    command = "sound-training default --folds {} --seeds {} --epochs {} --version {}".format(
        *named, epochs, model_version
    )
    name = "~".join((NAME, *changes))
    runs = runs or Path("runs", name)
    models = models or (runs if changes else Path("models"))
    records = records or (runs / "records" if changes else SHIPPED)
    root = data_root(data)
    run = StreamRun(seed=seeds[0], epochs=epochs)
    command += "".join(f" --change {change}" for change in changes)
    plan = settings_of(name, {NAME: ShippedPlan(folds, seeds, run, LessonPlan(), model_version, command)})
    plan = replace(plan, name=name)
    school = School(teacher or root / "yamnet" / TEACHER_FILE, unlabelled_sounds(root / "effects"))
    if not school.unlabelled:
        click.echo(f"note: no sounds in {root / 'effects'}: no lesson is of what nobody labelled", err=True)
    outcome = make(plan, load(root), school, default_front_end(Path(".cache/features")), runs, Clock())
    path = write(outcome, models, runs)
    write_records(outcome, plan, [study, SHIPPED / "records"] if changes else [study], records)
    click.echo(str(path))
