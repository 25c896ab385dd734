"""``sound-training export``: TFLite variants of a trained model."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from monitor.errors import EXIT_FAILED
from training.cli.options import Clock

OTHER_PYTHON = "TFLITE_PYTHON"
"""Environment variable with the path of an interpreter that has tflite-runtime."""


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--package",
    required=True,
    type=click.Path(path_type=Path),
    help="Package made from the run, for its card.",
)
@click.option(
    "--clips", required=True, type=click.Path(path_type=Path),
    help="Folder with a subfolder of clips per label of the package; see `data folders`.",
)  # fmt: skip
@click.option(
    "--other-python", type=click.Path(path_type=Path), default=os.environ.get(OTHER_PYTHON),
    help=f"Python 3.11 with tflite-runtime 2.14; default: environment variable {OTHER_PYTHON}.",
)  # fmt: skip
@click.option("--without-tflite-runtime", is_flag=True, help="Skip that check; the page notes it.")
@click.option("--out", default="runs/exports", show_default=True, type=click.Path(path_type=Path))
@click.option("--records", default="docs/results/exports", show_default=True, type=click.Path(path_type=Path))
def export(
    run: Path, package: Path, clips: Path, other_python: Path | None, without_tflite_runtime: bool, out: Path,
    records: Path,
) -> None:  # fmt: skip
    """Convert the network of RUN to float32, float16, dynamic range and int8, and check each variant.

    RUN is a training folder with spec.json and state.npz: runs/own-NAME/final-… of `own`. A variant that
    fails its check is not written; exit code 1.

    \b
    Example:
      python3.11 -m venv ~/tflite && ~/tflite/bin/pip install 'numpy<2' tflite-runtime==2.14.0
      sound-training export runs/own-workshop/final-* --package models/workshop.tflite \\
        --clips ~/sounds/workshop --other-python ~/tflite/bin/python
    """
    from training.data.folders import labelled_clips
    from training.export.form_packages import write_forms
    from training.export.forms import make_forms
    from training.export.forms_report import write_page
    from training.export.trained_network import read_network

    if other_python is None and not without_tflite_runtime:
        raise click.UsageError(
            f"no interpreter with tflite-runtime; give one with --other-python (or {OTHER_PYTHON}), "
            "or skip the check with --without-tflite-runtime"
        )
    network = read_network(run, package)
    other = None if without_tflite_runtime else other_python
    checked = make_forms(network, labelled_clips(clips, tuple(network.card.classes)), other, Clock())
    python = "--without-tflite-runtime" if other is None else "--other-python PYTHON"
    command = f"sound-training export {run} --package {package} --clips {clips} {python}"
    page = write_page(network, checked, command, records)
    for path in write_forms(network, checked, command, out):
        click.echo(str(path))
    click.echo(f"figures: {page}", err=True)
    for one in checked:
        for reason in one.refused:
            click.echo(f"{one.form} is refused: {reason}", err=True)
    sys.exit(EXIT_FAILED if any(one.refused for one in checked) else 0)
