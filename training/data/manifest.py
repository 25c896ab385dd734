"""Sources, licences and checksums of recordings that belong to no published corpus: a manifest per folder.

A model can only be licensed if every file it was trained on has a licence, and only be reproduced
if the files can be verified.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from training.data.corpora import (
    BACKGROUND,
    MN04_FILES,
    MORE,
    Clip,
    Corpora,
    find_backgrounds,
    find_more_backgrounds,
    rows,
    unlabelled_sounds,
)
from training.errors import DataError

NAME = "manifest.csv"
COLUMNS = ("file", "sha256", "source", "licence")
EFFECTS, YAMNET, MN04 = "effects", "yamnet", "mn04"
FOLDERS = (BACKGROUND, MORE, EFFECTS, YAMNET, MN04)
_OF_NETWORKS = (".tflite", ".npz", ".csv")
KINDS = ("animals", "indoor", "noise", "outdoor", "rain", "speech", "street", "things", "transport")
"""Kinds of background that the shipped model was trained with."""


@dataclass(frozen=True)
class ManifestEntry:
    """One file: its path under the folder, its checksum, and the source and licence entered by hand."""

    file: str
    sha256: str
    source: str = ""
    licence: str = ""

    def is_told(self) -> bool:
        return bool(self.source and self.licence)


def folders(root: Path) -> list[Path]:
    """Return the folders in ``root`` that have a manifest; ``root`` itself may be the background folder."""
    known = [root / name for name in FOLDERS]
    return [f for f in ([root] if root.name == BACKGROUND else []) + known if f.is_dir() and contents(f)]


def contents(folder: Path) -> tuple[str, ...]:
    """Return the files of such a folder as a manifest lists them: recordings, and files of networks."""
    if folder.name == BACKGROUND:
        return tuple(file_of(clip) for clip in find_backgrounds(folder))
    if folder.name == MORE:
        return tuple(sorted(clip.path.name for clip in find_more_backgrounds(folder)))
    if folder.name == EFFECTS:
        return tuple(clip.path.relative_to(folder).as_posix() for clip in unlabelled_sounds(folder))
    networks = {path for suffix in _OF_NETWORKS for path in folder.glob(f"*{suffix}")}
    return tuple(path.name for path in sorted(networks) if path.name != NAME)


def read_manifest(table: Path) -> dict[str, ManifestEntry]:
    """Return the entries by file; empty without a manifest.

    Raises
    ------
    DataError
        If the table cannot be read or lacks a column.
    """
    if not table.is_file():
        return {}
    entries = (ManifestEntry(*(row[column] for column in COLUMNS)) for _, row in rows(table, set(COLUMNS)))
    return {entry.file: entry for entry in entries}


def update_manifest(folder: Path, out: Path | None = None) -> tuple[Path, list[ManifestEntry]]:
    """Write an entry for each file and return the table's path and its entries.

    Source and licence follow a file that was moved or renamed. Entries in ``out`` take precedence over
    those of the folder's own manifest.

    Parameters
    ----------
    folder
        Folder of files to list.
    out
        Folder to write the table ``<name of folder>.csv`` to; None writes the manifest into ``folder``.

    Raises
    ------
    DataError
        If the manifest cannot be written.
    """
    table = out / f"{folder.name}.csv" if out else folder / NAME
    manifests = [read_manifest(t) for t in dict.fromkeys((table, folder / NAME))]
    entries = []
    for file in contents(folder):
        new = ManifestEntry(file, sha256(folder / file))
        told = next(filter(ManifestEntry.is_told, _known(manifests, new)), next(_known(manifests, new), new))
        entries.append(ManifestEntry(file, new.sha256, told.source, told.licence))
    try:
        table.parent.mkdir(parents=True, exist_ok=True)
        with table.open("w", newline="", encoding="utf-8") as lines:
            writer = csv.writer(lines, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows((e.file, e.sha256, e.source, e.licence) for e in entries)
    except OSError as error:
        why = f"cannot be written ({error.strerror}); --out FOLDER writes elsewhere"
        raise DataError(f"{table}: {why}") from error
    return table, entries


def _known(manifests: Iterable[dict[str, ManifestEntry]], new: ManifestEntry) -> Iterator[ManifestEntry]:
    """Yield the entries for a file in each manifest: by name, then by content under another name."""
    for manifest in manifests:
        if new.file in manifest:
            yield manifest[new.file]
        yield from (entry for entry in manifest.values() if entry.sha256 == new.sha256)


def lacking(corpora: Corpora, root: Path) -> Iterator[str]:
    """Yield a line for each input of the ``default`` recipe that is missing in ``root``."""
    if not corpora.urban:
        yield "UrbanSound8K: sounds of the ten classes; sound-training data fetch urbansound8k"
    if not corpora.esc:
        yield "ESC-50: sounds of other classes; sound-training data fetch esc50"
    here = {clip.label for clip in corpora.backgrounds}
    for kind in (kind for kind in KINDS if kind not in here):
        yield f"{BACKGROUND}/{kind}/: backgrounds to mix with and to test false alarms on"
    if not unlabelled_sounds(root / EFFECTS):
        yield f"{EFFECTS}/: sounds that nobody labelled, of which some mixtures are made"
    for name in (name for name in MN04_FILES if not (root / name).is_file()):
        yield f"{name}: the published network, from which `default` starts"


def unlike(root: Path, manifests: Path, compare: bool) -> Iterator[str]:
    """Yield the files listed in ``manifests`` that are missing in ``root`` or, if ``compare``, differ.

    Raises
    ------
    DataError
        If the folder has no manifest.
    """
    here = {f"{folder.name}/{file}": folder / file for folder in folders(root) for file in contents(folder)}
    for name, entry in listed(manifests):
        if name not in here:
            yield f"{name}: missing"
        elif compare and entry.sha256 != sha256(here[name]):
            yield f"{name}: differs from its checksum"


def listed(manifests: Path) -> list[tuple[str, ManifestEntry]]:
    """Return the entries of a folder of manifests by path under the data folder.

    Raises
    ------
    DataError
        If the folder has no manifest.
    """
    tables = [table for name in FOLDERS if (table := manifests / f"{name}.csv").is_file()]
    if not tables:
        names = ", ".join(f"{name}.csv" for name in FOLDERS)
        raise DataError(f"{manifests}: contains none of {names}; `data manifest --out FOLDER` writes them")
    return [(f"{table.stem}/{e.file}", e) for table in tables for e in read_manifest(table).values()]


def file_of(clip: Clip) -> str:
    """Return the path of a background under ``background/``, as the manifest lists it."""
    return f"{clip.label}/{clip.path.name}"


def sha256(path: Path) -> str:
    """Return the checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
