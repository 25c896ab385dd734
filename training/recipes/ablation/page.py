"""From records to the page of the ablation: what was run, what each factor brings, what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.base.report import Cell, Report, Table
from training.errors import DataError
from training.recipes.ablation.factors import GROUPS
from training.recipes.ablation.listening import FALSE_SHARE, PIECE_S, SCAPES, Streams
from training.recipes.ablation.records import AblationRecord
from training.study.ablation import Effect, Factor, Group, effects
from training.study.compare.gather import Entry
from training.study.compare.pictures import forest
from training.study.compare.tables import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HOPS_A_SECOND = 1 / 0.48


@dataclass(frozen=True)
class Gain:
    """What a factor brings on streams: with it minus without it, over the folds that both were tested on.

    precision, heard : in shares; delay_s : median over the sounds that both heard, None if there is none
    """

    precision: float
    heard: float
    delay_s: float | None


def compose(records: Sequence[AblationRecord], costs: Table, hops: Table) -> Report:
    """Return the page of all groups; ``costs`` of the front ends and times of ``hops`` are shown as they are.

    Raises
    ------
    DataError : a record's settings differ from its base's by more than its factor
    """
    parts = ["# What each part of the shipped recipe brings", *_opening(records)]
    pictures: dict[str, Figure] = {}
    tables: dict[str, Table] = {}
    for group in GROUPS.values():
        _check(group, records)
        found = effects(group, [record.job for record in records])
        parts += [f"## {group.title}", _base(group, records)]
        if found:
            rows = [_row(group, effect, records) for effect in found]
            tables[f"{group.name}.csv"] = Table(_NUMBERS, tuple(numbers for _, numbers in rows))
            pictures[f"{group.name}.png"] = forest(
                {effect.factor.name: effect.accuracy for effect in found},
                "accuracy with it minus without it",
            )
            parts += [Table(_SHOWN, tuple(shown for shown, _ in rows)).markdown()]
            parts += [f"![Effects]({group.name}.png)"]
        if absent := [f.name for f in group.factors if f not in [effect.factor for effect in found]]:
            parts.append(f"Not run: {'; '.join(absent)}.")
    tables["costs.csv"] = costs
    parts += ["## What front ends cost", costs.markdown(), _COSTS]
    if hops.rows:
        tables["hops.csv"] = hops
        parts += [hops.markdown(), _HOPS]
    return Report("\n\n".join(parts) + "\n", pictures, tables)


def _opening(records: Sequence[AblationRecord]) -> Iterator[str]:
    run = records[0].job.making.settings["run"]
    lessons = records[0].job.making.settings["lessons"]["count"]
    spent = sum(record.cpu_s for record in records)
    yield (
        f"`sound-training default-ablation`, {len(records)} records of {spent / len(records):.0f} seconds of "
        f"one core each ({spent / 60:.0f} minutes in all). Short runs: {run['epochs']} epochs of "
        f"{run['steps']} steps of {run['batch']} windows and {lessons} lessons, where the model that ships "
        "trains several times as long: what needs time to pay is undervalued. One seed; how far another seed "
        "alone moves the figures stands in the first table, and what is within that is no evidence. "
        "Everything else is the recipe's."
    )
    yield (
        "Each fold is tested by a network that trained on the others. Accuracy is of clips, by mean logits; "
        "intervals hold 95 % of draws of whole recordings and know nothing of the seed. The rest is of "
        f"{SCAPES} soundscapes of a minute and the fold's backgrounds, none of which the network was trained "
        "on. *Precision* is the mean over classes of the average precision of rows. A sound is *heard* when "
        "its class's score is over a threshold while it sounds or within two seconds after: the score that "
        f"is exceeded in {100 * FALSE_SHARE:.0f} % of all pieces of background of {PIECE_S:.0f} s "
        f"({FALSE_SHARE * 3600 / PIECE_S:.0f} an hour). *Delay* is from onset to then; differences of it are "
        "medians over the sounds that both networks heard, and it is the network's own, without waiting for "
        "a hop. Multiply-adds are the network's, a second of audio."
    )


_COSTS = (
    "Of the network at the shipped hop, whether it was trained or not; *looks back* is all that one set of "
    "scores depends on, the level's average included. The transform of a frame is not counted."
)
_HOPS = (
    "A hop of 0.48 s in TFLite with one thread, forms in turn in one process; of all turns the tenth that "
    "was disturbed least. A stream of columns computes only what is new, a window all of itself again."
)
_SHOWN = (
    "factor", "was", "accuracy, points (95 %)", "sure", "precision, points", "heard, points", "delay, s",
    "its delay, s", "its M multiply-adds / s", "folds",
)  # fmt: skip
_NUMBERS = (
    "factor", "model", "was", "folds", "accuracy", "accuracy_low", "accuracy_high", "macro_f1",
    "macro_f1_low", "macro_f1_high", "clips", "recordings", "precision", "heard", "delay_s", "its_accuracy",
    "its_precision", "its_heard", "its_delay_s", "its_parameters", "its_multiply_adds_a_second",
)  # fmt: skip


def _row(
    group: Group, effect: Effect, records: Sequence[AblationRecord]
) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
    """The row that is shown and the one of numbers."""
    base, other = _of(group.base, records), _of(effect.model, records)
    common = sorted(set(base) & set(other))
    got = gain([(base[fold].streams, other[fold].streams) for fold in common], effect.factor)
    entry = Entry("honest", effect.model, tuple(other[fold].job for fold in common))
    by, f1, was = effect.accuracy, effect.f1, "left out" if effect.factor.left_out else "changed"
    folds = " ".join(map(str, common))
    its = _absolute([other[fold].streams for fold in common])
    streams = (None, None, None) if got is None else (got.precision, got.heard, got.delay_s)
    spent = entry.cost.multiply_adds * _HOPS_A_SECOND
    shown = (
        effect.factor.name, was, percent(by), "yes" if by.excludes_zero else "no", _points(streams[0]),
        _points(streams[1]), None if streams[2] is None else f"{streams[2]:+.2f}", _seconds(its[2]),
        f"{spent / 1e6:.1f}", folds,
    )  # fmt: skip
    numbers = (
        effect.factor.name, effect.model, was, folds, by.value, by.low, by.high, f1.value, f1.low, f1.high,
        by.clips, by.recordings, *streams, entry.figures.accuracy, *its, entry.cost.parameters, round(spent),
    )  # fmt: skip
    return shown, numbers


def _of(model: str, records: Sequence[AblationRecord]) -> Mapping[int, AblationRecord]:
    """The model's records by fold."""
    return {record.job.job.test_fold: record for record in records if record.job.job.model == model}


