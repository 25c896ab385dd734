"""``sound-monitor replay``: replay recordings through the live path."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.common import common_options, read_config, stop_on_signals
from monitor.cli.show.outputs import JsonLines, LastWord, RecordList, Talk, WhyLines
from monitor.cli.show.scores import scores_writer
from monitor.cli.show.text import count_text
from monitor.clock import parse_utc
from monitor.config.load import Config
from monitor.errors import EXIT_FAILED, EXIT_INPUT, EXIT_INTERRUPTED, AudioError, UsageError, shortened
from monitor.listeners import Listener
from monitor.records import EventRecord
from monitor.sources.files import find_audio
from monitor.stream.assembly import Assembly, assemble, node_name
from monitor.stream.expect import Tolerance, differences, read_expected
from monitor.stream.replay import Replay, ReplayOptions

if TYPE_CHECKING:
    from monitor.service.clips import Clips
    from monitor.service.delivery import Delivery

_EXAMPLES = """\b
Examples:
  sound-monitor replay examples/street.wav
  sound-monitor replay recordings/ --json --scores scores.csv
  sound-monitor replay street.wav --json --deterministic >street.jsonl
  sound-monitor replay street.wav --expect street.jsonl
  sound-monitor replay street.wav --why
  sound-monitor replay street.wav --realtime --page
  sound-monitor replay street.wav --realtime --mqtt --states --view
