"""The page about the forms of a model: size, cost and errors of each, and which were refused."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from training.base.report import Report, Table, write
from training.export.forms import HERE, LEAST_AGREEMENT, MOST_LOST, THERE, Checked
from training.export.parity import TOLERANCE
from training.export.trained_network import TrainedNetwork

_PAGE = """# Forms of {name} {version}

`{command}`

The same network with its weights as they are, as float16, as int8 with sums in float (dynamic range), and all
in int8. Windows go in and logits come out as float32 in every form.

{table}

- *difference*: the largest of a logit to Keras, over {windows} windows, relative to the largest logit.
  Refused beyond {tolerances}.
- *accuracy*: of {clips} clips, by the largest mean logit; *agreement*: the share taken for the same
  class as by float32. A form is refused that agrees on less than {agreement:.0%} or loses more than
  {lost:.0%}.{heard}
- *a window*: {window_ms:.0f} ms of sound through the network alone, one thread, all forms in turn in one run:
  the least disturbed tenth of 400 turns, and its ratio to float32. {machine}, shared with other jobs:
  compare ratios.
- {runtimes}

{verdicts}
"""
_COLUMNS = (
    "form", "kB", "difference", "accuracy", "agreement", "a window, µs", "ratio",
    f"difference, {THERE}", f"a window, µs, {THERE}", f"ratio, {THERE}", "verdict",
)  # fmt: skip


_HEARD = (
    " This network was trained on all recordings: the accuracy says nothing of those\n"
    "  held out from it, the agreement does."
)


def write_page(network: TrainedNetwork, checked: Sequence[Checked], command: str, folder: Path) -> Path:
    """Write ``README.md``, ``index.html`` and ``forms.csv``; return the page."""
    table = form_table(checked)
    write(Report(page(network, checked, table, command), {}, {"forms.csv": table}), folder)
    return folder / "README.md"


def form_table(checked: Sequence[Checked]) -> Table:
    """A row per form."""
    return Table(_COLUMNS, tuple(_row(one, checked[0]) for one in checked))


def _row(one: Checked, first: Checked) -> tuple[str | float | int | None, ...]:
    def ratio(runtime: str) -> float | None:
        if runtime not in one.window_us or runtime not in first.window_us:
            return None
        return round(one.window_us[runtime] / first.window_us[runtime], 2)

    def part(runtime: str) -> tuple[str | float | None, ...]:
        apart, window_us = one.differences.get(runtime), one.window_us.get(runtime)
        return (
            None if apart is None else f"{apart:.1e}",
            None if window_us is None else round(window_us),
            ratio(runtime),
        )

    here, there = part(HERE), part(THERE)
    return (
        one.form, round(len(one.flatbuffer) / 1000), here[0], one.accuracy, one.agreement, *here[1:],
        *there, "refused" if one.refused else "passed",
    )  # fmt: skip


def page(network: TrainedNetwork, checked: Sequence[Checked], table: Table, command: str) -> str:
    """Return the table with an explanation of its columns."""
    card = network.card
    both = all(THERE in one.window_us or one.refused for one in checked)
    return _PAGE.format(
        name=card.name,
        version=card.version,
        command=command,
        table=table.markdown(),
        windows=checked[0].windows,
        tolerances=", ".join(f"{TOLERANCE[one.form]:g} ({one.form})" for one in checked),
        clips=checked[0].clips,
        agreement=LEAST_AGREEMENT,
        lost=MOST_LOST,
        heard=_HEARD if any(one.recipe_cv for one in card.quality) else "",
        window_ms=1000 * card.window / card.sample_rate,
        machine=f"{os.cpu_count()} cores ({platform.machine()})",
        runtimes=f"Loaded and compared in {HERE}"
        + (f" and, in an interpreter of its own, in {THERE}." if both else f" alone: {THERE} was not tried."),
        verdicts="\n".join(_verdict(one) for one in checked),
    )


def _verdict(one: Checked) -> str:
    if one.refused:
        return f"**{one.form}** is refused: {'; '.join(one.refused)}."
    return f"**{one.form}** passes every check."
