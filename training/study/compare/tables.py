"""Tables of the comparison, for Markdown and CSV."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.base.report import Cell, Table
from training.scoring.intervals import Interval
from training.scoring.statistics import Spread, confusion
from training.study.compare.gather import Comparison, Entry, PairedDifference, curve_on_test
from training.study.compare.published import PublishedFigure, known


def percent(value: Interval) -> str:
    """Return percentage points with their interval: ``+12.3 (+8.1 … +16.0)``."""
    return f"{100 * value.value:+.1f} ({100 * value.low:+.1f} … {100 * value.high:+.1f})"


def _between(value: Interval) -> str:
    return f"{value.value:.3f} ({value.low:.3f} … {value.high:.3f})"


def _spread(value: Spread) -> str:
    return f"{value.mean:.3f}" if value.folds == 1 else f"{value.mean:.3f} ± {value.deviation:.3f}"


def _epochs(entry: Entry) -> str | None:
    """Return the range of epochs, which early stopping makes differ; None for a fit in closed form."""
    shortest, longest = entry.epochs
    if not longest:
        return None
    return str(longest) if shortest == longest else f"{shortest} … {longest}"


def _seeds(entry: Entry) -> str | None:
    """Pooled accuracy of the worst and the best seed; None for a single one."""
    if len(entry.seeds) == 1:
        return None
    return "{:.3f} … {:.3f}".format(*entry.seed_accuracy)


def _numbers(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))


def beside_published(comparison: Comparison) -> Table:
    """Return the published figures beside ours, under the published and the honest protocol."""
    columns = (
        "net", "published accuracy / F1 / recall", "mean over epochs: accuracy / F1",
        "last epoch: accuracy / F1", "selected epoch, over folds: accuracy / F1", "honest: accuracy",
        "honest: macro F1",
    )  # fmt: skip
    table = known(comparison.labels).table
    return Table(columns, tuple(_beside(comparison, *row) for row in table.items()))


def _beside(comparison: Comparison, model: str, published: PublishedFigure) -> tuple[Cell, ...]:
    theirs = f"{published.accuracy:.2f} / {published.f1:.2f} / {published.recall:.2f}"
    seed, honest = (comparison.find(f"{protocol}/{model}") for protocol in ("seed", "honest"))
    curve = curve_on_test(seed.records) if seed else None
    return (
        model,
        theirs,
        f"{curve.mean_accuracy:.3f} / {curve.mean_f1:.3f}" if curve else None,
        f"{curve.last_accuracy:.3f} / {curve.last_f1:.3f}" if curve else None,
        f"{seed.fold_accuracy().mean:.3f} / {seed.fold_weighted_f1().mean:.3f}" if seed else None,
        honest.figures.accuracy if honest else None,
        honest.figures.macro_f1 if honest else None,
    )


def figures(entries: Sequence[Entry]) -> Table:
    """Return a row per model: figures over all its clips, over folds, and its cost."""
    columns = (
        "model", "accuracy (95 %)", "lowest … highest seed", "macro F1", "macro recall", "weighted F1",
        "accuracy over folds", "macro F1 over folds", "foreground", "background", "NLL", "ECE",
        "parameters", "multiply-adds", "epochs", "folds", "seeds", "clips", "recordings", "minutes per job",
    )  # fmt: skip
    return Table(columns, tuple(_figures(entry) for entry in entries))


def _figures(entry: Entry) -> tuple[Cell, ...]:
    got = entry.figures
    return (
        entry.model, _between(entry.accuracy), _seeds(entry), got.macro_f1, got.macro_recall, got.weighted_f1,
        _spread(entry.fold_accuracy()), _spread(entry.fold_f1()), got.foreground, got.background, got.nll,
        got.ece, entry.cost.parameters, entry.cost.multiply_adds, _epochs(entry), _numbers(entry.folds),
        len(entry.seeds), got.clips, got.recordings, f"{entry.seconds / 60:.1f}",
    )  # fmt: skip


def pairs(pairs: Sequence[PairedDifference]) -> Table:
    """Return paired differences in percentage points."""
    columns = ("model", "minus", "accuracy, points (95 %)", "macro F1, points (95 %)", "excludes zero",
               "clips", "recordings")  # fmt: skip
    rows = tuple(
        (p.first, p.second, percent(p.accuracy), percent(p.f1), "yes" if p.accuracy.excludes_zero else "no",
         p.accuracy.clips, p.accuracy.recordings)
        for p in pairs
    )  # fmt: skip
    return Table(columns, rows)


def classes(entry: Entry, labels: Sequence[str]) -> Table:
    """Return precision, recall and F1 of every class."""
    rows = tuple(
        (label, c.clips, c.recordings, c.precision, c.recall, c.f1)
        for label, c in zip(labels, entry.classes, strict=True)
    )
    return Table(("class", "clips", "recordings", "precision", "recall", "F1"), rows)


def all_figures(comparison: Comparison) -> Table:
    """Return every pooled figure as a number, for programs."""
    columns = (
        "protocol", "model", "accuracy", "low", "high", "seed_low", "seed_high", "macro_f1",
        "macro_recall", "weighted_f1", "fold_accuracy_mean", "fold_accuracy_std", "foreground", "background",
        "nll", "ece", "parameters",
        "multiply_adds", "folds", "seeds", "clips", "recordings", "seconds_a_job",
    )  # fmt: skip
    rows = []
    for entry in comparison.entries:
        got, spread = entry.figures, entry.fold_accuracy()
        rows.append((
            entry.protocol, entry.model, got.accuracy, entry.accuracy.low, entry.accuracy.high,
            *entry.seed_accuracy, got.macro_f1, got.macro_recall, got.weighted_f1, spread.mean,
            spread.deviation, got.foreground, got.background, got.nll, got.ece,
            entry.cost.parameters, entry.cost.multiply_adds,
            " ".join(map(str, entry.folds)), " ".join(map(str, entry.seeds)), got.clips, got.recordings,
            entry.seconds,
        ))  # fmt: skip
    return Table(columns, tuple(rows))


def all_jobs(comparison: Comparison) -> Table:
    """Return a row per job."""
    columns = (
        "protocol", "model", "fold", "seed", "accuracy", "epochs", "best_epoch", "clips", "seconds", "commit",
        "code",
    )  # fmt: skip
    rows = (
        (entry.protocol, entry.model, record.job.test_fold, record.job.seed, record.clips.accuracy,
         len(record.epochs), record.best_epoch, len(record.clips.clip), record.provenance.seconds,
         record.provenance.code.commit, record.provenance.code.digest)
        for entry in comparison.entries
        for record in entry.records
    )  # fmt: skip
    return Table(columns, tuple(rows))


def all_classes(comparison: Comparison) -> Table:
    """Return the figures of every class of every entry."""
    rows = (
        (entry.protocol, entry.model, *row)
        for entry in comparison.entries
        for row in classes(entry, comparison.labels).rows
    )
    return Table(
        ("protocol", "model", *classes(comparison.entries[0], comparison.labels).columns), tuple(rows)
    )


def all_pairs(comparison: Comparison) -> Table:
    """Return every paired difference as numbers."""
    columns = ("model", "minus", "accuracy", "accuracy_low", "accuracy_high", "macro_f1", "macro_f1_low",
               "macro_f1_high", "clips", "recordings")  # fmt: skip
    rows = (
        (p.first, p.second, p.accuracy.value, p.accuracy.low, p.accuracy.high, p.f1.value, p.f1.low,
         p.f1.high, p.accuracy.clips, p.accuracy.recordings)
        for p in comparison.pairs
    )  # fmt: skip
    return Table(columns, tuple(rows))


def all_confusions(comparison: Comparison) -> Table:
    """Return the non-zero cells of every confusion matrix, as means over seeds."""
    rows = (
        (entry.protocol, entry.model, comparison.labels[i], comparison.labels[j], float(count))
        for entry in comparison.entries
        for (i, j), count in np.ndenumerate(confusion(entry.rows))
        if count
    )
    return Table(("protocol", "model", "true", "predicted", "clips"), tuple(rows))
