"""``sound-monitor events``: show the history as a table or as JSON."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from itertools import chain, islice
from pathlib import Path

import click

from monitor.cli.common import common_options, node_option, read_config
from monitor.cli.show.text import date_text
from monitor.config.nodes import one_node
from monitor.delivery.store.stored import StoredEvent
from monitor.errors import UsageError
from monitor.history.listing import Event, EventList

_EXAMPLES = """\b
Examples:
  sound-monitor events
  sound-monitor events --label siren --label car_horn --since 2h
  sound-monitor events --since 2026-05-01 --until 2026-05-02T06:00 --limit 0
  sound-monitor events --json | jq 'select(.delivered_at == null)'
"""

_LINES = 200
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


class _ListByDefault(click.Group):
    """Runs ``list`` unless the first argument is the name of a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in self.commands:
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ListByDefault)
def events() -> None:
    """Show the history of events."""


@events.command("list", epilog=_EXAMPLES)
@click.option("--label", "labels", multiple=True, help="Only this label; may be repeated.")
@click.option(
    "--since", metavar="TIME", help="Events that started at or after this time: 30m, 2h, 7d ago, or ISO 8601."
)
@click.option("--until", metavar="TIME", help="Began before.")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="Maximum number of events, the newest; 0 = all.",
)
@click.option(
    "--history", type=click.Path(path_type=Path), help="Read this database instead of history.path."
)
@click.option("--json", "as_json", is_flag=True, help="Print each record as a line of JSON.")
@node_option
@common_options
def list_(
    labels: tuple[str, ...],
    since: str | None,
    until: str | None,
    limit: int,
    history: Path | None,
    as_json: bool,
    node: str | None,
    config_file: Path | None,
    overrides: tuple[str, ...],
    debug: bool,
) -> None:
    """List the events of the history, the newest last, and whether the broker received them.

    Times without a time zone are local.
    """
    config = read_config(config_file, overrides, debug)
    found = EventList(
        history or one_node(config, node).settings.history_path,
        since=moment_of("--since", since),
        until=moment_of("--until", until),
        labels=labels,
    )
    with closing(found):
        shown = found.newest(limit) if limit else found.all()
        if as_json:
            _print(_to_json(stored) for stored in chain.from_iterable(shown))
        elif not _print(_table(shown, found.label_width())):
            click.echo("no events", err=True)


def moment_of(option: str, text: str | None) -> float | None:
    """Return the UTC seconds since 1970 of a time given by the user."""
    if text is None:
        return None
    ago = re.fullmatch(r"(\d+(?:\.\d+)?) *([smhdw])", text)
    if ago:
        return time.time() - float(ago[1]) * _UNITS[ago[2]]
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone().timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(f"{option} {text}: write 30m, 2h, 7d, or a time such as 2026-05-01T22:00") from error


def _to_json(stored: StoredEvent) -> str:
    """Return the event record with the state of its delivery."""
    values = asdict(stored.record) | {
        "delayed": stored.delayed,
        "recorded_at": stored.recorded_at,
        "delivered_at": stored.delivered_at,
    }
    return json.dumps(values, sort_keys=True, ensure_ascii=False)


def _table(found: Iterable[Event], width: int) -> Iterator[str]:
    """Return the lines of the table; none without events."""
    width = max(width, len("label"))
    for number, event in enumerate(found):
        if number == 0:
            yield f"{'time':19}  {'label':{width}}  seconds  score    dBFS  over background  broker"
        record = event[-1].record
        lasted = "on" if record.duration_s is None else f"{record.duration_s:.1f}"
        figures = f"{record.score:5.2f}  {record.level_dbfs:6.1f}  {record.over_background_db:+12.1f} dB"
        line = f"{date_text(record.start)}  {record.label:{width}}  {lasted:>7}  {figures}"
        yield f"{line}  {_delivery(event):9}  {record.file or ''}".rstrip()


def _print(lines: Iterator[str]) -> int:
    """Print lines, many at a time, since each print is flushed; return their number."""
    printed = 0
    while batch := list(islice(lines, _LINES)):
        click.echo("\n".join(batch))
        printed += len(batch)
    return printed


def _delivery(event: Event) -> str:
    if any(stored.delivered_at is None for stored in event):
        return "pending"
    return "delayed" if any(stored.delayed for stored in event) else "delivered"
