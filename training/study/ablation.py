"""Ablation: the effect of each feature choice and each augmentation, as paired differences.

There are two base models. Feature choices and altered copies from the bank (time shift, pitch,
tempo, rooms) are added one at a time to a network of whole clips with plain log-mel features.
Augmentations that are mixed in batches are removed one at a time from the compact network, which
uses all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.base.report import Cell, Report, Table
from training.base.variants import changed
from training.records.jobs import JobRecord
from training.scoring.intervals import Interval, difference, macro_f1
from training.study.compare.gather import Entry
from training.study.compare.pictures import forest
from training.study.compare.tables import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Factor:
    """A factor and its settings; ``left_out`` if these remove it from the base."""

    name: str
    changes: Mapping[str, Any]
    left_out: bool = False


@dataclass(frozen=True)
class Group:
    """A base model and the factors that are changed, one at a time."""

    name: str
    title: str
    base: str
    factors: tuple[Factor, ...]

    def models(self) -> tuple[str, ...]:
        """Return the base and the model of each factor."""
        return (self.base, *(self.model(factor) for factor in self.factors))

    def model(self, factor: Factor) -> str:
        return changed(self.base, factor.changes)


_PLAIN_BASE = {"features": "log-mel"}


def _on_clips(name: str, **changes: Any) -> Factor:
    return Factor(name, changes)


def _without(name: str, **changes: Any) -> Factor:
    return Factor(name, {f"recipe.{key}": value for key, value in changes.items()}, left_out=True)


GROUPS = {
    "features": Group(
        "features",
        "Features and altered copies, on the CLSTM over whole clips",
        changed("clstm", _PLAIN_BASE),
        (
            _on_clips("noise reduction (spectral gating)", denoise=True),
            _on_clips("silence instead of repetition", fill="pad"),
            _on_clips("no normalisation", standardised=False),
            _on_clips("MFCC with deltas instead of log-mel", features="mfcc"),
            _on_clips("the published study's 165 columns instead of log-mel", features="seed-frames"),
            _on_clips("copies shifted in time", altered="shift"),
            _on_clips("copies of another pitch", altered="pitch"),
            _on_clips("copies of another tempo", altered="tempo"),
            _on_clips("copies in rooms", altered="room"),
            _on_clips("copies with all four", altered="all"),
        ),
    ),
    "augmentation": Group(
        "augmentation",
        "Mixing in batches, on the compact network",
        "compact",
        (
            _without("a second sound (between-class mixing)", second=0.0),
            _without("background at a random level", background=0.0),
            _without("windows over a clip's edges", partial=0.0),
            _without("stretch", stretch=0.0),
            _without("shift of bands (pitch)", bands=0),
            _without("equaliser", equaliser_db=0.0),
            _without("gain", level_db=(0.0, 0.0)),
            _without("SpecAugment", mask=0.0),
            _without("Freq-MixStyle", mixstyle=0.0),
            _without("label smoothing", smoothing=0.0),
        ),
    ),
}


@dataclass(frozen=True)
class Effect:
    """The effect of a factor: with minus without it, as shares, on the clips that both scored."""

    factor: Factor
    model: str
    accuracy: Interval
    f1: Interval


def effects(group: Group, records: Sequence[JobRecord]) -> tuple[Effect, ...]:
    """Return the effect of every factor that has records on folds of the base's."""
    entries = {
        model: Entry("honest", model, of_model)
        for model in group.models()
        if (of_model := tuple(record for record in records if record.job.model == model))
    }
    base = entries.get(group.base)
    found = []
    for factor in group.factors:
        entry = entries.get(group.model(factor))
        if base is None or entry is None or not set(base.folds) & set(entry.folds):
            continue
        first, second = (base, entry) if factor.left_out else (entry, base)
        measured = (difference(first.rows, second.rows), difference(first.rows, second.rows, macro_f1))
        found.append(Effect(factor, entry.model, *measured))
    return tuple(sorted(found, key=lambda effect: -effect.accuracy.value))


def compose(records: Sequence[JobRecord]) -> Report:
    """Return the page of all groups; it lists what was not run."""
    parts = [
        "# Effect of each factor",
        f"Made from {len(records)} records; each names the command that makes it again. Each row is the "
        "accuracy on the test clips with the factor minus that without it. Intervals are 95 %, by resampling "
        "recordings; they do not include the variation between seeds. Runs are short and of one seed: "
        "differences below about four points are no evidence.",
    ]
    pictures: dict[str, Figure] = {}
    tables: dict[str, Table] = {}
    for group in GROUPS.values():
        found = effects(group, records)
        parts += [f"## {group.title}", _base(group, records)]
        if found:
            tables[f"ablation-{group.name}.csv"] = _numbers(found)
            pictures[f"ablation-{group.name}.png"] = forest(
                {effect.factor.name: effect.accuracy for effect in found},
                "accuracy with the factor minus without it",
            )
            parts += [_shown(found).markdown(), f"![Effects](ablation-{group.name}.png)"]
        if absent := [f.name for f in group.factors if f not in [effect.factor for effect in found]]:
            parts.append(f"Not run: {', '.join(absent)}.")
    return Report("\n\n".join(parts) + "\n", pictures, tables)


def _base(group: Group, records: Sequence[JobRecord]) -> str:
    mine = tuple(record for record in records if record.job.model == group.base)
    if not mine:
        return f"The base is `{group.base}`; it was not run."
    base = Entry("honest", group.base, mine)
    folds = ", ".join(map(str, base.folds))
    epochs = max(len(record.epochs) for record in mine)
    return (
        f"The base is `{group.base}`: accuracy {base.figures.accuracy:.3f}, macro F1 "
        f"{base.figures.macro_f1:.3f} on {base.figures.clips} clips of {base.figures.recordings} recordings "
        f"(folds {folds}, {epochs} epochs at most)."
    )


def _shown(found: Sequence[Effect]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            effect.factor.name,
            percent(effect.accuracy),
            percent(effect.f1),
            "yes" if effect.accuracy.excludes_zero else "no",
            "left out" if effect.factor.left_out else "added",
        )
        for effect in found
    ]
    columns = ("factor", "accuracy, points (95 %)", "macro F1, points (95 %)", "excludes zero", "was")
    return Table(columns, tuple(rows))


def _numbers(found: Sequence[Effect]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            effect.factor.name, effect.model, by.value, by.low, by.high, f1.value, f1.low, f1.high, by.clips,
            by.recordings,
        )
        for effect in found
        for by, f1 in [(effect.accuracy, effect.f1)]
    ]  # fmt: skip
    columns = ("factor", "model", "accuracy", "accuracy_low", "accuracy_high", "macro_f1", "macro_f1_low",
               "macro_f1_high", "clips", "recordings")  # fmt: skip
    return Table(columns, tuple(rows))
