"""The live view: level, bars of the top classes, alerts as they occur, and how to view them elsewhere.

The audio path only stores its newest results here; the view's own thread draws them five times a
second. If the output is not a terminal, alerts are printed as plain lines instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from monitor.cli.show.text import clock_text, describe, moment
from monitor.events.why import reason_text
from monitor.listeners import Listener
from monitor.records import SILENCE_DBFS, EventRecord, HopResult, Level, Near, held_back
from monitor.stream.assembly import Assembly

_REFRESH_PER_S = 5
_WIDEST = 100
_METER_DBFS = -90.0
"""Left end of the level meter; the right end is full scale."""

_FADE = 0.85
"""What a hop leaves of a class's bar in the order of the bars, so that they do not dance."""

_NEAR_S = 2.0
"""How long a reason stays, so that it can be read."""

_STATUS_LINES = 6

_ALERTS = 50
"""Alerts kept; more than any terminal shows."""

_EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True)
class ViewFacts:
    """Information that does not change while the view is open.

    Attributes
    ----------
    title
        Title of the frame.
    labels
        Labels of the scores, in order.
    thresholds
        Thresholds of the labels that make events, 0 … 1.
    subscribe
        Command that shows the same elsewhere; None = nothing is published.
    page
        Address of the web page; None = it is not served.
    """

    title: str
    labels: Sequence[str]
    thresholds: Mapping[str, float]
    subscribe: str | None
    page: str | None = None

    @classmethod
    def of(cls, assembly: Assembly, node: str, subscribe: str | None, page: str | None = None) -> ViewFacts:
        card = assembly.model.card
        thresholds = {label: settings.enter for label, settings in assembly.classes.items()}
        return cls(f"{node} · {card.name} {card.version}", assembly.labels, thresholds, subscribe, page)


class View(Listener):
    """Interface of both kinds of view."""

    def on_status(self, text: str) -> None:
        """Take the state of microphone and broker as one line."""


class ConnectionStatus(Listener):
    """Shows the state of a replay's connection."""

    def __init__(self, status: Callable[[], str], view: View) -> None:
        self._status = status
        self._view = view

    def on_hop(self, file: str, hop: HopResult) -> None:
        self._view.on_status(self._status())


@contextmanager
def open_view(facts: ViewFacts, console: Console | None = None) -> Iterator[View]:
    """Open the live view on a terminal, else :class:`PlainView`; on stderr unless ``console`` is given."""
    console = console or Console(stderr=True, highlight=False)
    if not console.is_terminal or console.is_dumb_terminal:
        yield PlainView(facts, console)
        return
    view = LiveView(facts, console)
    with Live(console=console, get_renderable=view.render, refresh_per_second=_REFRESH_PER_S):
        yield view


class PlainView(View):
    """Prints a line for each alert and each change of status."""

    def __init__(self, facts: ViewFacts, console: Console) -> None:
        self._console = console
        self._status = ""
        self._print(facts.title)
        if facts.subscribe:
            self._print(f"$ {facts.subscribe}")
        if facts.page:
            self._print(f"page {facts.page}")

    def on_record(self, record: EventRecord) -> None:
        near = held_back(record)
        self._print(describe(record) + (f"  ({reason_text(near)})" if near else ""))

    def on_status(self, text: str) -> None:
        if text != self._status:
            self._status = text
            self._print(text)

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)


