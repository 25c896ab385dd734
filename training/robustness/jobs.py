"""Analyses as jobs: each leaves a record, and one whose record is there is not run again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.errors import DataError
from training.robustness import records

Say = Callable[[str], None]


@dataclass(frozen=True)
class Work:
    """One analysis: ``name`` is its record's path under the folder, ``settings`` decide what it finds."""

    name: str
    settings: Mapping[str, Any]
    run: Callable[[Say], Sequence[Any]]

    def path(self, folder: Path) -> Path:
        return folder / f"{self.name}.json"


def run(works: Sequence[Work], folder: Path) -> list[str]:
    """Run what ``folder`` holds no record of; return what could not be run, and why."""
    from tqdm import tqdm

    missing = [work for work in works if not records.holds(work.path(folder), work.settings)]
    failed = []
    with tqdm(total=len(works), initial=len(works) - len(missing), unit="job", file=sys.stderr) as bar:
        for work in missing:
            bar.set_description(work.name)
            try:
                found = work.run(bar.set_postfix_str)
            except DataError as error:
                failed.append(f"{work.name}: {error}")
            else:
                records.write(work.path(folder), work.settings, found)
            bar.update()
    return failed
