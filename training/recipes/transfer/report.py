"""The report of a model build: figures as JSON, and pages made from them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from monitor.model.card import ProfileName, Quality
from monitor.tuning.poisson import interval as poisson_interval
from training.base.atomic import atomic_write
from training.base.provenance import machine, versions
from training.base.report import Report, Table, write
from training.data.corpora import CLASSES
from training.recipes.transfer.beside import cross_corpus, curve, smoothing
from training.recipes.transfer.make import FoldResult, Outcome, Plan
from training.recipes.transfer.may_hold import MAY_HOLD, PICTURE
from training.recipes.transfer.thresholds import BUDGETS, URGENT

Json = dict[str, Any]
_MAY_HOLD = (
    "## Not counted as false alarms\n\nNobody listened to the backgrounds. A class is not counted in a "
    "stretch where it is to be expected and the published mn04 gives its AudioSet labels .5 or more in three "
    "windows or more, or where the spectrogram shows it beyond doubt; wind and wolves that sound like "
    "sirens are counted (`may_hold.py`). Nor is the first 1.28 s of each recording, where the window is "
    "not full yet."
)
_SEEN = f"[The spectrograms of both: steady harmonics with an abrupt start and end]({PICTURE})."
_CURVE = (
    f"## Recall against false alarms\n\n![Recall against false alarms an hour, by class]({curve.PICTURE})\n\n"
    "Printed by `{command}`. A sound counts as reported where one row of scores reaches a level, without "
    "smoothing, attack or cooldown. Columns: false alarms an hour of the class. 0.6.0 trained on these "
    "recordings, so its curve is too good."
)
_SMOOTHING = (
    "## Smoothing\n\nShare of sounds over a threshold that leaves so many alarms of the class on all "
    "backgrounds (2.7 hours), the mean over classes, by the number of windows whose scores are averaged. By "
    "the same command."
)


def fold_record(result: FoldResult) -> Json:
    """Return a fold's figures as JSON-compatible numbers."""
    figures = result.figures
    return {
        "fold": figures.fold,
        "seed": figures.seed,
        "confusion": figures.clips.confusion.tolist(),
        "background_s": round(sum(bed.seconds for bed in figures.beds), 1),
        "others": figures.others,
        "profiles": {profile: _profile_record(result, profile) for profile in BUDGETS},
    }


def _profile_record(result: FoldResult, profile: ProfileName) -> Json:
    figures = result.figures
    return {
        "classes": {
            row.label: {
                "scenes": row.scenes,
                "heard": row.heard,
                "wrong": row.wrong,
                "false_alarms": row.false_alarms,
                "delays_s": [round(delay, 2) for delay in row.delays_s],
            }
            for row in figures.alerts[profile]
        },
        "soundscapes": {
            row.label: {
                "sounds": row.sounds,
                "heard": row.heard,
                "onset_f1": round(row.onset_f1, 4),
                "segment_f1": round(row.segment_f1, 4),
            }
            for row in result.soundscapes[profile]
        },
        "sirens_5_db": list(result.sirens[profile]),
        "on_speech": figures.on_speech[profile],
        "on_others": figures.on_others[profile],
    }


def summary(records: Sequence[Json]) -> dict[str, float]:
    """Return the pooled figures of folds and seeds, by name; alarms on speech are of one seed."""
    seeds = len({record["seed"] for record in records})
    confusion = np.sum([record["confusion"] for record in records], axis=0)
    hours = sum(record["background_s"] for record in records) / 3600
    values = {"clip accuracy": float(confusion.trace() / confusion.sum())}
    for profile in BUDGETS:
        parts = [record["profiles"][profile] for record in records]
        rows = [row for part in parts for row in part["classes"].items()]
        alarms = [row["false_alarms"] for _, row in rows]
        urgent = [row["false_alarms"] for label, row in rows if label in URGENT]
        scenes = [row for part in parts for row in part["soundscapes"].values()]
        values |= {
            f"single sounds reported, {profile}": sum(row["heard"] for _, row in rows)
            / sum(row["scenes"] for _, row in rows),
            f"false alarms an hour, {profile}": sum(alarms) / hours,
            f"urgent false alarms an hour, {profile}": sum(urgent) / hours,
            f"false alarms on speech, {profile}": sum(part["on_speech"] for part in parts) / seeds,
            f"other sounds raising an alarm, {profile}": sum(part["on_others"] for part in parts)
            / max(1, sum(record["others"] for record in records)),
            f"soundscapes onset F1, {profile}": float(np.mean([row["onset_f1"] for row in scenes])),
            f"soundscapes segment F1, {profile}": float(np.mean([row["segment_f1"] for row in scenes])),
            f"sirens at 5 dB reported, {profile}": sum(part["sirens_5_db"][0] for part in parts)
            / max(1, sum(part["sirens_5_db"][1] for part in parts)),
        }
    return values


def quality(records: Sequence[Json], plan: Plan) -> tuple[Quality, ...]:
    """Return the pooled figures in the card's format."""
    seeds = ", ".join(map(str, plan.seeds))
    return tuple(
        Quality(
            measure=measure,
            value=round(value, 4),
            data="UrbanSound8K and backgrounds; each fold by a network trained on the others, thresholds "
            f"from them; seeds {seeds}",
            fold=", ".join(map(str, plan.folds)),
            seed=plan.seeds[0],
            command=plan.command,
            recipe_cv=True,
        )
        for measure, value in summary(records).items()
    )