class LiveView(View):
    """Draws the latest state.

    The listener's methods only store references, so that the audio path never waits.
    """

    def __init__(self, facts: ViewFacts, console: Console) -> None:
        self._facts = facts
        self._console = console
        ascii_only = console.options.ascii_only
        self._blocks, self._dots = (" #", "*-") if ascii_only else (_EIGHTHS, "●○")
        self._file = ""
        self._duration_s: float | None = None
        self._hop: HopResult | None = None
        self._labels = tuple(facts.labels)
        self._held = np.zeros(len(facts.labels), np.float32)
        self._alerts: tuple[EventRecord, ...] = ()
        self._status = "starting"
        self._near: dict[str, tuple[float, Near]] = {}

    def on_file(self, file: str, duration_s: float | None) -> None:
        self._file, self._duration_s, self._hop = Path(file).name, duration_s, None
        self._near = {}

    def on_hop(self, file: str, hop: HopResult) -> None:
        self._file = self._file or file  # a live source does not begin as a recording does
        if hop.labels != self._labels:  # a sound was taught or forgotten
            self._labels, self._held = hop.labels, np.zeros(len(hop.labels), np.float32)
        self._held = np.maximum(hop.scores, _FADE * self._held)
        self._hop = hop
        kept = {k: (at, near) for k, (at, near) in self._near.items() if hop.time_s - at < _NEAR_S}
        self._near = kept | {near.label: (hop.time_s, near) for near in hop.near}

    def on_record(self, record: EventRecord) -> None:
        others = [alert for alert in self._alerts if alert.event_id != record.event_id]
        self._alerts = (*others[-_ALERTS:], record)

    def on_status(self, text: str) -> None:
        self._status = text

    def render(self) -> RenderableType:
        width = min(self._console.width, _WIDEST)
        status = self._status_lines()
        room = max(6, self._console.height - 12 - len(status))
        classes = min(len(self._facts.labels), room * 3 // 5)
        body = Group(
            self._meter(width - 4),
            Text(),
            self._bars(width - 4, classes),
            self._why_not(),
            self._hidden(len(self._facts.labels) - classes),
            self._alert_list(min(8, room - classes)),
        )
        title = Text(f" {self._facts.title} ", "bold")
        panel = Panel(body, title=title, subtitle=self._progress(), box=box.ROUNDED, width=width)
        lines: list[RenderableType] = [panel, *status]
        if self._facts.subscribe:
            # Outside the frame, since a line that wraps inside it cannot be copied.
            lines.append(Text.assemble(("$ ", "dim"), (self._facts.subscribe, "cyan")))
        if self._facts.page:
            lines.append(Text.assemble(("page ", "dim"), (self._facts.page, "cyan")))
        return Group(*lines)

    def _status_lines(self) -> list[Text]:
        """Return the status over as many lines as it needs, up to a limit: its end says what to do."""
        lines = Text(self._status).wrap(self._console, self._console.width)
        if len(lines) > _STATUS_LINES:
            rest = " ".join(line.plain for line in lines[_STATUS_LINES - 1 :])
            return [*lines[: _STATUS_LINES - 1], Text(rest, no_wrap=True, overflow="ellipsis")]
        return list(lines) or [Text()]

    def _hidden(self, count: int) -> RenderableType:
        """Return a line on the classes for which the terminal is too low."""
        plural = "" if count == 1 else "es"
        return Text(
            f"{count} quieter class{plural} hidden; a taller window shows all" if count else "", "dim"
        )

    def _progress(self) -> Text:
        if self._hop is None:
            return Text(self._file)
        now = clock_text(self._hop.time_s)
        total = f" / {clock_text(self._duration_s)}" if self._duration_s else ""
        return Text(f" {self._file} {now}{total} ".replace("  ", " "))

    def _meter(self, width: int) -> RenderableType:
        level = self._hop.level if self._hop else Level(SILENCE_DBFS, SILENCE_DBFS, SILENCE_DBFS, 0)
        style = "red" if level.clipped else "yellow" if level.peak_dbfs > -6.0 else "green"
        bar = self._bar(_on_meter(level.rms_dbfs), _on_meter(level.background_dbfs), width - 36, style)
        figures = f"{level.rms_dbfs:6.1f} dBFS  background {level.background_dbfs:4.0f}"
        return Text.assemble(f"{'level':6}", bar, " ", figures, no_wrap=True)

    def _bars(self, width: int, count: int) -> RenderableType:
        scores = np.zeros(len(self._labels)) if self._hop is None else self._hop.scores
        held = self._held
        order = sorted(range(len(scores)), key=lambda i: (-round(float(held[i]), 1), i))
        on = {alert.label for alert in self._alerts if alert.type == "start"}
        lines = [self._class_line(i, float(scores[i]), on, width) for i in order[:count]]
        return Text("\n").join(lines)

    def _why_not(self) -> RenderableType:
        """Return one line: why open events led to no notice, and why classes near were not reported."""
        on = {alert.label for alert in self._alerts if alert.type == "start"}
        quiet = [one for alert in self._alerts if (one := held_back(alert)) is not None]
        near = [one for label, (_, one) in self._near.items() if label not in on]
        said = [f"{one.label} {reason_text(one)}" for one in (*quiet, *near)]
        text = f"why not: {'; '.join(said)}" if said else ""
        return Text(text, "dim", no_wrap=True, overflow="ellipsis")

    def _class_line(self, index: int, score: float, on: set[str], width: int) -> Text:
        label = self._labels[index]
        threshold = self._facts.thresholds.get(label)
        sounds = label in on
        style = "dim" if threshold is None else "bold red" if sounds else "blue"
        name = f"{label[:18]:19}"
        mark = f"{self._dots[self._quiet(label)]} on" if sounds else ""
        return Text.assemble(
            (name, style if sounds or threshold is None else ""),
            self._bar(score, threshold, width - 31, style),
            f" {score:.2f}  ",
            (mark, style),
            no_wrap=True,
        )

    def _quiet(self, label: str) -> bool:
        """Return whether the open events of a class led to no notice."""
        return all(
            held_back(alert) for alert in self._alerts if (alert.type, alert.label) == ("start", label)
        )

    def _alert_list(self, count: int) -> RenderableType:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=False)
        for name in ("alert", "", "score", "level", "over background", ""):
            table.add_column(name, no_wrap=True, justify="right" if name not in ("alert", "") else "left")
        shown = self._alerts[-count:]
        for alert in shown:
            lasted = "on" if alert.duration_s is None else f"{alert.duration_s:.1f} s"
            table.add_row(
                moment(alert, alert.start_s, alert.start),
                alert.label,
                f"{alert.score:.2f}",
                f"{alert.level_dbfs:.0f} dBFS",
                f"{alert.over_background_db:+.0f} dB",
                lasted,
                style="bold red" if alert.duration_s is None else "",
            )
        for _ in range(count - len(shown)):
            table.add_row("")
        return table

    def _bar(self, part: float, mark: float | None, width: int, style: str) -> Text:
        """Return a bar that fills ``part`` of the width, with a thin line across it at ``mark``."""
        width = max(1, width)
        steps = len(self._blocks) - 1
        filled, rest = divmod(round(part * width * steps), steps)
        cells = self._blocks[-1] * filled + (self._blocks[rest] if filled < width else "")
        bar = Text(f"{cells:{width}}", style)
        if mark is not None:
            at = min(width - 1, int(mark * width))
            line = "|" if self._blocks[-1] == "#" else "│"
            bar = bar[:at] + Text(line, "white") + bar[at + 1 :]
        return bar


def _on_meter(dbfs: float) -> float:
    return min(1.0, max(0.0, 1.0 - dbfs / _METER_DBFS))
