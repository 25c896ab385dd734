"""Problems in tables, files and manifests that can be found without decoding audio."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training.data.corpora import CLASSES, ESC_COLUMNS, SUFFIXES, URBAN_COLUMNS, Clip, Place, by_stem, rows
from training.data.manifest import NAME, contents, folders, read_manifest, sha256

Kind = Literal["missing", "damaged", "mislabelled", "misplaced", "unlicensed"]


@dataclass(frozen=True)
class DataFinding:
    """One problem with one file or row."""

    kind: Kind
    corpus: str
    fold: int
    name: str
    why: str


def table_findings(place: Place) -> Iterator[DataFinding]:
    """Yield rows whose file name, ids and class disagree, or that are duplicates."""
    columns = URBAN_COLUMNS if place.corpus == "UrbanSound8K" else ESC_COLUMNS
    name_of = "slice_file_name" if place.corpus == "UrbanSound8K" else "filename"
    disagreements = _urban_disagreements if place.corpus == "UrbanSound8K" else _esc_disagreements
    seen: set[str] = set()
    for line, row in rows(place.table, columns):
        stem = Path(row[name_of]).stem
        where = f"{place.table.name} line {line}"
        for why in disagreements(stem, row):
            yield DataFinding("mislabelled", place.corpus, int(row["fold"]), stem, f"{where}: {why}")
        if stem in seen:
            yield DataFinding(
                "mislabelled", place.corpus, int(row["fold"]), stem, f"{where}: is listed twice"
            )
        seen.add(stem)


def _urban_disagreements(stem: str, row: dict[str, str]) -> Iterator[str]:
    parts = stem.split("-")
    if len(parts) != 4:
        yield "is not named fsID-classID-occurrence-slice"
        return
    if parts[0] != row["fsID"]:
        yield f"the name says recording {parts[0]}, the table {row['fsID']}"
    if parts[1] != row["classID"]:
        yield f"the name says class {parts[1]}, the table {row['classID']}"
    if row["classID"] != str(CLASSES.index(row["class"])):
        yield f"classID {row['classID']} is not {row['class']}"
    if not 0 <= float(row["start"]) < float(row["end"]):
        yield f"it ends at {row['end']} s and starts at {row['start']} s"


def _esc_disagreements(stem: str, row: dict[str, str]) -> Iterator[str]:
    parts = stem.split("-")
    if parts[0] != row["fold"]:
        yield f"the name says fold {parts[0]}, the table {row['fold']}"
    if (source := row.get("src_file")) and parts[1] != source:
        yield f"the name says recording {parts[1]}, the table {source}"
    if len(parts) > 3 and (target := row.get("target")) and parts[3] != target:
        yield f"the name says class {parts[3]}, the table {target}"


def file_findings(place: Place, listed: Iterable[tuple[Clip, bool]]) -> Iterator[DataFinding]:
    """Yield rows without a file, and files in the folder of another fold."""
    folds = {f.name: by_stem(f) for f in sorted(place.audio.glob("fold*")) if f.is_dir()}
    homes: dict[str, list[str]] = defaultdict(list)
    for folder, files in folds.items():
        for stem in files:
            homes[stem].append(folder)
    for clip, present in listed:
        stem = clip.path.stem
        elsewhere = [h for h in homes[stem] if h != f"fold{clip.fold}"]
        if elsewhere:
            why = f"is in {', '.join(elsewhere)}; its row says fold {clip.fold}"
            yield DataFinding("misplaced", clip.corpus, clip.fold, stem, why)
        elif not present:
            why = f"no {' '.join(SUFFIXES)} of that name in {clip.path.parent}"
            yield DataFinding("missing", clip.corpus, clip.fold, stem, why)


def manifest_findings(root: Path, compare: bool) -> Iterator[DataFinding]:
    """Yield files without source or licence in their manifest or, if ``compare``, with another checksum."""
    for folder in folders(root):
        manifest = read_manifest(folder / NAME)
        for file in contents(folder):
            entry = manifest.get(file)
            if entry and compare and entry.sha256 != sha256(folder / file):
                yield DataFinding("damaged", folder.name, 0, file, f"differs from its checksum in {NAME}")
            if not (entry and entry.is_told()):
                yield DataFinding("unlicensed", folder.name, 0, file, f"has no source and licence in {NAME}")