def with_quality(outcome: Outcome, plan: Plan) -> Outcome:
    """Return the outcome with its figures on the card."""
    figures = quality([fold_record(result) for result in outcome.results], plan)
    return replace(outcome, card=outcome.card.model_copy(update={"quality": figures}))


def write_records(outcome: Outcome, plan: Plan, folder: Path) -> None:
    """Write the figures of one build, and the page, into ``folder``."""
    making = {
        "command": plan.command,
        "version": plan.version,
        "machine": machine(),
        "versions": versions(),
        "mixtures": asdict(plan.mixtures),
        "tuning": asdict(plan.tuning),
        "tflite_against_keras": outcome.parity,
        "support": {label: one.model_dump() for label, one in outcome.rules.supports.items()},
        "settings": {
            label: {name: one.model_dump() for name, one in card.profiles.items()}
            for label, card in outcome.rules.decided.classes.items()
        },
        "folds": [fold_record(result) for result in outcome.results],
    }
    with atomic_write(folder / "figures.json") as partial:
        partial.write_text(json.dumps(making, indent=1) + "\n", encoding="utf-8")
    write(compose(folder), folder)


def compose(folder: Path) -> Report:
    """Return the pages made from the figures in ``folder``."""
    making = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    records, curves = making["folds"], curve.read_curve(folder)
    parts = [
        "# The default model in figures",
        f"Version {making['version']}. Printed by `{making['command']}`. Each fold is scored by networks "
        "that trained on the other folds, with thresholds from them.",
        "## All folds and seeds",
        "Pooled over folds and seeds; beside it the lowest and the highest figure of a seed.",
        _pooled(records).markdown(),
        "## Clips",
        _clips(records, (curves or {}).get("linear", {})).markdown(),
        "## Classes",
        "Single sounds 15 dB over background that were reported; false alarms on background; median delay of "
        "the decision after the onset.",
        *(f"### `{profile}`\n\n{_classes(making, profile).markdown()}" for profile in BUDGETS),
    ]
    parts += [_MAY_HOLD, _may_hold().markdown()]
    if (folder / PICTURE).is_file():
        parts.append(_SEEN)
    pages, across = {}, folder / cross_corpus.RECORD
    if across.is_file():
        record = json.loads(across.read_text(encoding="utf-8"))
        pages[cross_corpus.PAGE] = cross_corpus.page(record)
        link = f"[Networks on a corpus that they did not train on]({cross_corpus.PAGE})"
        parts.append(f"## Other corpora\n\n{link}.")
    pictures = {}
    if curves is not None:
        pictures[curve.PICTURE] = curve.picture(curves)
        parts += [_CURVE.format(command=curves["command"]), curve.table(curves).markdown()]
        if "smoothing" in curves:
            parts += [_SMOOTHING, smoothing.table(curves["smoothing"]).markdown()]
    return Report("\n\n".join(parts) + "\n", pictures, {}, pages)


def _pooled(records: Sequence[Json]) -> Table:
    seeds = sorted({record["seed"] for record in records})
    each = [summary([record for record in records if record["seed"] == seed]) for seed in seeds]
    rows = []
    for figure, value in summary(records).items():
        found = [one[figure] for one in each]
        rows.append((figure, value, f"{min(found):.3f} to {max(found):.3f}"))
    return Table(("figure", "value", f"{len(seeds)} seeds"), tuple(rows))


def _may_hold() -> Table:
    rows = tuple(
        (
            one.recording, one.label, f"{one.from_s:g}–{one.to_s:g} s", one.windows, one.highest,
            one.what + (", seen below" if one.seen else ""),
        )
        for one in MAY_HOLD
    )  # fmt: skip
    return Table(("background", "class", "stretch", "windows ≥ .5", "highest", "what it may be"), rows)


def _clips(records: Sequence[Json], linear: Mapping[str, float]) -> Table:
    rows: list[tuple[Any, ...]] = []
    for record in records:
        confusion = np.array(record["confusion"])
        rows.append(
            (
                record["fold"], record["seed"], int(confusion.sum()),
                float(confusion.trace() / confusion.sum()), linear.get(str(record["fold"])),
            )
        )  # fmt: skip
    columns = ("fold", "seed", "clips", "accuracy", "logistic regression on mn04's embedding")
    return Table(columns, tuple(rows))


def _classes(making: Json, profile: ProfileName) -> Table:
    records = making["folds"]
    hours = sum(record["background_s"] for record in records) / 3600
    rows = []
    for label in CLASSES:
        found = [record["profiles"][profile]["classes"][label] for record in records]
        scapes = [record["profiles"][profile]["soundscapes"].get(label) for record in records]
        delays = [delay for one in found for delay in one["delays_s"]]
        alarms = sum(one["false_alarms"] for one in found)
        low, high = poisson_interval(alarms)
        rows.append((
            label,
            making["settings"][label][profile]["enter"],
            sum(one["heard"] for one in found) / max(1, sum(one["scenes"] for one in found)),
            f"{alarms / hours:.2f} ({low / hours:.2f} to {high / hours:.2f})",
            float(np.median(delays)) if delays else None,
            float(np.mean([one["onset_f1"] for one in scapes if one])),
            float(np.mean([one["segment_f1"] for one in scapes if one])),
        ))  # fmt: skip
    columns = ("class", "threshold", "reported", "false alarms an hour", "delay, s", "onset F1", "segment F1")
    return Table(columns, tuple(rows))
