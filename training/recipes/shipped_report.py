"""The report of a model build: a record per fold and seed, tables, plots, one page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from monitor.model.card import ProfileName
from monitor.tuning.poisson import LEVEL
from training.base.provenance import machine
from training.base.report import Cell, Report, Table, write
from training.data.corpora import CLASSES
from training.recipes.shipped import NAME, ShippedOutcome, ShippedPlan
from training.recipes.shipped_pictures import confusion, confusion_picture
from training.recipes.shipped_records import record_of
from training.records.jobs import JobRecord, read_all
from training.scoring.calibration import BUDGETS
from training.scoring.evaluation import AlertFigures, false_alarm_table
from training.scoring.held_out import REJECT, FoldFigures
from training.scoring.intervals import accuracy, difference, interval
from training.scoring.reliability import diagram, reliability, table
from training.scoring.statistics import rows

if TYPE_CHECKING:
    pass

PEERS = (NAME, "yamnet-lr", "compact", "cnn")
"""Models for comparison: the study's, and the recipe, where ours differs."""
_URGENT = ("siren", "gun_shot", "car_horn", "jackhammer")


def write_records(outcome: ShippedOutcome, plan: ShippedPlan, beside: Sequence[Path], folder: Path) -> None:
    """Write records, page, plots and tables into ``folder``.

    ``beside`` holds the records of :data:`PEERS`; those without records are left out.
    """
    heard = zip(outcome.hearings, outcome.histories, strict=True)
    ours = [record_of(hearing, history, plan) for hearing, history in heard]
    for record in ours:
        record.write(folder / "records")
    making = {
        "command": plan.command,
        "version": plan.version,
        "created": outcome.package.card.created,
        "machine": machine(),
        "folds": plan.folds,
        "seeds": plan.seeds,
        "run": asdict(plan.run),
        "lessons": asdict(plan.lessons),
        "tflite_against_keras": outcome.parity,
        "quality": [quality.model_dump() for quality in outcome.package.card.quality],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "making.json").write_text(json.dumps(making, indent=1) + "\n")
    others = [record for place in beside for record in read_all(place)]
    write(compose(outcome, plan, ours, others), folder)


def compose(
    outcome: ShippedOutcome, plan: ShippedPlan, ours: Sequence[JobRecord], study: Sequence[JobRecord]
) -> Report:
    """Return the page, its pictures and its tables."""
    first = [one for one in outcome.figures if one.seed == plan.seeds[0]]
    scores, targets = (np.concatenate(c) for c in zip(*(one.questions for one in first), strict=True))
    judged = reliability(scores, targets, CLASSES)
    classes = Table(_CLASS_COLUMNS, tuple(class_rows(outcome)))
    tables = {
        "classes.csv": classes,
        "backgrounds.csv": Table(_BED_COLUMNS, tuple(_bed_rows(first))),
        "clips.csv": Table(*_clip_table(ours, study)),
        "streams.csv": Table(_STREAM_COLUMNS, tuple(_stream_rows(outcome.figures))),
        "reject.csv": Table(_REJECT_COLUMNS, tuple(_reject_rows(first, outcome.unrejected))),
        "reliability.csv": table(judged),
        "confusion.csv": Table(("true", *CLASSES), tuple(
            (label, *row) for label, row in zip(CLASSES, confusion(first).tolist(), strict=True)
        )),
    }  # fmt: skip
    pictures = {"confusion.png": confusion_picture(first), "reliability.png": diagram(judged)}
    lines = (
        *_opening(outcome, plan),
        *_clips(tables["clips.csv"], ours, study),
        *_streams(tables["streams.csv"], classes),
        *_rejected(tables["reject.csv"]),
        *_calibration(tables["reliability.csv"]),
    )
    return Report("\n".join(lines), pictures, tables)


def _opening(outcome: ShippedOutcome, plan: ShippedPlan) -> Iterator[str]:
    folds, seeds = (", ".join(map(str, numbers)) for numbers in (plan.folds, plan.seeds))
    yield "# The model that ships"
    yield ""
    yield f"`{plan.command}` (folds {folds}; seeds {seeds}; package {plan.version})."
    yield "Every figure here is of a fold by a network that trained on the other folds alone, with"
    yield "temperature and thresholds that were chosen on the other folds; each fold brings its own"
    yield "backgrounds, which that network never heard either. What ships was then trained on all of it, with"
    yield "nothing chosen again: these figures are of the recipe, with a fold less to learn from."
    yield f"TFLite against Keras, hop by hop: {outcome.parity:.1e}."
    yield ""


