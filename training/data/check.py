"""Is the data what its tables say? Missing, damaged and mislabelled clips, and recordings kept apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from training.base.parallel import in_processes
from training.base.progress import Tick
from training.data.corpora import (
    CLASSES,
    ESC_COLUMNS,
    SUFFIXES,
    URBAN_COLUMNS,
    Clip,
    Corpora,
    Place,
    by_stem,
    load,
    places,
    rows,
    unlabelled_sounds,
)
from training.data.manifest import (
    EFFECTS,
    NAME,
    TEACHER,
    contents,
    folders,
    lacking,
    read_manifest,
    sha256,
    unlike,
)
from training.data.splits import split

Kind = Literal["missing", "damaged", "mislabelled", "misplaced", "unlicensed"]
TWICE_RULE = "a clip of such an id is not trained on when either of its folds is tested"
ESC_RULE = "an ESC clip from a recording of UrbanSound8K follows that recording's fold"

_SHORTER_S = 0.05
"""Encoders may drop a few milliseconds; a clip that lacks more than this is cut."""
_FILES_AT_ONCE = 32


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with one file or row."""

    kind: Kind
    corpus: str
    fold: int
    name: str
    why: str


@dataclass(frozen=True)
class FoldReport:
    """Clips of one fold: rows of the table, files found, their total length (0 unless decoded)."""

    corpus: str
    fold: int
    listed: int
    present: int
    seconds: float


@dataclass(frozen=True)
class Disjoint:
    """What holds when ``fold`` is tested and all others train: nothing is shared.

    Clips are those of the ten classes, ESC's among them.
    """

    fold: int
    train_clips: int
    test_clips: int
    shared_recordings: tuple[str, ...]


@dataclass(frozen=True)
class CheckReport:
    """Everything that ``sound-training data check`` says."""

    folds: tuple[FoldReport, ...]
    backgrounds: tuple[FoldReport, ...]
    others: tuple[FoldReport, ...]
    """Sounds that nobody labelled, and the teacher's files"""
    lacking: tuple[str, ...]
    """What a retraining of the model that ships lacks here"""
    findings: tuple[Finding, ...]
    twice: tuple[tuple[str, tuple[int, ...], int], ...]
    """Freesound ids in two folds of UrbanSound8K's table: id, folds, clips"""
    esc_shared: int
    """ESC clips here from recordings of UrbanSound8K"""
    disjoint: tuple[Disjoint, ...]

    def wrong(self) -> list[Finding]:
        """Findings that mean the data is not what it says.

        A missing clip only makes it partial, a background without a licence only keeps it at home.
        """
        return [finding for finding in self.findings if finding.kind not in ("missing", "unlicensed")]

    def is_sound(self) -> bool:
        return not self.wrong() and not any(row.shared_recordings for row in self.disjoint)


@dataclass(frozen=True)
class Probe:
    """What decoding a file gave: its length in seconds, or why it is damaged."""

    seconds: float
    damage: str = ""


def check(
    root: Path, *, decode: bool, tick: Tick, workers: int = 2, manifests: Path | None = None,
) -> CheckReport:  # fmt: skip
    """Check every corpus in ``root``; ``decode`` reads all audio, otherwise files are only looked up.

    ``manifests`` : a folder of manifests that an exact retraining is compared with

    Raises
    ------
    DataError : nothing known is there, or a table cannot be read
    """
    corpora = load(root)
    found = [(place, place.read()) for place in places(root)]
    listed = [row for _, read in found for row in read]
    effects = [replace(clip, corpus=EFFECTS) for clip in unlabelled_sounds(root / EFFECTS)]
    here = (*(c for c, present in listed if present), *corpora.backgrounds, *effects)
    clips = [*dict.fromkeys(here)]
    probes = dict(
        zip((c.path for c in clips), _probes([c.path for c in clips], decode, workers, tick), strict=True)
    )
    findings = [f for place, read in found for f in (*table_findings(place), *file_findings(place, read))]
    findings += [f for clip in clips if (f := _damage(clip, probes[clip.path], decode))]
    findings += manifest_findings(root, decode)
    teacher = len(contents(root / TEACHER))
    return CheckReport(
        _fold_reports(listed, probes),
        _fold_reports([(clip, True) for clip in corpora.backgrounds], probes),
        (
            *_fold_reports([(clip, True) for clip in effects], probes),
            *([FoldReport(TEACHER, 0, teacher, teacher, 0.0)] if teacher else []),
        ),
        (*lacking(corpora, root), *(unlike(root, manifests, decode) if manifests else ())),
        tuple(sorted(set(findings), key=lambda f: (f.corpus, f.fold, f.kind, f.name))),
        ids_in_two_folds(listed),
        sum(clip.recording in corpora.urban_folds for clip in corpora.esc),
        tuple(disjointness(corpora)),
    )


def table_findings(place: Place) -> Iterator[Finding]:
    """Rows whose file name, ids and class do not agree, or that stand twice."""
    columns = URBAN_COLUMNS if place.corpus == "UrbanSound8K" else ESC_COLUMNS
    name_of = "slice_file_name" if place.corpus == "UrbanSound8K" else "filename"
    disagreements = _urban_disagreements if place.corpus == "UrbanSound8K" else _esc_disagreements
    seen: set[str] = set()
    for line, row in rows(place.table, columns):
        stem = Path(row[name_of]).stem
        where = f"{place.table.name} line {line}"
        for why in disagreements(stem, row):
            yield Finding("mislabelled", place.corpus, int(row["fold"]), stem, f"{where}: {why}")
        if stem in seen:
            yield Finding("mislabelled", place.corpus, int(row["fold"]), stem, f"{where}: is listed twice")
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


