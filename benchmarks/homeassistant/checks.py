"""The broker, Home Assistant and the monitor of a campaign, and what was checked on them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from campaign import say
from core import HomeAssistant, wait_until
from daemon import DAY, NODE, Daemon
from mosquitto import Listener, Mosquitto

THING = f"sound_monitor_{NODE}"
SIREN = f"binary_sensor.{THING}_siren"
MICROPHONE = f"binary_sensor.{THING}_microphone"
_ANNOUNCEMENT = f"homeassistant/device/sound-monitor-{NODE}/config"
EVENT = f"event.{THING}_sound"
SETTLE_S = 3.0
"""Seconds after which whatever might wrongly happen has happened."""
_RECONNECT_S = 15.0


class Campaign:
    """What all parts work on; each adds lines to ``checks``."""

    def __init__(self, folder: Path, python: Path) -> None:
        (folder / "broker").mkdir()
        self.broker = Mosquitto(folder / "broker")
        self.home = HomeAssistant(python, folder / "home", noticed=DAY)
        self.broker.start()
        self.listener = Listener(self.broker.port)
        self.daemon = Daemon(folder / "daemon", self.broker.port)
        self.checks: list[dict[str, object]] = []
        self.figures: dict[str, Any] = {}
        self.outages: list[tuple[datetime, datetime]] = []

    def close(self) -> None:
        self.daemon.stop()
        self.home.stop()
        self.listener.close()
        self.broker.stop()

    def check(self, part: str, law: str, holds: bool, detail: object = "") -> None:
        self.checks.append({"part": part, "law": law, "holds": holds, "detail": str(detail)})
        say(f"  {'ok  ' if holds else 'FAIL'} {law} {detail}")

    def becomes(self, part: str, law: str, entity: str, *wanted: str | None) -> None:
        """Check that the entity comes to one of these states, and say after how long."""
        began = time.monotonic()
        try:
            wait_until(lambda: self.home.state(entity) in wanted, law, 30.0)
        except TimeoutError:
            self.check(part, law, False, f"{entity} is {self.home.state(entity)}")
        else:
            self.check(part, law, True, f"{time.monotonic() - began:.1f} s")

    @contextmanager
    def without_broker(self) -> Iterator[None]:
        """Stop the broker for the duration of the context."""
        began = datetime.now()
        self.broker.stop()
        yield
        self.broker.start()
        self.outages.append((began, datetime.now() + timedelta(seconds=_RECONNECT_S)))

    def topic(self, name: str) -> list[Any]:
        """Return the messages so far on a topic of the node."""
        return self.listener.on(f"sound-monitor/{NODE}/{name}")

    def empty_announcements(self) -> int:
        """Return how often the node's announcement was cleared so far, by whomever."""
        return sum(not message.payload for message in self.listener.on(_ANNOUNCEMENT))

    def announced(self) -> dict[str, dict[str, Any]]:
        """Return the announced entities by unique id."""
        components = self.listener.on(_ANNOUNCEMENT)[-1].json["components"].values()
        return {str(one["unique_id"]): one for one in components if len(one) > 1}