_CLIP_FIRST = ("model", "seeds")


def _clip_table(
    ours: Sequence[JobRecord], study: Sequence[JobRecord]
) -> tuple[tuple[str, ...], tuple[tuple[Cell, ...], ...]]:
    """Return clip accuracy by fold, and pooled with its interval over recordings."""
    folds = sorted({record.job.test_fold for record in ours})
    columns = (*_CLIP_FIRST, *(f"fold {fold}" for fold in folds), "pooled", "from", "to")
    found: list[tuple[Cell, ...]] = []
    for name in dict.fromkeys((ours[0].job.model, *PEERS)):
        mine = _of(name, [*ours, *study], folds)
        if {record.job.test_fold for record in mine} != set(folds):
            continue
        each = [interval(rows([r for r in mine if r.job.test_fold == fold])).value for fold in folds]
        pooled = interval(rows(mine))
        seeds = len({record.job.seed for record in mine})
        found.append((name, seeds, *each, pooled.value, pooled.low, pooled.high))
    return columns, tuple(found)


def _of(name: str, records: Sequence[JobRecord], folds: Sequence[int]) -> list[JobRecord]:
    """Return a model's records on the folds, without leaky ones and other corpora."""
    return [
        r for r in records
        if (r.job.model, r.job.protocol) == (name, "honest") and r.job.test_fold in folds
    ]  # fmt: skip


def _clips(table: Table, ours: Sequence[JobRecord], study: Sequence[JobRecord]) -> Iterator[str]:
    folds = sorted({record.job.test_fold for record in ours})
    yield "## Clips"
    yield ""
    yield table.markdown()
    yield ""
    yield "Accuracy over ten classes, by the mean logits of a clip played alone; intervals (95 %) are of a"
    yield "bootstrap over recordings. The others are the study's, tested on the same clips (`yamnet-lr`:"
    yield "logistic regression on YAMNet's embedding; `cnn`: the published network). Differences in points:"
    yield ""
    own = ours[0].job.model
    for name in PEERS:
        theirs = _of(name, study, folds) if name != own else []
        if {record.job.test_fold for record in theirs} == set(folds):
            gap = difference(rows(ours), rows(theirs), accuracy)
            low, high = 100 * gap.low, 100 * gap.high
            yield f"- {own} − {name}: **{100 * gap.value:+.1f}** ({low:+.1f} to {high:+.1f})"
    yield ""
    yield "![Confusion of clips](confusion.png)"
    yield ""


_STREAM_COLUMNS = (
    "profile", "fold", "seed", "sounds", "heard", "share heard", "delay s, median", "delay s, 95 %",
    "false alarms", "hours", "an hour", "from", "to", "of them urgent", "on speech",
)  # fmt: skip


def _stream_rows(figures: Sequence[FoldFigures]) -> Iterator[tuple[Cell, ...]]:
    for profile in BUDGETS:
        for one in figures:
            yield (profile, one.fold, one.seed, *_stream_row([one], profile))
        yield (profile, "all", "all", *_stream_row(figures, profile))


def _stream_row(figures: Sequence[FoldFigures], profile: ProfileName) -> tuple[Cell, ...]:
    alerts = [row for one in figures for row in one.alerts[profile]]
    delays = sorted(delay for row in alerts for delay in row.delays_s) or [float("nan")]
    beds = [bed for one in figures for bed in one.beds]
    hours = sum(bed.seconds for bed in beds) / 3600
    false = sum(row.false_alarms for row in alerts)
    seeds = len({one.seed for one in figures})
    low, high = (limit * seeds for limit in _limits(false / seeds))
    scenes, heard = sum(row.scenes for row in alerts), sum(row.heard for row in alerts)
    urgent = sum(row.false_alarms for row in alerts if row.label in _URGENT)
    return (
        scenes, heard, heard / max(1, scenes), float(np.median(delays)), float(np.quantile(delays, 0.95)),
        false, hours, false / hours, low / hours, high / hours, urgent,
        sum(one.on_speech[profile] for one in figures),
    )  # fmt: skip


