"""The page on sounds and on the free package, made from a record alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.model.card import ProfileName
from monitor.tuning.poisson import interval
from training.base.provenance import machine, versions
from training.base.report import Cell, Report, Table, write
from training.recipes.sounds.figures import ClipRecall, SoundFigures, SoundsReport
from training.recipes.sounds.groups import CLASSES, SOUNDS
from training.records.envelope import Envelope, Key, Origin, plain

PROFILES: tuple[ProfileName, ...] = ("quiet", "sensitive")
_RECORD, _KIND, _SCHEMA = "record.json", "sounds", 1
_COLUMNS = (
    "recall quiet", "recall sensitive", "clips", "others quiet", "others sensitive", "alarms quiet",
    "alarms sensitive", "enter quiet", "enter sensitive",
)  # fmt: skip


@dataclass(frozen=True)
class SoundsRecord:
    """All measurements of one run of ``sound-training free``.

    Parameters
    ----------
    sounds
        Thresholds from all backgrounds; alarms by source, recall on ESC-50.
    free_sounds, free_classes, free_classes_esc
        Thresholds from free recordings only, alarms in the others; recall on ESC-50, UrbanSound8K, and
        again ESC-50.
    fit_hours
        Duration of the free recordings.
    parity
        Largest logit difference between the package and Keras.
    """

    command: str
    created: str
    package: str
    version: str
    bytes: int
    parity: float
    fit_hours: float
    sounds: SoundsReport
    free_sounds: SoundsReport
    free_classes: SoundsReport
    free_classes_esc: SoundsReport


def write_record(record: SoundsRecord, folder: Path) -> Path:
    """Write ``record.json`` and the page made from it; return the page."""
    content = plain(record)
    command = content.pop("command")
    key = Key(_SCHEMA, {"package": record.package, "version": record.version})
    envelope = Envelope(_KIND, key, Origin(machine(), versions(), command, None), content)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _RECORD).write_text(envelope.to_json(), encoding="utf-8")
    write(compose(read_record(folder)), folder)
    return folder / "README.md"


def read_record(folder: Path) -> SoundsRecord:
    """Read the record of a folder."""
    envelope = Envelope.of(json.loads((folder / _RECORD).read_text(encoding="utf-8")))
    values: dict[str, Any] = {**envelope.content, "command": envelope.origin.command}
    for name in ("sounds", "free_sounds", "free_classes", "free_classes_esc"):
        values[name] = _report(values[name])
    return SoundsRecord(**values)


def compose(record: SoundsRecord) -> Report:
    """Return the page and its tables."""
    tables = {
        "sounds.csv": table(record.sounds, "sound"),
        "free-sounds.csv": table(record.free_sounds, "sound"),
        "free-classes.csv": table(record.free_classes, "class"),
        "free-classes-esc.csv": table(record.free_classes_esc, "class"),
    }
    return Report(page(record), {}, tables)


def table(report: SoundsReport, what: str) -> Table:
    """Return a row for each sound: recall, clips of others that trigger it, false alarms, thresholds."""
    by_key = {(one.sound, one.profile): one for one in report.figures}
    names = list(dict.fromkeys(one.sound for one in report.figures))
    return Table((what, *_COLUMNS), tuple(_row([by_key[name, p] for p in PROFILES]) for name in names))


def _row(pair: Sequence[SoundFigures]) -> tuple[Cell, ...]:
    recalls = [_share(one.recall.raised, one.recall.clips) for one in pair]
    others = [_share(one.recall.raised_by_others, one.recall.others) for one in pair]
    clips = pair[0].recall.clips or None
    return (
        pair[0].sound, *recalls, clips, *others, *(one.alarms for one in pair), *(one.enter for one in pair)
    )  # fmt: skip


def _share(raised: int, of: int) -> float | None:
    return raised / of if of else None


def page(record: SoundsRecord) -> str:
    """Return the page in Markdown."""
    return f"""# Sounds beside the classes, and the free package

`{record.command}`

A network trained on AudioSet knows 527 labels. This page says how well {len(SOUNDS)} sounds, each a group of
those labels, are found by mn04 with its published weights (windows of 2 s, every 0.5 s), and how well the
ten classes are, if they too are groups of labels.

A clip counts as found if it raises at least one alert. Clips of other sounds count where they raise one
nevertheless; clips and backgrounds that may well hold the sound are not judged
(`training/recipes/sounds/groups.py` names them). Nothing was fitted on clips of the sounds themselves:
thresholds come from what is raised where the sound is not, moved together until the alarms in sources left
out come nearest to a budget that all sounds of a table share: an alarm an hour with `quiet`, ten with
`sensitive` (`training/recipes/sounds/fit.py`). Who switches three sounds on has a tenth of it.

{_curated(record)}
{_free(record)}
## Labels

{_labels()}
"""


def _curated(record: SoundsRecord) -> str:
    return f"""## Curated sounds

Thresholds from {record.sounds.hours:.1f} hours of background. The alarms of each recording are counted with
thresholds from the other sources, in five groups; recall is on ESC-50, of which no clip had a part. All
sounds together raise

{_rates(record.sounds)}

{table(record.sounds, "sound").markdown()}

Sounds without a number of clips have none in ESC-50: of them only the false alarms are known. AudioSet has
no label for a washing machine.
"""


def _free(record: SoundsRecord) -> str:
    return f"""## The free package

`models/{record.package}.tflite` {record.version}: {record.bytes / 1e6:.1f} MB, weights of 16 bits (logits
differ from Keras by {record.parity:.3f} at most). Its thresholds come from {record.fit_hours * 60:.0f}
minutes of recordings that are CC0, CC BY or in the public domain: backgrounds, which its card credits, and
the continuous sounds of ESC-10 (rain, waves, a fire, clocks, helicopters). So little audio says little, which
is why thresholds of `quiet` are 0.25 and of `sensitive` 0.12 at least. Alarms are counted in
{record.free_classes.hours:.1f} hours of other backgrounds, of which none had a part; some are false only by
their title: a street may hold a dog, a café music.

The ten classes raise

{_rates(record.free_classes)}

Recall on UrbanSound8K's clips, which often hold more than their label:

{table(record.free_classes, "class").markdown()}

Recall on ESC-50's clips, which hold one sound each:

{table(record.free_classes_esc, "class").markdown()}

Its curated sounds raise

{_rates(record.free_sounds)}

Recall on ESC-50:

{table(record.free_sounds, "sound").markdown()}
"""


def _rates(report: SoundsReport) -> str:
    return "\n".join(f"- `{profile}`: {_rate(report, profile)}" for profile in PROFILES)


def _labels() -> str:
    return "\n".join(
        f"- `{name}`: {'; '.join(group.labels)}" for name, group in {**CLASSES, **SOUNDS}.items()
    )


def _rate(report: SoundsReport, profile: ProfileName) -> str:
    count = sum(one.alarms for one in report.figures if one.profile == profile)
    low, high = (limit / report.hours for limit in interval(count))
    return f"{count / report.hours:.1f} false alarms an hour (95 % interval {low:.1f} to {high:.1f})"


def _report(values: Mapping[str, Any]) -> SoundsReport:
    figures = tuple(
        SoundFigures(**{**one, "recall": ClipRecall(**one["recall"])}) for one in values["figures"]
    )
    return SoundsReport(figures, values["hours"])
