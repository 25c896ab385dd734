"""Makes the pictures of the README: python docs/make_pictures.py

Replays the example street with its own embedded broker and draws the live view as it is
while an alert is on. Needs the extra ``broker``.
"""

from __future__ import annotations

import io
import re
import threading
from pathlib import Path

from rich.console import Console

from monitor.cli.replay.deliver import connection_status, finish, replay_delivery
from monitor.cli.show.view import LiveView, ViewFacts
from monitor.config.load import load_config
from monitor.listeners import Listener
from monitor.records import EventRecord, HopResult
from monitor.service.publishing import subscribe_command, topics
from monitor.stream.assembly import assemble
from monitor.stream.replay import Replay, ReplayOptions

ROOT = Path(__file__).parent.parent
NODE = "balcony-replay"
ALERTS = 3
"""The picture is taken one hop after this alert began."""


class Camera(Listener):
    """Prints the view once, while the last of :data:`ALERTS` alerts is on, and ends the replay."""

    def __init__(self, view: LiveView, console: Console, stop: threading.Event) -> None:
        self._view = view
        self._console = console
        self._stop = stop
        self._starts = 0

    def on_record(self, record: EventRecord) -> None:
        self._starts += record.type == "start"

    def on_hop(self, file: str, hop: HopResult) -> None:
        if self._starts == ALERTS and not self._stop.is_set():
            self._console.print(self._view.render())
            self._stop.set()


def main() -> None:
    overrides = ("mqtt.broker=embedded", "mqtt.port=18830", "events.profile=sensitive")
    config = load_config(ROOT / "config.yaml", overrides)
    assembly = assemble(config)
    console = Console(record=True, force_terminal=True, width=100, height=26, file=io.StringIO())
    command = subscribe_command(config, topics(config, NODE, ()))
    view = LiveView(ViewFacts.of(assembly, NODE, command), console)
    stop = threading.Event()
    with replay_delivery(config, assembly, node=NODE, history=None, mqtt=True, states=False) as delivery:
        view.on_status(connection_status(config, delivery))
        listeners = [delivery, view, Camera(view, console, stop)]
        replay = Replay(assembly, ReplayOptions(NODE, deterministic=True), listeners, stop)
        replay.run([ROOT / "examples" / "street.wav"], report=_fail)
        finish(delivery, config.settings.mqtt.timeout_s)
    picture = ROOT / "docs" / "images" / "live-view.svg"
    picture.parent.mkdir(exist_ok=True)
    svg = console.export_svg(
        title="sound-monitor replay examples/street.wav --realtime --mqtt --view", unique_id="view"
    )
    # Fonts from elsewhere are not loaded in a picture; the reader's own will do.
    picture.write_text(re.sub(r"@font-face\s*\{[^}]*\}\s*", "", svg), encoding="utf-8")


def _fail(error: Exception) -> None:
    raise error


if __name__ == "__main__":
    main()
