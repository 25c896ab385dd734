"""``sound-monitor run``: listen live, keep and publish events."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import click

from monitor.cli.common import common_options, read_config, stop_on_signals
from monitor.errors import UsageError
from monitor.stream.assembly import node_name

_EXAMPLES = """Examples:
sound-monitor run;
sound-monitor run --set audio.device=USB --set mqtt.host=broker.lan;
sound-monitor run --source rtsp://camera.lan/stream --view;
arecord -t raw -f S16_LE -r 16000 | sound-monitor run --source - --json"""


@click.command(epilog=_EXAMPLES)
@common_options
@click.option("--source", help="microphone, - (raw PCM on stdin) or a URL; short for --set audio.source=…")
@click.option("--json", "as_json", is_flag=True, help="Print each event record as a line of JSON.")
@click.option("--view", is_flag=True, help="Show levels, scores and alerts.")
def run(
    config_file: Path | None,
    overrides: tuple[str, ...],
    debug: bool,
    source: str | None,
    as_json: bool,
    view: bool,
) -> None:
    """Listen to the microphone (or another live source), keep events and publish them over MQTT.

    With `sources` in the config it listens to all of them, each with its own node, history and page.
    Runs until Ctrl-C or SIGTERM, even if the microphone, the broker or the disk fails meanwhile.
    """
    from monitor.cli.quiet import keep_native_noise_out
    from monitor.cli.show.outputs import JsonLines
    from monitor.daemon import assemble_nodes
    from monitor.daemon import run as run_daemon
    from monitor.listeners import Listener

    keep_native_noise_out()
    shorthand = () if source is None else (f"audio.source={json.dumps(source)}",)
    config = read_config(config_file, (*overrides, *shorthand), debug)
    nodes = assemble_nodes(config)
    stop = stop_on_signals()
    listeners: list[Listener] = [JsonLines()] if as_json else []
    status_sinks: list[Callable[[str], None]] = []
    with ExitStack() as stack:
        if view and len(nodes) > 1:
            raise UsageError("--view shows one source, and the config has several; open their pages instead")
        if view:
            from monitor.cli.show.view import ViewFacts, open_view
            from monitor.service.page import address
            from monitor.service.publishing import subscribe_command, topics

            [(config, assembly)] = nodes
            node = node_name(config)
            names = topics(config, node, assembly.event_labels)
            subscribe = subscribe_command(config, names) if config.settings.mqtt.enabled else None
            page = address(config.settings.web) if config.settings.web.enabled else None
            shown = stack.enter_context(open_view(ViewFacts.of(assembly, node, subscribe, page)))
            listeners.append(shown)
            status_sinks.append(shown.on_status)
        run_daemon(nodes, stop, listeners, status_sinks)
