"""``sound-training free``: the package that may be used for any purpose, and the page on sounds."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from training.cli.options import Clock, data_option, progress


@click.command()
@data_option
@click.option(
    "--manifest", default="docs/results/default/manifest/background.csv", show_default=True,
    type=click.Path(path_type=Path), help="Source and licence of each file of background/.",
)  # fmt: skip
@click.option(
    "--out",
    default="models",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder of the package.",
)
@click.option(
    "--reports", default="docs/results/sounds", show_default=True, type=click.Path(path_type=Path),
    help="Folder of the page and its record.",
)  # fmt: skip
@click.option("--version", "model_version", default="0.7.0", show_default=True, help="Version in the card.")
@click.option(
    "--runs", default="runs", show_default=True, type=click.Path(path_type=Path), help="Kept scores."
)
def free(data: Path | None, manifest: Path, out: Path, reports: Path, model_version: str, runs: Path) -> None:
    """Package mn04 with its published weights and thresholds fitted only on free recordings.

    Evaluates the curated sounds and the ten classes, each a group of AudioSet labels, and writes the
    page. The data folder needs mn04/, background/ and ESC-10; ESC-50, UrbanSound8K and
    background_more/ are used only for evaluation. Scores are cached: a second run takes seconds.

    \b
    Example:
      sound-training free --data ~/sounds
      sound-monitor replay street.wav --set model.path=models/urban-sounds-free.tflite
    """
    from training.data.corpora import data_root
    from training.recipes.free import convert_trunk, make_free
    from training.recipes.sounds.material import find_material
    from training.recipes.sounds.page import write_record

    say, root = Clock(), data_root(data)
    material = find_material(root, manifest)
    say("converting mn04")
    trunk = convert_trunk(root / "mn04")
    total = len(material.backgrounds) + len(material.clips) + len(material.urban)
    command = f"sound-training free --version {shlex.quote(model_version)}"
    with progress(total, "scoring") as tick:
        path, record = make_free(trunk, material, runs / "free", model_version, command, out, tick)
    page = write_record(record, reports)
    click.echo(str(path))
    click.echo(f"figures: {page}; next: sound-monitor model check {path}", err=True)
