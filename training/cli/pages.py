"""``sound-training pages``: regenerate every result page from records."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from training.base.report import Report

RESULTS = Path("docs/results")


@dataclass(frozen=True)
class Page:
    """A page under docs/results.

    compose : makes the page of a folder from the records in it
    records : folders of records below the page's, each collected into a file; none where one record
        holds everything
    """

    folder: str
    compose: Callable[[Path], Report]
    records: tuple[str, ...] = ("records",)


def _comparison(folder: Path) -> Report:
    from training.cli.study.compare import REFERENCE
    from training.records.jobs import read_all
    from training.study.compare.gather import gather
    from training.study.compare.page import compose

    return compose(gather(read_all(folder / "records")), REFERENCE)


def _ablation(folder: Path) -> Report:
    from training.records.jobs import read_all
    from training.study.ablation import compose

    return compose(read_all(folder / "records"))


def _robustness(folder: Path) -> Report:
    from training.cli.robustness import GUIDE
    from training.robustness.page.compose import compose
    from training.robustness.page.gather import gather

    return compose(gather(folder / "records"), os.path.relpath(GUIDE, folder))


def _default(folder: Path) -> Report:
    from training.recipes.transfer.report import compose

    return compose(folder)


def _peers(folder: Path) -> Report:
    from training.stream_eval.peers.page import compose
    from training.stream_eval.peers.records import read_counts

    return compose(read_counts(folder / "records"))


def _sounds(folder: Path) -> Report:
    from training.recipes.sounds.page import compose, read_record

    return compose(read_record(folder))


def _forms(folder: Path) -> Report:
    from training.recipes.forms.page import compose

    return compose(folder)


def _own(folder: Path) -> Report:
    from training.recipes.own_report import compose

    return compose(folder)


PAGES = (
    Page("study", _comparison),
    Page("study/ablation", _ablation),
    Page("esc10", _comparison),
    Page("robustness", _robustness),
    Page("default", _default, ()),
    Page("peers", _peers),
    Page("sounds", _sounds, ()),
    Page("forms", _forms, ()),
    Page("esc10-package", _own, ()),
)


@click.command()
@click.argument("names", nargs=-1, metavar="[PAGE]...")
def pages(names: tuple[str, ...]) -> None:
    """Regenerate pages, tables and pictures under docs/results from records.

    docs/results/README.md lists them, and how every other page is made.

    Loose records left by runs are first collected into one file per subject. Neither recordings nor
    models are needed; the output is deterministic.

    \b
    Examples:
      sound-training pages
      sound-training pages study robustness
    """
    from training.base.report import write
    from training.records.archive import collect

    known = {page.folder: page for page in PAGES}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is not a page; choose from {', '.join(known)}")
    for page in (known[name] for name in names or known):
        folder = RESULTS / page.folder
        for records in page.records:
            collect(folder / records)
        write(page.compose(folder), folder)
        click.echo(str(folder / "README.md"))
