"""``sound-training explore``: a page about the recordings."""

from __future__ import annotations

from pathlib import Path

import click

from training.cli.options import data_option, progress, workers_option
from training.errors import DataError


@click.command()
@data_option
@click.option(
    "--corpus", type=click.Choice(["UrbanSound8K", "ESC"]), default="UrbanSound8K", show_default=True
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="runs/explore",
    show_default=True,
    help="Output folder.",
)
@click.option("--gallery/--no-gallery", default=True, help="Show a clip of each class.")
@workers_option
def explore(data: Path | None, corpus: str, out: Path, gallery: bool, workers: int) -> None:
    """Measure every clip and write index.html, README.md, pictures and tables.

    \b
    Example:
      sound-training explore --data ~/sounds --out runs/explore
    """
    from training.base.report import write
    from training.data.corpora import data_root, places
    from training.explore.measure import measure_all
    from training.explore.page import explored, report

    root = data_root(data)
    rows = [*dict.fromkeys(row for place in places(root) if place.corpus == corpus for row in place.read())]
    clips = [clip for clip, present in rows if present]
    if not clips:
        raise DataError(f"{root}: contains no clip of {corpus}; see sound-training data check")
    with progress(len(clips), "measuring") as tick:
        measured = measure_all(clips, tick, workers)
    page = write(report(explored(rows, measured), gallery), out)
    click.echo(str(page))
