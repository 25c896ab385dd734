"""Options and progress output shared by the commands."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from training.base.progress import Tick

data_option = click.option(
    "--data", type=click.Path(path_type=Path), help="Data folder; default: environment variable SOUND_DATA."
)

workers_option = click.option(
    "--workers",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    show_default="all cores",
    help="Number of processes.",
)


def parse_folds(_: click.Context, __: click.Parameter, text: str) -> tuple[int, ...]:
    """Callback of options such as ``--train 1,3``."""
    try:
        folds = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a list of folds; write 1,3") from error
    if not all(1 <= fold <= 10 for fold in folds):
        raise click.BadParameter(f"{text!r}: folds are 1 to 10")
    return folds


class Clock:
    """Print each step with the elapsed time."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    def __call__(self, text: str) -> None:
        click.echo(f"{time.monotonic() - self._begin:6.0f} s  {text}", err=True)


@contextmanager
def progress(total: int | None, what: str, unit: str = "") -> Iterator[Tick]:
    """Show a progress bar with remaining time on a terminal; yield the callback that advances it."""
    from tqdm import tqdm

    with tqdm(
        total=total, desc=what, unit=unit, unit_scale=bool(unit), disable=None, dynamic_ncols=True
    ) as bar:

        def tick(done: int) -> None:
            bar.update(done)

        yield tick