def gain(pairs: Sequence[tuple[Streams | None, Streams | None]], factor: Factor) -> Gain | None:
    """Return what the factor brings over pairs of (base's, other's) streams, one of each fold."""
    sign = 1 if factor.left_out else -1
    both = [(base, other) for base, other in pairs if base is not None and other is not None]
    if not both:
        return None
    late = [
        one - two
        for base, other in both
        for one, two in zip(base.delays_s, other.delays_s, strict=True)
        if one is not None and two is not None
    ]
    means = [
        [np.mean([of_fold(streams) for streams in column]) for column in zip(*both, strict=True)]
        for of_fold in (_precision, _heard)
    ]
    (precise, other_precise), (heard, other_heard) = means
    return Gain(
        float(sign * (precise - other_precise)),
        float(sign * (heard - other_heard)),
        float(sign * np.median(late)) if late else None,
    )


def _absolute(streams: Sequence[Streams | None]) -> tuple[float | None, float | None, float | None]:
    """Precision, share heard and median delay of a model's own sounds, over its folds."""
    known = [one for one in streams if one is not None]
    if not known:
        return None, None, None
    late = [delay for one in known for delay in one.delays_s if delay is not None]
    return (
        float(np.mean([_precision(one) for one in known])),
        float(np.mean([_heard(one) for one in known])),
        float(np.median(late)) if late else None,
    )


def _precision(streams: Streams) -> float:
    return float(np.mean([value for value in streams.precision.values() if value is not None]))


def _heard(streams: Streams) -> float:
    return float(np.mean([delay is not None for delay in streams.delays_s]))


def _base(group: Group, records: Sequence[AblationRecord]) -> str:
    mine = _of(group.base, records)
    if not mine:
        return f"The base is `{group.base}`; it was not run."
    entry = Entry("honest", group.base, tuple(record.job for record in mine.values()))
    precision, heard, delay_s = _absolute([record.streams for record in mine.values()])
    return (
        f"The base is `{group.base}`: accuracy {entry.figures.accuracy:.3f}, macro F1 "
        f"{entry.figures.macro_f1:.3f} on {entry.figures.clips} clips of {entry.figures.recordings} "
        f"recordings (folds {', '.join(map(str, entry.folds))}); precision {_share(precision)}, "
        f"heard {_share(heard)}, median delay {_seconds(delay_s) or '–'} s; "
        f"{entry.cost.parameters} parameters, "
        f"{entry.cost.multiply_adds * _HOPS_A_SECOND / 1e6:.1f} million multiply-adds a second."
    )


def _check(group: Group, records: Sequence[AblationRecord]) -> None:
    for factor in group.factors:
        base, other = _of(group.base, records), _of(group.model(factor), records)
        for fold in set(base) & set(other):
            one, two = (_flat(of[fold].job.making.settings) for of in (base, other))
            if strange := {key for key in one | two if one.get(key) != two.get(key)} - set(factor.changes):
                raise DataError(
                    f"{other[fold].job.job}: {', '.join(sorted(strange))} is not as in {group.base}; "
                    f"the recipe has changed between them: run sound-training default-ablation again"
                )


def _flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{before}{key}.") if isinstance(value, Mapping) else {before + key: value}
    return flat


def _points(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:+.1f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"
