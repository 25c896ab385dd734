"""``sound-training``: the study and the models that ship."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

import click

from monitor.errors import MonitorError

_EXIT_INTERRUPTED = 130

data_option = click.option(
    "--data", type=click.Path(path_type=Path), help="Data folder; otherwise the environment's SOUND_DATA."
)


class _Group(click.Group):
    """Expected errors are one line on stderr and an exit code; Ctrl-C says how to go on."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except MonitorError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted; the same command goes on after the last whole epoch", err=True)
            sys.exit(_EXIT_INTERRUPTED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Train, calibrate and export the models of sound-monitor."""


@main.group()
def data() -> None:
    """Look at the recordings."""


@data.command("check")
@data_option
def data_check(data: Path | None) -> None:
    """Say what is there, what is missing and what must be kept apart.

    \b
    Example:
      sound-training data check --data ~/sounds
    """
    from training.data import data_root, load

    corpora = load(data_root(data))
    per_fold = Counter(clip.fold for clip in corpora.urban)
    for fold in sorted(per_fold):
        click.echo(f"UrbanSound8K fold {fold}: {per_fold[fold]} clips")
    click.echo(f"ESC: {len(corpora.esc)} clips")
    shared = sum(clip.recording in corpora.urban_folds for clip in corpora.esc)
    click.echo(f"ESC clips from recordings of UrbanSound8K: {shared}; they follow that recording's fold")
    twice = sorted(r for r, folds in corpora.urban_folds.items() if len(folds) > 1)
    click.echo(
        f"Freesound ids in two folds: {', '.join(twice) or 'none'}; not trained on when either is tested"
    )
    for kind, count in sorted(Counter(clip.label for clip in corpora.backgrounds).items()):
        click.echo(f"background {kind}: {count} files")
    absent = Counter(name.split(":")[0] for name in corpora.missing)
    for where, count in sorted(absent.items()):
        click.echo(f"not here: {count} clips of {where}")


def _parse_folds(_: click.Context, __: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        folds = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no list of folds; write 1,3") from error
    if not all(1 <= fold <= 10 for fold in folds):
        raise click.BadParameter(f"{text!r}: folds are 1 to 10")
    return folds


@main.command()
@data_option
@click.option("--train", "train_folds", default="1,3", show_default=True, callback=_parse_folds)
@click.option("--test", "test_folds", default="2", show_default=True, callback=_parse_folds)
@click.option("--seed", default=0, show_default=True)
@click.option("--epochs", default=30, show_default=True, type=click.IntRange(1))
@click.option("--version", "model_version", default="0.1.0", show_default=True, help="Version in the card.")
@click.option("--models", default="models", show_default=True, type=click.Path(path_type=Path))
@click.option(
    "--records", default="docs/results/first-model", show_default=True, type=click.Path(path_type=Path)
)
@click.option("--runs", default="runs", show_default=True, type=click.Path(path_type=Path))
def default(
    data: Path | None, train_folds: tuple[int, ...], test_folds: tuple[int, ...], seed: int, epochs: int,
    model_version: str, models: Path, records: Path, runs: Path,
) -> None:  # fmt: skip
    """Train, calibrate, test and package the model that ships.

    Interrupted, the same command goes on where it stopped.

    \b
    Example:
      sound-training default --data ~/sounds --train 1,3 --test 2 --seed 0
    """
    from training.data import data_root, load
    from training.default import Plan, make, write
    from training.fit import RunSpec
    from training.prepare import default_front_end
    from training.records import write_records

    folds = f"--train {','.join(map(str, train_folds))} --test {','.join(map(str, test_folds))}"
    command = f"sound-training default {folds} --seed {seed} --epochs {epochs}"
    plan = Plan(train_folds, test_folds, RunSpec(seed=seed, epochs=epochs), model_version, command)
    folder = runs / f"default-{'_'.join(map(str, train_folds))}-seed{seed}-{epochs}"
    corpora = load(data_root(data))
    outcome = make(plan, corpora, default_front_end(Path(".cache/features")), folder, _Clock())
    path = write(outcome, models)
    write_records(outcome, plan, records)
    click.echo(str(path))


class _Clock:
    """Prints each step with the time since the start."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    def __call__(self, text: str) -> None:
        click.echo(f"{time.monotonic() - self._begin:6.0f} s  {text}", err=True)


if __name__ == "__main__":
    main()
