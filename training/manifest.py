"""Where backgrounds come from: ``background/manifest.csv``, a line per file with its checksum.

Corpora bring their sources with them; a folder of collected backgrounds does not, and a model trained on
it can only be shipped with a licence when every file has one.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

from training.data import Clip, rows
from training.errors import DataError

NAME = "manifest.csv"
COLUMNS = ("file", "sha256", "source", "licence")


@dataclass(frozen=True)
class Entry:
    """One background: its path under ``background/``, checksum, and what a person wrote of it."""

    file: str
    sha256: str
    source: str = ""
    licence: str = ""


def read_manifest(folder: Path) -> dict[str, Entry]:
    """Return the entries by file; empty where there is no manifest.

    Raises
    ------
    DataError : the table cannot be read or lacks a column
    """
    table = folder / NAME
    if not table.is_file():
        return {}
    entries = (Entry(*(row[column] for column in COLUMNS)) for _, row in rows(table, set(COLUMNS)))
    return {entry.file: entry for entry in entries}


def update_manifest(folder: Path, clips: tuple[Clip, ...]) -> list[Entry]:
    """Write an entry for each background; source and licence follow a file that was moved or renamed.

    Raises
    ------
    DataError : the manifest cannot be written
    """
    known = read_manifest(folder)
    by_sum = {entry.sha256: entry for entry in known.values()}
    entries = []
    for clip in clips:
        file, digest = file_of(clip), sha256(clip.path)
        told = known.get(file) or by_sum.get(digest) or Entry(file, digest)
        entries.append(Entry(file, digest, told.source, told.licence))
    try:
        with (folder / NAME).open("w", newline="", encoding="utf-8") as lines:
            writer = csv.writer(lines, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows((e.file, e.sha256, e.source, e.licence) for e in entries)
    except OSError as error:
        raise DataError(f"{folder / NAME}: cannot be written ({error.strerror})") from error
    return entries


def file_of(clip: Clip) -> str:
    """Path of a background under ``background/``, as the manifest writes it."""
    return f"{clip.label}/{clip.path.name}"


def sha256(path: Path) -> str:
    """Return the checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
