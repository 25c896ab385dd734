"""The page on the forms of the packages, made from records alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.base.provenance import machine, versions
from training.base.report import Cell, Report, Table, write
from training.export.forms import HERE, THERE
from training.export.parity import TOLERANCE
from training.recipes.forms.figures import (
    DRAWS,
    MOST_LOST,
    MOST_SLOWER,
    PARITY_OUTPUTS,
    Figure,
    FormFigures,
    shipped,
)
from training.recipes.forms.make import WINDOWS
from training.records.envelope import Envelope, Key, Origin, plain

PACKAGES = ("urban-sounds", "urban-sounds-free")
_KIND, _SCHEMA = "forms", 1

_PAGE = """# Forms of the packages

The same networks with weights as they are (`float32`), in 16 bits (`float16`), in 8 bits with sums in
float (`dynamic`), and with weights and sums in 8 bits (`int8`, calibrated on {windows} windows of training
recordings). Windows go in and logits come out as float32 in every form.

{ships}

**The rule.** The smallest form ships that loses nothing measurable against float32:

- it converts, and runs in ai-edge-litert and in tflite-runtime 2.14;
- no logit of the classes or of AudioSet's labels differs from Keras by more than {tolerances}
  of the largest, over {windows} windows of recordings held out from the network and from the calibration;
- no figure is worse with a 95 % interval that excludes zero ({draws} paired draws of recordings), and no F1,
  which has no interval, by more than {lost};
- an inference takes at most {slower} times float32's time in each of the two.

{sections}
"""

_DATA = {
    "urban-sounds": "The recipe's network that did not train on fold {fold}, on that fold, with support and "
    "thresholds of the others ({others}); seed 0.",
    "urban-sounds-free": "The published network with the thresholds of the package, on every third "
    "recording of UrbanSound8K's clips and of the backgrounds that had no part in them. A clip's class is "
    "that of the highest mean logit.",
}
_COLUMNS = (
    "*parity*: the largest difference of a logit to Keras, relative to the largest. *ratio*: of the time of "
    "an inference in one thread to float32's, all forms in turn; the machine is shared, so compare ratios. "
    "*change of a score*: mean and largest difference of a class's score to float32, over every row of the "
    "soundscapes, clips and backgrounds that are scored."
)


@dataclass(frozen=True)
class FormsRecord:
    """The measurements of one package.

    Parameters
    ----------
    rounded_input
        See :class:`training.recipes.forms.make.Converted`.
    folds
        The fold that was held out, and those of the thresholds; empty for a network that nobody trained.
    """

    package: str
    command: str
    folds: tuple[int, ...]
    forms: tuple[FormFigures, ...]
    rounded_input: float


def write_record(record: FormsRecord, folder: Path) -> Path:
    """Write the record of a package and the page of all packages; return the page."""
    content = plain(record)
    command = content.pop("command")
    key = Key(_SCHEMA, {"package": record.package, "folds": list(record.folds)})
    envelope = Envelope(_KIND, key, Origin(machine(), versions(), command, None), content)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{record.package}.json").write_text(envelope.to_json(), encoding="utf-8")
    write(compose(folder), folder)
    return folder / "README.md"


def compose(folder: Path) -> Report:
    """Return the page made from the records in ``folder``."""
    records = [read_record(path) for name in PACKAGES if (path := folder / f"{name}.json").is_file()]
    tables = {f"{one.package}.csv": _figures(one.forms) for one in records}
    return Report(page(records), {}, tables)


def read_record(path: Path) -> FormsRecord:
    """Read the record of a package."""
    envelope = Envelope.of(json.loads(path.read_text(encoding="utf-8")))
    content: Mapping[str, Any] = envelope.content
    forms = tuple(
        FormFigures(
            **{
                **one,
                "score_change": tuple(one["score_change"]),
                "figures": {name: Figure(**figure) for name, figure in one["figures"].items()},
            }
        )
        for one in content["forms"]
    )
    return FormsRecord(
        content["package"], envelope.origin.command, tuple(content["folds"]), forms, content["rounded_input"]
    )


def page(records: Sequence[FormsRecord]) -> str:
    """Return the page in Markdown."""
    return _PAGE.format(
        windows=WINDOWS,
        ships=" ".join(f"`{one.package}` ships as **{shipped(one.forms)}**." for one in records),
        tolerances=", ".join(f"{limit:g} ({form})" for form, limit in TOLERANCE.items()),
        draws=DRAWS,
        lost=MOST_LOST,
        slower=MOST_SLOWER,
        sections="\n\n".join(_section(one) for one in records),
    )


def _section(record: FormsRecord) -> str:
    first = record.forms[0]
    verdicts = [_verdict(one, first) for one in record.forms]
    return "\n\n".join(
        [
            f"## {record.package}",
            _data(record) + f" Printed by `{record.command}`.",
            _costs(record.forms).markdown(),
            _COLUMNS,
            _figures(record.forms).markdown(),
            "In brackets: the 95 % interval of the difference to float32.",
            "\n".join(f"- {verdict}" for verdict in verdicts),
            f"Rounding only the network's input, the log-mel, to 8 bits moves a logit by up to "
            f"{record.rounded_input:.2g} of the largest; what int8 moves beyond that is rounded inside the "
            "network.",
        ]
    )


def _data(record: FormsRecord) -> str:
    fold, *others = record.folds or ("",)
    return _DATA[record.package].format(fold=fold, others=", ".join(map(str, others)))


def _verdict(one: FormFigures, first: FormFigures) -> str:
    faults = one.faults(first)
    return f"**{one.form}** " + (
        f"does not ship: {'; '.join(faults)}." if faults else "loses nothing measurable."
    )


def _costs(forms: Sequence[FormFigures]) -> Table:
    rows = []
    for one in forms:
        cells: list[Cell] = [one.form, round(one.size / 1000) or None]
        for runtime in (HERE, THERE):
            parity = one.parity.get(runtime, {})
            worst = [parity[name] for name in PARITY_OUTPUTS if name in parity]
            time_us = one.window_us.get(runtime)
            cells += [
                f"{max(worst):.1e}" if worst else None,
                None if time_us is None else round(time_us),
                one.time_ratio(forms[0], runtime),
            ]
        mean, most = one.score_change
        rows.append((*cells, f"{mean:.1e}, {most:.1e}" if one.figures else None))
    columns = (
        "form", "kB", "parity", "inference, µs", "ratio", "parity, tflite-runtime",
        "inference, µs, tflite-runtime", "ratio, tflite-runtime", "change of a score",
    )  # fmt: skip
    return Table(columns, tuple(rows))


def _figures(forms: Sequence[FormFigures]) -> Table:
    rows = tuple((name, *(_cell(one.figures.get(name)) for one in forms)) for name in forms[0].figures)
    return Table(("figure", *(one.form for one in forms)), rows)


def _cell(figure: Figure | None) -> str | None:
    if figure is None:
        return None
    if figure.low is None or figure.high is None or figure.low == figure.high == 0.0:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.low:+.3f} to {figure.high:+.3f})"
