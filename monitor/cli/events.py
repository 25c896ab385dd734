"""``sound-monitor events``: show the history as a table or as JSON."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from monitor.cli.common import common_options, read_config
from monitor.cli.text import local_time
from monitor.delivery.outbox import Outbox, StoredEvent
from monitor.errors import UsageError

_EXAMPLES = """\b
Examples:
  sound-monitor events
  sound-monitor events --label siren --label car_horn --since 2h
  sound-monitor events --since 2026-05-01 --until 2026-05-02T06:00 --limit 0
  sound-monitor events --json | jq 'select(.delivered_at == null)'
"""

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
@common_options
def list_(
    labels: tuple[str, ...],
    since: str | None,
    until: str | None,
    limit: int,
    history: Path | None,
    as_json: bool,
    config_file: Path | None,
    overrides: tuple[str, ...],
    debug: bool,
) -> None:
    """List the events of the history, the newest last, and whether the broker received them.

    Times without a time zone are local.
    """
    config = read_config(config_file, overrides, debug)
    span = (moment_of("--since", since), moment_of("--until", until))
    outbox = Outbox(history or config.settings.history_path, readonly=True)
    try:
        found = _newest(outbox, labels or (None,), span, limit)
    finally:
        outbox.close()
    if as_json:
        for event in found:
            for stored in event:
                click.echo(_to_json(stored))
    elif found:
        _print_table(found)
    else:
        click.echo("no events", err=True)


def _newest(
    outbox: Outbox,
    labels: Iterable[str | None],
    span: tuple[float | None, float | None],
    limit: int,
) -> list[list[StoredEvent]]:
    """Return the records of the last ``limit`` events (0 = all), oldest first."""
    rows: list[StoredEvent] = []
    for label in labels:
        # An event has two records; a negative limit means none in SQLite.
        rows += outbox.query(since=span[0], until=span[1], label=label, limit=2 * limit or -1)
    events: dict[str, list[StoredEvent]] = {}
    for row in sorted(rows, key=lambda row: row.record.seq):
        events.setdefault(row.record.event_id, []).append(row)
    return list(events.values())[-limit:]


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


def _print_table(found: Sequence[Sequence[StoredEvent]]) -> None:
    width = max(len(event[-1].record.label) for event in found)
    click.echo(f"{'time':19}  {'label':{width}}  seconds  score    dBFS  over background  broker")
    for event in found:
        record = event[-1].record
        lasted = "on" if record.duration_s is None else f"{record.duration_s:.1f}"
        figures = f"{record.score:5.2f}  {record.level_dbfs:6.1f}  {record.over_background_db:+12.1f} dB"
        line = f"{local_time(record.start):%Y-%m-%d %H:%M:%S}  {record.label:{width}}  {lasted:>7}  {figures}"
        click.echo(f"{line}  {_delivery(event):9}  {record.file or ''}".rstrip())


def _delivery(event: Sequence[StoredEvent]) -> str:
    if any(stored.delivered_at is None for stored in event):
        return "pending"
    return "delayed" if any(stored.delayed for stored in event) else "delivered"