def _limits(count: float) -> tuple[float, float]:
    """Return the exact interval of a Poisson count in its gamma form, which allows means over seeds."""
    from scipy.stats import gamma

    tail = (1.0 - LEVEL) / 2
    return (float(gamma.ppf(tail, count)) if count else 0.0), float(gamma.ppf(1.0 - tail, count + 1))


def _streams(streams: Table, classes: Table) -> Iterator[str]:
    yield "## Streams"
    yield ""
    yield streams.markdown()
    yield ""
    yield "Foreground clips, each alone 15 dB over a background of its fold, that raise their own alert while"
    yield "they sound or within two seconds after; false alarms on the fold's backgrounds without them, with"
    yield "exact Poisson intervals (95 %), for which the same hours under several seeds count once; so do"
    yield f"stretches of a file that repeat an earlier one. Urgent: {', '.join(_URGENT)}."
    yield "Many sounds at once, other levels, rooms, microphones, and YAMNet:"
    yield "[stream-eval](../stream-eval/README.md)."
    yield ""
    yield "With the profile `quiet`, all folds and seeds, and the settings that ship:"
    yield ""
    yield classes.markdown()
    yield ""


_CLASS_COLUMNS = (
    "class", "sounds", "heard", "share heard", "delay s, median", "wrong alerts in its scenes",
    "false alarms", "enter", "smoothing s", "attack s", "onset shift s",
)  # fmt: skip


def class_rows(outcome: ShippedOutcome) -> Iterator[tuple[Cell, ...]]:
    """Return one row per class, in label order."""
    for label in CLASSES:
        mine: list[AlertFigures] = [
            row for one in outcome.figures for row in one.alerts["quiet"] if row.label == label
        ]
        delays = [delay for row in mine for delay in row.delays_s]
        scenes, heard = sum(row.scenes for row in mine), sum(row.heard for row in mine)
        quiet = outcome.package.card.classes[label].profiles["quiet"]
        yield (
            label, scenes, heard, heard / max(1, scenes), float(np.median(delays)) if delays else None,
            sum(row.wrong for row in mine), sum(row.false_alarms for row in mine),
            quiet.enter, quiet.smoothing_s, quiet.attack_s, quiet.onset_shift_s,
        )  # fmt: skip


_BED_COLUMNS = ("fold", "background", "minutes", "alerts")


def _bed_rows(figures: Sequence[FoldFigures]) -> Iterator[tuple[Cell, ...]]:
    for one in figures:
        for name, minutes, text in false_alarm_table(one.beds, one.settings):
            yield (one.fold, name, minutes, text)


_REJECT_COLUMNS = (
    "reject rule", "profile", "share heard", "false alarms an hour", "alerts by unknown sounds",
    "unknown sounds",
)  # fmt: skip


def _reject_rows(ruled: Sequence[FoldFigures], unruled: Sequence[FoldFigures]) -> Iterator[tuple[Cell, ...]]:
    for name, figures in (("yes", ruled), ("no", unruled)):
        for profile in BUDGETS:
            hours = sum(bed.seconds for one in figures for bed in one.beds) / 3600
            alerts = [row for one in figures for row in one.alerts[profile]]
            heard = sum(row.heard for row in alerts) / max(1, sum(row.scenes for row in alerts))
            yield (
                name, profile, heard, sum(row.false_alarms for row in alerts) / hours,
                sum(one.on_others[profile] for one in figures), sum(one.others for one in figures),
            )  # fmt: skip


def _rejected(rejected: Table) -> Iterator[str]:
    yield "## Sounds that nobody taught"
    yield ""
    yield rejected.markdown()
    yield ""
    yield f"What the reject rule brings: a row whose score for background is {REJECT:g} or more is no class."
    yield "Without it thresholds were chosen anew. Unknown sounds are ESC's of other classes, in the fold's"
    yield "recordings, five seconds each, one after another. First seed."
    yield ""


def _calibration(calibration: Table) -> Iterator[str]:
    yield "## Do the scores mean what they say?"
    yield ""
    yield calibration.markdown()
    yield ""
    yield "Each class in each row (a hop) of soundscapes and plain backgrounds is a question: is it there?"
    yield (
        "Rows in which a class has just begun or ended are left out. "
        "Of the first seed; the card's figure is of all."
    )
    yield ""
    yield "![Reliability](reliability.png)"
    yield ""
