"""Drive the monitor against a real Home Assistant Core; write docs/results/home.

    python benchmarks/homeassistant/run.py --python /path/of/a/venv/bin/python

``--python`` has ``homeassistant`` installed (see README.md). Takes about five minutes in real time.
``--only pages`` writes README.md again from the record.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Behind this folder, whose page.py is another than the one above.
sys.path[1:1] = [str(ROOT / "benchmarks"), str(ROOT), str(ROOT / "tests" / "support")]

import page  # noqa: E402
from campaign import circumstances, say  # noqa: E402
from core import HomeAssistant, wait_until  # noqa: E402
from daemon import NODE, Daemon  # noqa: E402
from mosquitto import Listener, Mosquitto, find  # noqa: E402

from training.base.report import write  # noqa: E402

RESULTS = ROOT / "docs" / "results" / "home"
_THING = f"sound_monitor_{NODE}"
SIREN = f"binary_sensor.{_THING}_siren"
MICROPHONE = f"binary_sensor.{_THING}_microphone"
EVENT = f"event.{_THING}_sound"
_SETTLE_S = 3.0


class Campaign:
    """All parts in order; each adds lines to ``checks``."""

    def __init__(self, folder: Path, python: Path) -> None:
        (folder / "broker").mkdir()
        self.broker = Mosquitto(folder / "broker")
        self.home = HomeAssistant(python, folder / "home")
        self.broker.start()
        self.listener = Listener(self.broker.port)
        self.daemon = Daemon(folder / "daemon", self.broker.port)
        self.checks: list[dict[str, object]] = []
        self.figures: dict[str, object] = {}

    def run(self) -> None:
        self.home.start()
        self.home.set_up(self.broker.port)
        self.figures["version"] = self.home.version()
        self.daemon.start()
        parts = (self.street, self.killed, self.broker_away, self.restarted, self.control, self.removal)
        for part in parts:
            say(part.__name__)
            try:
                part()
            except TimeoutError as error:
                self.check(part.__name__, f"in time: {error}", False)

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

    def street(self) -> None:
        wait_until(lambda: self.home.state(SIREN) == "on", "siren on")
        time.sleep(self.daemon.street_s - 10)
        wait_until(lambda: self.daemon.waiting() == 0, "all delivered")
        time.sleep(_SETTLE_S)
        rows = self.home.rows()
        starts = Counter(label for label, _ in self.daemon.events())
        ons = {label: rows[f"binary_sensor.{_THING}_{label}"].count("on") for label in starts}
        self.check("states", "every start of the history is one `on` of its sensor", ons == starts, ons)
        fired = [state for state in rows[EVENT] if state not in ("unknown", "unavailable")]
        self.check("states", "the event entity fires once a start", len(fired) == starts.total(), len(fired))
        self.figures["events"] = starts.total()
        # The first row of a sensor, `off`, belongs to no event.
        both = sum(
            rows[f"binary_sensor.{_THING}_{label}"].count(state)
            for label in starts
            for state in ("on", "off")
        )
        self.figures["rows_of_sensors"] = both - len(starts)
        self.figures["rows_of_event_entity"] = len(fired)

    def killed(self) -> None:
        self.daemon.kill()
        self.becomes("availability", "kill -9: the sensors are unavailable", SIREN, "unavailable")
        self.daemon.start()
        self.becomes("availability", "started again: the sensors are available", SIREN, "on", "off")

    def broker_away(self) -> None:
        before = self._fired()
        on_time = sum(not late for _, late in self.daemon.events())
        self.broker.stop()
        wait_until(lambda: self.daemon.waiting() >= 4, "events while the broker is away")
        time.sleep(_SETTLE_S)
        self.broker.start()
        self.becomes("availability", "broker restarted: the sensors are available", SIREN, "on", "off")
        wait_until(lambda: self.daemon.waiting() == 0, "late events delivered")
        time.sleep(_SETTLE_S)
        events = self.daemon.events()
        late, prompt = sum(late for _, late in events), sum(not late for _, late in events)
        fired = self._fired()
        self.check("states", "events of the outage arrive late", late > 0, late)
        new = prompt - on_time
        law = "late events do not fire the event entity"
        self.check("states", law, fired - before <= new, f"{fired - before} fired, {new} on time")

    def restarted(self) -> None:
        self.home.stop()
        wanted = {str(one["unique_id"]) for one in self._announced() if len(one) > 1}
        known = set(self.home.registry())
        self.check("entities", "the entities are those announced", known == wanted, len(known))
        self.home.start()
        self.becomes("availability", "Home Assistant restarted: the states are back", SIREN, "on", "off")

    def control(self) -> None:
        switch, number = f"switch.{_THING}_siren", f"number.{_THING}_siren_sensitivity"
        listening, profile = f"switch.{_THING}_listening", f"select.{_THING}_profile"
        part = "control"
        self.home.act("switch.turn_off", listening)
        self.becomes(part, "Listening off takes effect", SIREN, "unavailable")
        self.becomes(part, "Listening off is no problem of the microphone", MICROPHONE, "off")
        self.home.act("switch.turn_on", listening)
        self.becomes(part, "Listening on takes effect", SIREN, "on", "off")
        self.home.act("button.press", f"button.{_THING}_pause_an_hour")
        self.becomes(part, "Pause an hour switches Listening off", listening, "off")
        self.home.act("switch.turn_on", listening)
        self.becomes(part, "Listening on ends the pause", listening, "on")
        self.home.act("switch.turn_off", switch)
        self.home.act("number.set_value", number, value=25)
        self.home.act("select.select_option", profile, option="quiet")
        self.becomes(part, "a class switched off is unavailable", SIREN, "unavailable")
        self.becomes(part, "Sensitivity is echoed", number, "25", "25.0")
        self.becomes(part, "Profile is echoed", profile, "quiet")
        self._refuses()
        self.daemon.stop()
        self.becomes(part, "the stopped monitor's controls are unavailable", number, "unavailable")
        self.daemon.start()
        self.becomes(part, "Sensitivity survives a restart", number, "25", "25.0")
        self.becomes(part, "the class stays off over a restart", switch, "off")
        self.becomes(part, "Profile survives a restart", profile, "quiet")

    def _refuses(self) -> None:
        before = self.listener.on(f"sound-monitor/{NODE}/control")[-1].payload
        refused = self.daemon.log().count("refused")
        nonsense = (("listening", "perhaps"), ("pause", "99d"), ("profile", "x" * 100_000), ("nothing", "ON"))
        for what, payload in nonsense:
            topic = f"sound-monitor/{NODE}/set/{what}"
            command = [find("mosquitto_pub"), "-p", str(self.broker.port), "-q", "1", "-t", topic, "-s"]
            subprocess.run(command, input=payload.encode(), check=True)
        time.sleep(_SETTLE_S)
        lines = self.daemon.log().count("refused") - refused
        after = self.listener.on(f"sound-monitor/{NODE}/control")[-1].payload
        self.check("control", "nonsense has no effect", before == after)
        self.check("control", "nonsense is refused with one line each", lines == len(nonsense), lines)

    def removal(self) -> None:
        self.daemon.stop()
        self.daemon.start("events.enabled=[siren, dog_bark]")
        gone = f"binary_sensor.{_THING}_car_horn"
        self.becomes("removal", "a class left out of the config is removed", gone, None)
        self.daemon.stop()
        self.daemon.forget()
        self.becomes("removal", "`forget` removes the entities", MICROPHONE, None)
        self.home.stop()
        names = self.home.devices()
        self.check("removal", "`forget` removes the device", f"Sound monitor {NODE}" not in names)
        complaints = self.home.complaints()
        law = "no warning or error in Home Assistant's log but of the stopped broker"
        ours = [line for line in complaints if "connect" not in line.lower()]
        self.check(
            "entities",
            law,
            not ours,
            [line.split("[", 1)[-1] for line in ours[:5]] or f"{len(complaints)} of the broker",
        )

    def _fired(self) -> int:
        """Return how often the event entity fired: its state is a time, recorded again after an outage."""
        return len({state for state in self.home.rows()[EVENT] if state.startswith("20")})

    def _announced(self) -> list[dict[str, object]]:
        topic = f"homeassistant/device/sound-monitor-{NODE}/config"
        return list(self.listener.on(topic)[-1].json["components"].values())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", type=Path, help="interpreter that has homeassistant")
    parser.add_argument("--only", choices=["pages"])
    options = parser.parse_args()
    if options.only is None:
        if options.python is None:
            parser.error("--python must name the interpreter that has homeassistant")
        with tempfile.TemporaryDirectory(prefix="sound-monitor-home-") as folder:
            campaign = Campaign(Path(folder), options.python)
            try:
                campaign.run()
            finally:
                campaign.close()
        record = {**circumstances(), **campaign.figures, "checks": campaign.checks}
        RESULTS.mkdir(parents=True, exist_ok=True)
        text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
        (RESULTS / "record.json").write_text(text, encoding="utf-8")
    write(page.compose(RESULTS), RESULTS)


if __name__ == "__main__":
    main()
