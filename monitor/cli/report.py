"""``sound-monitor report``: summarise the history by time, duration, level and count."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.common import common_options, node_option, read_config
from monitor.cli.events import moment_of
from monitor.cli.show.text import count_text
from monitor.config.nodes import one_node
from monitor.errors import UsageError

if TYPE_CHECKING:
    from monitor.history.report import Report
    from monitor.history.report_page import Heading
    from monitor.records import EventRecord

_EXAMPLES = """\b
Examples:
  sound-monitor report --label dog_bark --from 7d
  sound-monitor report --label dog_bark --from 2026-05-01 --to 2026-05-08 -o barking.html
  sound-monitor report --from 24h -o yesterday.csv
"""


@click.command(epilog=_EXAMPLES)
@click.option("--label", "labels", multiple=True, help="Only this label; may be given several times.")
@click.option("--from", "since", metavar="TIME", default="7d", show_default=True, help="Began then or later.")
@click.option("--to", "until", metavar="TIME", help="Began before: 30m, 2h, 7d ago, or ISO 8601.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write a .html, .csv or .svg file.")
@click.option("--history", type=click.Path(path_type=Path), help="Read this database.")
@node_option
@common_options
def report(
    labels: tuple[str, ...],
    since: str,
    until: str | None,
    output: Path | None,
    history: Path | None,
    node: str | None,
    config_file: Path | None,
    overrides: tuple[str, ...],
    debug: bool,
) -> None:
    """Add up the events of the history by day and hour; without -o print the days.

    Events count that began in the time asked for, with their whole length. Times without a time zone
    are local.
    """
    from monitor.config.notices import local_time
    from monitor.history.report import make_report, occurrences
    from monitor.history.report_page import Heading, clock

    config = read_config(config_file, overrides, debug)
    span = (moment_of("--from", since), moment_of("--to", until))
    records = _records(history or one_node(config, node).settings.history_path, labels, span)
    made = make_report(occurrences(records), local_time)
    if output is None:
        for day in made.days:
            click.echo(f"{day.day}  {day.events:5} events  {clock(sum(day.seconds))}")
        click.echo(f"{'all':10}  {len(made.occurrences):5} events  {clock(made.seconds)}")
        return
    heading = Heading(
        node=", ".join(sorted({record.node for record in records})) or "unknown",
        labels=labels,
        span=_span(*span),
        models=tuple(sorted({f"{record.model} {record.model_version}" for record in records})),
    )
    _write(output, made, heading)
    click.echo(f"{output}: {count_text(len(made.occurrences), 'event')}", err=True)


def _records(
    path: Path, labels: tuple[str, ...], span: tuple[float | None, float | None]
) -> list[EventRecord]:
    from monitor.delivery.store.outbox import Outbox

    with closing(Outbox(path, readonly=True)) as outbox:
        return [
            stored.record
            for label in labels or (None,)
            for stored in outbox.query(since=span[0], until=span[1], label=label, limit=-1)
        ]


def _write(output: Path, made: Report, heading: Heading) -> None:
    from monitor.config.notices import local_time
    from monitor.history.report_page import to_csv, to_html, to_svg

    if output.suffix == ".html":
        text = to_html(made, heading, local_time)
    elif output.suffix == ".csv":
        text = to_csv(made)
    elif output.suffix == ".svg":
        text = to_svg(made)
    else:
        raise UsageError(f"--output {output}: the name must end in .html, .csv or .svg")
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--output {output}: cannot write ({error.strerror}); check the path") from error


def _span(first: float | None, beyond: float | None) -> str:
    begin, end = (
        None if utc is None else f"{datetime.fromtimestamp(utc):%Y-%m-%d %H:%M}" for utc in (first, beyond)
    )
    return f"from {begin}" if end is None else f"{begin} to {end}"