"""


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
    why: bool
    page: bool
    clips: Path | None


@click.command(epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, required=True, metavar="FILE|DIR ...", type=click.Path(path_type=Path))
@click.option("--json", "json", is_flag=True, help="Print each event record as a line of JSON.")
@click.option(
    "--scores",
    type=click.Path(path_type=Path),
    help="Write the scores of every window to a .csv or .npz file.",
)
@click.option(
    "--expect",
    type=click.Path(path_type=Path),
    help="Compare with a list written by --json; exit 1 if they differ.",
)
@click.option(
    "--time-tolerance",
    type=click.FloatRange(min=0),
    metavar="S",
    help="For --expect: allowed shift in seconds; default one hop.",
)
@click.option(
    "--score-tolerance", type=click.FloatRange(min=0), default=0.02, show_default=True, help="For --expect."
)
@click.option("--mqtt", is_flag=True, help="Publish the events; exit 4 if they are not acknowledged.")
@click.option(
    "--states", is_flag=True, help="With --mqtt: publish states, status, health, level and discovery too."
)
@click.option(
    "--history",
    type=click.Path(path_type=Path),
    help="Store the events in this database instead of a temporary one.",
)
@click.option(
    "--clips",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep a recording of each event in this folder.",
)
@click.option("--node", help="Node name in records and topics; default <node>-replay.")
@click.option("--realtime", is_flag=True, help="Replay in real time.")
@click.option("--view", is_flag=True, help="Show level, scores and alerts while it runs.")
@click.option(
    "--why",
    is_flag=True,
    help="Print why a class that came near was not reported; with --json to stderr.",
)
@click.option("--page", is_flag=True, help="Serve the page during the replay and afterwards until Ctrl-C.")
@click.option(
    "--deterministic",
    is_flag=True,
    help="Use time zero and counted ids, so that two replays give equal bytes.",
)
@click.option(
    "--start-time", metavar="ISO", help="Start time of each recording, UTC; default the file's own time."
)
@common_options
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
    """Replay recordings (WAV, FLAC, Ogg, or directories of them) through the live path."""
    wanted = _Outputs(**outputs)  # type: ignore[arg-type]
    if wanted.states and not wanted.mqtt:
        raise UsageError("--states needs --mqtt")
    loaded = read_config(config_file, overrides, debug)
    expected = read_expected(wanted.expect) if wanted.expect else None
    files = find_audio(paths)
    options = ReplayOptions(
        node=node or f"{node_name(loaded)}-replay",
        start_utc=_start_utc(start_time),
        deterministic=deterministic,
        realtime=realtime,
    )
    session = _Session(loaded, assemble(loaded), options, wanted, stop_on_signals())
    return session.run(files, expected)


@dataclass(frozen=True)
class _Session:
    """One run of the command."""

    config: Config
    assembly: Assembly
    options: ReplayOptions
    wanted: _Outputs
    stop: threading.Event

    def run(self, files: Sequence[Path], expected: Sequence[EventRecord] | None) -> int:
        """Replay, compare and deliver; return the exit code."""
        records, last_word = RecordList(), LastWord()
        with ExitStack() as way:
            delivery = self._delivery(way)
            with ExitStack() as shown:
                # Delivery comes before everything that only shows results.
                listeners: list[Listener] = [delivery] if delivery else []
                listeners += [last_word] if expected is None else [last_word, records]
                clips = self._clips(shown)
                listeners += self._page(shown, delivery, clips)
                listeners += self._listeners(shown, files, delivery)
                options = replace(
                    self.options,
                    first_seq=delivery.next_seq if delivery else 1,
                    clips=None if clips is None else clips.of_stream,
                )
                bad = Replay(self.assembly, options, listeners, self.stop).run(files, _report)
                if self.wanted.page and not self.stop.is_set():
                    self._stay()
            click.echo(str(last_word), err=True)
            code = EXIT_INPUT if bad else 0
            if self.stop.is_set():
                code = EXIT_INTERRUPTED
            elif expected is not None and not self._compare(expected, records.records):
                code = code or EXIT_FAILED
            if delivery:
                from monitor.cli.replay.deliver import finish

                # From here on Ctrl-C only ends the waiting.
                signal.signal(signal.SIGINT, signal.default_int_handler)
                finish(delivery, self.config.settings.mqtt.timeout_s)
        return code

    def _delivery(self, stack: ExitStack) -> Delivery | None:
        wanted = self.wanted
        if not (wanted.mqtt or wanted.history or wanted.page):
            return None
        from monitor.cli.replay.deliver import replay_delivery

        delivery = stack.enter_context(
            replay_delivery(
                self.config,
                self.assembly,
                node=self.options.node,
                history=wanted.history,
                mqtt=wanted.mqtt,
                states=wanted.states,
            )
        )
        if self.options.deterministic and delivery.next_seq > 1:
            raise UsageError(f"--deterministic: {wanted.history} holds events already; give a new --history")
        return delivery

    def _clips(self, stack: ExitStack) -> Clips | None:
        if self.wanted.clips is None:
            return None
        from monitor.service.clips import open_clips

        return stack.enter_context(open_clips(self.config, self.assembly, self.wanted.clips))

    def _page(self, stack: ExitStack, delivery: Delivery | None, clips: Clips | None) -> Sequence[Listener]:
        if delivery is None or not self.wanted.page:
            return ()
        from monitor.cli.replay.page import replay_page

        page = replay_page(self.config, self.assembly, delivery, self.options.node, clips)
        return stack.enter_context(page)

    def _stay(self) -> None:
        """Keep the page open until Ctrl-C, which is a normal end here."""
        from monitor.cli.replay.page import stay

        stay(self.config, self.stop)
        self.stop.clear()

    def _listeners(
        self, stack: ExitStack, files: Sequence[Path], delivery: Delivery | None
    ) -> list[Listener]:
        """Return the listeners that show and write the results."""
        wanted = self.wanted
        listeners: list[Listener] = []
        if wanted.scores:
            scores = stack.enter_context(closing(scores_writer(wanted.scores, self.assembly.labels)))
            listeners.append(scores)
        if wanted.view:
            listeners += self._view(stack, delivery)
        elif sys.stderr.isatty() and not (wanted.json and sys.stdout.isatty()):
            from monitor.cli.show.progress import ProgressBar

            listeners.append(stack.enter_context(ProgressBar(files)))
        if wanted.why:
            listeners.append(WhyLines(aside=wanted.json))
        if wanted.json:
            listeners.append(JsonLines())
        elif not (wanted.view or wanted.scores or wanted.expect):
            listeners.append(Talk())
        return listeners

    def _view(self, stack: ExitStack, delivery: Delivery | None) -> list[Listener]:
        from monitor.cli.show.view import ConnectionStatus, ViewFacts, open_view

        command = None
        if self.wanted.mqtt:
            from monitor.service.publishing import subscribe_command, topics

            command = subscribe_command(self.config, topics(self.config, self.options.node, ()))
        page = None
        if self.wanted.page:
            from monitor.service.page import address

            page = address(self.config.settings.web)
        facts = ViewFacts.of(self.assembly, self.options.node, command, page)
        view = stack.enter_context(open_view(facts))
        if delivery is None:
            view.on_status("replay, not published")
            return [view]
        from monitor.cli.replay.deliver import connection_status

        return [view, ConnectionStatus(partial(connection_status, self.config, delivery), view)]

    def _compare(self, expected: Sequence[EventRecord], found: Sequence[EventRecord]) -> bool:
        """Print the differences; return whether there are none."""
        wanted = self.wanted
        time_s = self.assembly.hop_s if wanted.time_tolerance is None else wanted.time_tolerance
        lines = differences(expected, found, Tolerance(time_s, wanted.score_tolerance))
        for line in lines or [f"as expected: {count_text(len(expected), 'record')}"]:
            click.echo(line, err=wanted.json)
        return not lines


def _report(error: AudioError) -> None:
    print(f"sound-monitor: {shortened(str(error))}", file=sys.stderr)


def _start_utc(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return parse_utc(text)
    except ValueError as error:
        raise UsageError(f"--start-time {text}: write ISO 8601, for example 2026-05-01T22:00:00Z") from error
