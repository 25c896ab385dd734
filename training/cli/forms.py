"""``sound-training forms``: the shipped packages as float32, float16, dynamic range and int8."""

from __future__ import annotations

import os
from pathlib import Path

import click

from training.cli.export import OTHER_PYTHON
from training.cli.options import Clock, data_option, parse_folds

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("packages", nargs=-1, metavar="[PACKAGE]...")
@data_option
@click.option(
    "--folds", default="1,2,3", show_default=True, callback=parse_folds,
    help="The first is tested, the others give the thresholds.",
)  # fmt: skip
@click.option("--runs", default="runs/default", show_default=True, type=_PATH, help="Networks of `default`.")
@click.option("--cache", default=".cache/features", show_default=True, type=_PATH)
@click.option(
    "--other-python", required=OTHER_PYTHON not in os.environ, type=_PATH,
    default=os.environ.get(OTHER_PYTHON),
    help=f"Python 3.11 with tflite-runtime 2.14; default: environment variable {OTHER_PYTHON}.",
)  # fmt: skip
@click.option(
    "--manifest", default="docs/results/default/manifest/background.csv", show_default=True, type=_PATH,
    help="Source and licence of each file of background/.",
)  # fmt: skip
@click.option("--models", default="models", show_default=True, type=_PATH)
@click.option("--records", default="docs/results/forms", show_default=True, type=_PATH)
def forms(
    packages: tuple[str, ...], data: Path | None, folds: tuple[int, ...], runs: Path, cache: Path,
    other_python: Path, manifest: Path, models: Path, records: Path,
) -> None:  # fmt: skip
    """Compare float32, float16, dynamic range and int8 of the shipped packages.

    PACKAGE is urban-sounds or urban-sounds-free; default: both. For urban-sounds the network is one that
    `default` trained without a fold, so run it first with the same folds and folders. No package is
    changed.

    \b
    Example:
      python3.11 -m venv ~/tflite && ~/tflite/bin/pip install 'numpy<2' tflite-runtime==2.14.0
      sound-training forms --data ~/sounds --other-python ~/tflite/bin/python
    """
    from training.data.corpora import data_root, load, unlabelled_sounds
    from training.recipes.forms.default import measure_default
    from training.recipes.forms.free import measure_free
    from training.recipes.forms.page import PACKAGES, FormsRecord, write_record
    from training.recipes.sounds.material import find_material
    from training.recipes.transfer.make import Plan, workshop
    from training.stream_eval.judge import soundscape_figures

    unknown = [name for name in packages if name not in PACKAGES]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is no package; choose from {', '.join(PACKAGES)}")
    say, root = Clock(), data_root(data)
    for name in packages or PACKAGES:
        command = f"sound-training forms {name}"
        if name == PACKAGES[0]:
            command += f" --folds {','.join(map(str, folds))}"
            corpora = load(root)
            shop = workshop(corpora, unlabelled_sounds(root / "effects"), root, cache, runs, 1, say)
            plan = Plan(folds, (0,), "", command)
            found, rounded = measure_default(plan, corpora, shop, soundscape_figures, other_python)
            record = FormsRecord(name, command, folds, tuple(found), rounded)
        else:
            material, kept = find_material(root, manifest), runs / "forms"
            package = models / f"{name}.tflite"
            found, rounded = measure_free(package, root, material, kept, other_python, say)
            record = FormsRecord(name, command, (), tuple(found), rounded)
        click.echo(str(write_record(record, records)))
