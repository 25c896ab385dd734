"""Gather records into the comparison: an entry per protocol and model, and paired differences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np

from training.errors import DataError
from training.networks.compact import Cost
from training.records.jobs import Epoch, JobRecord
from training.scoring import statistics as stats
from training.scoring.intervals import Interval, difference, interval, macro_f1


@dataclass(frozen=True)
class Entry:
    """All records of one model under one protocol, with their pooled figures."""

    protocol: str
    model: str
    records: tuple[JobRecord, ...]

    @cached_property
    def rows(self) -> stats.Rows:
        return stats.rows(self.records)

    @cached_property
    def figures(self) -> stats.Figures:
        return stats.figures(self.rows)

    @cached_property
    def accuracy(self) -> Interval:
        return interval(self.rows)

    @cached_property
    def classes(self) -> tuple[stats.ClassFigures, ...]:
        return stats.class_figures(self.rows)

    @property
    def name(self) -> str:
        return f"{self.protocol}/{self.model}"

    @property
    def folds(self) -> tuple[int, ...]:
        return tuple(sorted({record.job.test_fold for record in self.records}))

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(sorted({record.job.seed for record in self.records}))

    @property
    def seed_accuracy(self) -> tuple[float, float]:
        """Pooled accuracy of the worst and of the best seed."""
        by_seed = [stats.rows([r for r in self.records if r.job.seed == seed]) for seed in self.seeds]
        accuracy = [float((rows.prediction == rows.truth).mean()) for rows in by_seed]
        return min(accuracy), max(accuracy)

    @property
    def generations(self) -> frozenset[str]:
        """Digests of the code that made the records; "" for records from before it was kept."""
        return frozenset(record.provenance.code.digest for record in self.records)

    @property
    def epochs(self) -> tuple[int, int]:
        """Epochs of the shortest and of the longest run."""
        counts = [len(record.epochs) for record in self.records]
        return min(counts), max(counts)

    @property
    def cost(self) -> Cost:
        return self.records[0].cost

    @property
    def seconds(self) -> float:
        """Mean time of a job, training and test."""
        return float(np.mean([record.provenance.seconds for record in self.records]))

    def fold_accuracy(self) -> stats.Spread:
        return stats.over_folds(self.records, lambda record: record.clips.accuracy)

    def fold_weighted_f1(self) -> stats.Spread:
        return stats.over_folds(self.records, lambda record: stats.figures(stats.rows([record])).weighted_f1)

    def fold_f1(self) -> stats.Spread:
        return stats.over_folds(self.records, lambda record: stats.figures(stats.rows([record])).macro_f1)


@dataclass(frozen=True)
class TestCurve:
    """Test figures during training, under the protocol that evaluates the test fold at every epoch.

    ``mean_…`` is over all epochs and folds, as the study published it for its recurrent networks;
    ``last_…`` is the mean over folds of the last epoch.
    """

    mean_accuracy: float
    mean_f1: float
    last_accuracy: float
    last_f1: float


def curve_on_test(records: Iterable[JobRecord]) -> TestCurve | None:
    """Return the figures of the test curves; None if no record has one."""
    curves = [watched for record in records if (watched := [e for e in record.epochs if _watched(e)])]
    if not curves:
        return None
    every, last = (
        np.array([(e.test_accuracy, e.test_f1) for e in epochs], float).mean(axis=0)
        for epochs in ([e for curve in curves for e in curve], [curve[-1] for curve in curves])
    )
    return TestCurve(*map(float, (*every, *last)))


def _watched(epoch: Epoch) -> bool:
    return epoch.test_accuracy is not None and epoch.test_f1 is not None


@dataclass(frozen=True)
class PairedDifference:
    """``first`` minus ``second`` on the clips that both scored; ``f1`` is of the macro F1."""

    first: str
    second: str
    accuracy: Interval
    f1: Interval


@dataclass(frozen=True)
class Comparison:
    """All entries, best first within a protocol; each of ``pairs`` names the better one first."""

    entries: tuple[Entry, ...]
    pairs: tuple[PairedDifference, ...]
    labels: tuple[str, ...]
    not_run: tuple[str, ...]

    @property
    def generations(self) -> frozenset[str]:
        """Digests of the code that made any of the records."""
        return frozenset().union(*(entry.generations for entry in self.entries))

    def of(self, protocol: str) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.protocol == protocol)

    def find(self, name: str) -> Entry | None:
        """Return the entry ``protocol/model``, or None."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def against(self, reference: str) -> tuple[PairedDifference, ...]:
        """Return every other entry minus the reference, largest difference first."""
        turned = [
            pair if pair.second == reference else _turned(pair)
            for pair in self.pairs
            if reference in (pair.first, pair.second)
        ]
        return tuple(sorted(turned, key=lambda pair: -pair.accuracy.value))


def gather(records: Sequence[JobRecord]) -> Comparison:
    """Return the comparison of the records; the grid of jobs need not be complete.

    Raises
    ------
    DataError
        If there are no records, or they are of different corpora.
    """
    if not records:
        raise DataError("no records to compare; make some first: sound-training cv")
    labels = {record.data.labels for record in records}
    if len(labels) > 1:
        raise DataError("these records have different labels; compare one corpus at a time: --records FOLDER")
    named = sorted({(record.job.protocol, record.job.model) for record in records})
    found = [
        Entry(
            protocol, model, tuple(r for r in records if (r.job.protocol, r.job.model) == (protocol, model))
        )
        for protocol, model in named
    ]
    missing = tuple(_missing(found))
    entries = [_with_whole_seeds(entry) for entry in found]
    entries.sort(key=lambda entry: (entry.protocol, -entry.figures.accuracy, entry.model))
    pairs = tuple(_pair(a, b) for a, b in combinations(entries, 2) if set(a.folds) & set(b.folds))
    return Comparison(tuple(entries), pairs, labels.pop(), missing)


def _with_whole_seeds(entry: Entry) -> Entry:
    """Return the entry without seeds that lack a fold: a figure is of all seeds on every fold, or of none.

    Where no seed has every fold, all records are kept.
    """
    have = {(record.job.test_fold, record.job.seed) for record in entry.records}
    whole = {seed for seed in entry.seeds if all((fold, seed) in have for fold in entry.folds)}
    kept = tuple(record for record in entry.records if record.job.seed in whole)
    return replace(entry, records=kept or entry.records)


def _pair(first: Entry, second: Entry) -> PairedDifference:
    measured = (difference(first.rows, second.rows), difference(first.rows, second.rows, macro_f1))
    return PairedDifference(first.name, second.name, *measured)


def _turned(pair: PairedDifference) -> PairedDifference:
    return PairedDifference(pair.second, pair.first, -pair.accuracy, -pair.f1)


def _missing(entries: Sequence[Entry]) -> Iterable[str]:
    """Yield what the grid of records lacks: folds and seeds that other models or folds have."""
    for entry in entries:
        peers = [e for e in entries if e.protocol == entry.protocol]
        folds = sorted({fold for peer in peers for fold in peer.folds} - set(entry.folds))
        if folds:
            yield f"{entry.name}: fold {', '.join(map(str, folds))}"
        have = {(record.job.test_fold, record.job.seed) for record in entry.records}
        for fold in entry.folds:
            seeds = [seed for seed in entry.seeds if (fold, seed) not in have]
            if seeds:
                left = (
                    "; its other folds of these seeds are left out" if len(seeds) < len(entry.seeds) else ""
                )
                yield f"{entry.name}: fold {fold}, seed {', '.join(map(str, seeds))}{left}"