def file_findings(place: Place, listed: Iterable[tuple[Clip, bool]]) -> Iterator[Finding]:
    """Rows without a file, and files that lie in another fold's folder than their row says."""
    folds = {f.name: by_stem(f) for f in sorted(place.audio.glob("fold*")) if f.is_dir()}
    homes: dict[str, list[str]] = defaultdict(list)
    for folder, files in folds.items():
        for stem in files:
            homes[stem].append(folder)
    for clip, present in listed:
        stem = clip.path.stem
        elsewhere = [h for h in homes[stem] if h != f"fold{clip.fold}"]
        if elsewhere:
            why = f"lies in {', '.join(elsewhere)}; its row says fold {clip.fold}"
            yield Finding("misplaced", clip.corpus, clip.fold, stem, why)
        elif not present:
            why = f"no {' '.join(SUFFIXES)} of that name in {clip.path.parent}"
            yield Finding("missing", clip.corpus, clip.fold, stem, why)


def manifest_findings(root: Path, compare: bool) -> Iterator[Finding]:
    """Files without source or licence in their manifest or, if ``compare``, with another checksum there."""
    for folder in folders(root):
        manifest = read_manifest(folder / NAME)
        for file in contents(folder):
            entry = manifest.get(file)
            if entry and compare and entry.sha256 != sha256(folder / file):
                yield Finding("damaged", folder.name, 0, file, f"is not the file that {NAME} lists")
            if not (entry and entry.is_told()):
                yield Finding("unlicensed", folder.name, 0, file, f"has no source and licence in {NAME}")


def _probes(paths: Sequence[Path], decode: bool, workers: int, tick: Tick) -> Iterator[Probe]:
    shards = [paths[i : i + _FILES_AT_ONCE] for i in range(0, len(paths), _FILES_AT_ONCE)]
    probed = partial(_probe_all, decode=decode)
    if not decode or workers == 1 or len(shards) < 2:
        results: Iterator[list[Probe]] = map(probed, shards)
    else:
        results = in_processes(probed, shards, workers, ordered=True)
    for probes in results:
        tick(len(probes))
        yield from probes


def _probe_all(paths: Iterable[Path], decode: bool) -> list[Probe]:
    return [probe(path) if decode else look_up(path) for path in paths]


def look_up(path: Path) -> Probe:
    """Look at a file from outside."""
    return Probe(0.0, "" if path.stat().st_size else "is an empty file")


def probe(path: Path) -> Probe:
    """Decode a file from end to end."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        return Probe(0.0, f"cannot be decoded ({error})")
    seconds = len(samples) / rate
    if not len(samples):
        return Probe(0.0, "holds no audio")
    if not np.isfinite(samples).all():
        return Probe(seconds, "holds samples that are no numbers")
    return Probe(seconds, "" if samples.any() else "holds nothing but zeros")


def _damage(clip: Clip, found: Probe, decoded: bool) -> Finding | None:
    expected = clip.end_s - clip.start_s
    why = found.damage
    if decoded and not why and found.seconds < expected - _SHORTER_S:
        why = f"lasts {found.seconds:.2f} s; its row says {expected:.2f} s"
    return Finding("damaged", clip.corpus, clip.fold, clip.path.stem, why) if why else None


def _fold_reports(listed: Iterable[tuple[Clip, bool]], probes: dict[Path, Probe]) -> tuple[FoldReport, ...]:
    """Count by corpus and fold; backgrounds, which have no folds, by their kind."""
    counts: Counter[tuple[str, int]] = Counter()
    present: Counter[tuple[str, int]] = Counter()
    seconds: dict[tuple[str, int], float] = defaultdict(float)
    for clip, here in dict.fromkeys(listed):
        place = (clip.label if clip.corpus == "background" else clip.corpus, clip.fold)
        counts[place] += 1
        present[place] += here
        seconds[place] += probes[clip.path].seconds if here else 0.0
    return tuple(
        FoldReport(*place, counts[place], present[place], seconds[place]) for place in sorted(counts)
    )


def ids_in_two_folds(listed: Iterable[tuple[Clip, bool]]) -> tuple[tuple[str, tuple[int, ...], int], ...]:
    """Return (id, folds, clips) of every Freesound id that UrbanSound8K's table has in several folds."""
    folds: dict[str, Counter[int]] = defaultdict(Counter)
    for clip, _ in listed:
        if clip.corpus == "UrbanSound8K":
            folds[clip.recording][clip.fold] += 1
    several = {r: by for r, by in folds.items() if len(by) > 1}
    return tuple((r, tuple(sorted(by)), by.total()) for r, by in sorted(several.items()))


def disjointness(corpora: Corpora) -> Iterator[Disjoint]:
    """Test each fold that is here against all others, and compare the recordings of both sides."""
    here = sorted({clip.fold for clip in corpora.urban})
    if len(here) < 2:
        return
    for fold in here:
        parts = split(corpora, [other for other in here if other != fold], [fold])
        shared = parts.train.recordings() & parts.test.recordings()
        train, test = len(parts.train.events), len(parts.test.events)
        yield Disjoint(fold, train, test, tuple(sorted(shared)))
