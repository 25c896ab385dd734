"""Check the data against its tables: missing, damaged and mislabelled clips, disjoint recordings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from training.base.parallel import in_processes
from training.base.progress import Tick
from training.data.corpora import (
    Clip,
    Corpora,
    load,
    places,
    unlabelled_sounds,
)
from training.data.findings import DataFinding, file_findings, manifest_findings, table_findings
from training.data.manifest import (
    EFFECTS,
    YAMNET,
    contents,
    lacking,
    unlike,
)
from training.data.splits import split

TWICE_RULE = "a clip of such an id is not used for training when either of its folds is tested"
ESC_RULE = "an ESC clip from a recording of UrbanSound8K is assigned to that recording's fold"

_SHORTER_S = 0.05
"""Encoders may drop a few milliseconds; a clip that is shorter by more than this is truncated."""
_FILES_AT_ONCE = 32


@dataclass(frozen=True)
class FoldReport:
    """Clips of one fold: rows of the table, files found, total length in seconds (0 unless decoded)."""

    corpus: str
    fold: int
    listed: int
    present: int
    seconds: float


@dataclass(frozen=True)
class Disjoint:
    """Sizes of both sides when ``fold`` is the test fold, and the recordings that they share (a leak).

    Only clips of the ten classes count, ESC's among them.
    """

    fold: int
    train_clips: int
    test_clips: int
    shared_recordings: tuple[str, ...]


@dataclass(frozen=True)
class CheckReport:
    """Everything that ``sound-training data check`` reports."""

    folds: tuple[FoldReport, ...]
    backgrounds: tuple[FoldReport, ...]
    others: tuple[FoldReport, ...]
    """Unlabelled sounds, and YAMNet's files"""
    lacking: tuple[str, ...]
    """What is missing to retrain the shipped model"""
    findings: tuple[DataFinding, ...]
    twice: tuple[tuple[str, tuple[int, ...], int], ...]
    """Freesound ids in two folds of UrbanSound8K's table: id, folds, clips"""
    esc_shared: int
    """ESC clips present that were cut from recordings of UrbanSound8K"""
    disjoint: tuple[Disjoint, ...]

    def wrong(self) -> list[DataFinding]:
        """Return the findings that make the data unusable.

        A missing clip only makes a corpus partial; a background without a licence only prevents publication.
        """
        return [finding for finding in self.findings if finding.kind not in ("missing", "unlicensed")]

    def is_sound(self) -> bool:
        return not self.wrong() and not any(row.shared_recordings for row in self.disjoint)


@dataclass(frozen=True)
class Probe:
    """Result of decoding a file: its length in seconds, or why it is damaged."""

    seconds: float
    damage: str = ""


def check(
    root: Path, *, decode: bool, tick: Tick, workers: int = 2, manifests: Path | None = None,
) -> CheckReport:  # fmt: skip
    """Check every corpus in ``root``.

    Parameters
    ----------
    root
        Data folder.
    decode
        Whether to decode all audio; otherwise only the presence of files is checked.
    tick
        Receives the number of files just checked.
    workers
        Number of processes.
    manifests
        Folder of manifests to compare with, for an exact retraining.

    Raises
    ------
    DataError
        If no known corpus is found, or a table cannot be read.
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
    yamnet = len(contents(root / YAMNET))
    return CheckReport(
        _fold_reports(listed, probes),
        _fold_reports([(clip, True) for clip in corpora.backgrounds], probes),
        (
            *_fold_reports([(clip, True) for clip in effects], probes),
            *([FoldReport(YAMNET, 0, yamnet, yamnet, 0.0)] if yamnet else []),
        ),
        (*lacking(corpora, root), *(unlike(root, manifests, decode) if manifests else ())),
        tuple(sorted(set(findings), key=lambda f: (f.corpus, f.fold, f.kind, f.name))),
        ids_in_two_folds(listed),
        sum(clip.recording in corpora.urban_folds for clip in corpora.esc),
        tuple(disjointness(corpora)),
    )


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
    """Check a file without decoding it."""
    return Probe(0.0, "" if path.stat().st_size else "is an empty file")


def probe(path: Path) -> Probe:
    """Decode a whole file."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        return Probe(0.0, f"cannot be decoded ({error})")
    seconds = len(samples) / rate
    if not len(samples):
        return Probe(0.0, "holds no audio")
    if not np.isfinite(samples).all():
        return Probe(seconds, "holds samples that are not finite")
    return Probe(seconds, "" if samples.any() else "holds nothing but zeros")


def _damage(clip: Clip, found: Probe, decoded: bool) -> DataFinding | None:
    expected = clip.end_s - clip.start_s
    why = found.damage
    if decoded and not why and found.seconds < expected - _SHORTER_S:
        why = f"lasts {found.seconds:.2f} s; its row says {expected:.2f} s"
    return DataFinding("damaged", clip.corpus, clip.fold, clip.path.stem, why) if why else None


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
    """Yield, for each available fold as the test fold, the recordings shared with the training folds."""
    here = sorted({clip.fold for clip in corpora.urban})
    if len(here) < 2:
        return
    for fold in here:
        parts = split(corpora, [other for other in here if other != fold], [fold])
        shared = parts.train.recordings() & parts.test.recordings()
        train, test = len(parts.train.events), len(parts.test.events)
        yield Disjoint(fold, train, test, tuple(sorted(shared)))
