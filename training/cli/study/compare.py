"""``sound-training compare``: the page that compares all models."""

from __future__ import annotations

from pathlib import Path

import click

RECORDS = Path("docs/results/study/records")
REPORT = Path("docs/results/study")
REFERENCE = "honest/cnn"


@click.command()
@click.option("--records", default=RECORDS, show_default=True, type=click.Path(path_type=Path))
@click.option(
    "--out", default=REPORT, show_default=True, type=click.Path(path_type=Path),
    help="Folder for index.html, README.md, tables and pictures.",
)  # fmt: skip
@click.option(
    "--reference", default=REFERENCE, show_default=True, metavar="PROTOCOL/MODEL",
    help="Reference model of all paired differences.",
)  # fmt: skip
def compare(records: Path, out: Path, reference: str) -> None:
    """Write tables, pictures and one page from the records alone.

    All existing records are compared, and missing ones are listed. The path of the page is printed to
    stdout.

    \b
    Example:
      sound-training compare --reference seed/cnn
      sound-training compare --records docs/results/esc10/records --out docs/results/esc10
    """
    from training.base.report import write
    from training.records.jobs import read_all
    from training.study.compare.gather import gather
    from training.study.compare.page import compose

    click.echo(str(write(compose(gather(read_all(records)), reference), out)))
