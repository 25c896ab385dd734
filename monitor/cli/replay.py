"""``sound-monitor replay``: recordings through the live path."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click

from monitor.assembly import Assembly, assemble, node_name
from monitor.cli.common import common_options, read_config, stop_on_signals
from monitor.cli.outputs import JsonLines, RecordList, scores_writer
from monitor.clock import parse_utc
from monitor.config.load import Config
from monitor.errors import EXIT_FAILED, EXIT_INPUT, AudioError, UsageError
from monitor.expect import Tolerance, differences, read_expected
from monitor.replay import Listener, Replay, ReplayOptions
from monitor.sources.files import find_audio

_EXAMPLES = """Examples:
sound-monitor replay examples/street.wav --json;
sound-monitor replay recordings/ --scores scores.csv;
sound-monitor replay street.wav --realtime --mqtt --view"""


@dataclass(frozen=True)
class _Outputs:
    json: bool
    scores: Path | None
    expect: Path | None
    time_tolerance: float | None
    score_tolerance: float
    mqtt: bool
    states: bool
    history: Path | None
    view: bool


@click.command(epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, required=True, metavar="FILE|DIR ...", type=click.Path(path_type=Path))
@common_options
@click.option("--json", "json", is_flag=True, help="Print each event record as a line of JSON.")
@click.option(
    "--scores", type=click.Path(path_type=Path), help="Write every window's scores to a .csv or .npz."
)
@click.option(
    "--expect",
    type=click.Path(path_type=Path),
    help="Compare with a list that --json wrote; exit 1 if they differ.",
)
@click.option("--time-tolerance", type=float, metavar="S", help="For --expect: seconds; default one hop.")
@click.option("--score-tolerance", type=float, default=0.02, show_default=True, help="For --expect.")
@click.option("--mqtt", is_flag=True, help="Publish the events as <node>-replay; exit 4 if not acknowledged.")
@click.option("--states", is_flag=True, help="With --mqtt: publish retained states and discovery too.")
@click.option(
    "--history",
    type=click.Path(path_type=Path),
    help="With --mqtt: keep the database here, not in a temporary one.",
)
@click.option("--node", help="Node in the records and topics; default <node>-replay.")
@click.option("--realtime", is_flag=True, help="At the recording's own pace.")
@click.option("--view", is_flag=True, help="Show levels, scores and alerts while it runs.")
@click.option(
    "--deterministic", is_flag=True, help="Time zero and counted ids: two replays give the same bytes."
)
@click.option(
    "--start-time", metavar="ISO", help="When the recording began, UTC; default the file's own time."
)
def replay(
    paths: tuple[Path, ...],
    config_file: Path | None,
    overrides: tuple[str, ...],
    debug: bool,
    node: str | None,
    realtime: bool,
    deterministic: bool,
    start_time: str | None,
    **outputs: object,
) -> int:
    """Send recordings (WAV, FLAC, Ogg; directories with them) through the very path that listens live."""
    loaded = read_config(config_file, overrides, debug)
    wanted = _Outputs(**outputs)  # type: ignore[arg-type]
    expected = read_expected(wanted.expect) if wanted.expect else None
    files = find_audio(paths)
    options = ReplayOptions(
        node=node or f"{node_name(loaded)}-replay",
        start_utc=_start_utc(start_time),
        deterministic=deterministic,
        realtime=realtime,
    )
    assembly = assemble(loaded)
    records = RecordList()
    bad = _run(loaded, assembly, files, options, wanted, records)
    if expected is not None:
        tolerance = Tolerance(
            assembly.hop_s if wanted.time_tolerance is None else wanted.time_tolerance, wanted.score_tolerance
        )
        lines = differences(expected, records.records, tolerance)
        for line in lines:
            click.echo(line, err=True)
        if lines:
            return EXIT_FAILED
        click.echo(f"as expected: {len(expected)} records", err=True)
    return EXIT_INPUT if bad else 0


def _run(
    loaded: Config,
    assembly: Assembly,
    files: list[Path],
    options: ReplayOptions,
    wanted: _Outputs,
    records: RecordList,
) -> int:
    stop = stop_on_signals()
    listeners: list[Listener] = [records] if wanted.expect else []
    with ExitStack() as stack:
        if wanted.json:
            listeners.append(JsonLines())
        if wanted.scores:
            scores = scores_writer(wanted.scores, assembly.model.labels)
            stack.callback(scores.close)
            listeners.append(scores)
        if not (listeners or wanted.view or wanted.mqtt):
            listeners.append(_Talk())
        return Replay(assembly, options, listeners, stop).run(files, _report)


def _report(error: AudioError) -> None:
    click.echo(f"sound-monitor: {error}", err=True)


def _start_utc(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return parse_utc(text)
    except ValueError as error:
        raise UsageError(f"--start-time {text}: write ISO 8601, for example 2026-05-01T22:00:00Z") from error
