"""The controls, what they refuse, and that a restart of the monitor keeps each of them."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from checks import MICROPHONE, SETTLE_S, SIREN, THING, Campaign
from core import wait_until
from daemon import NODE
from mosquitto import find

PART = "control"
_SWITCH, _NUMBER = f"switch.{THING}_siren", f"number.{THING}_siren_sensitivity"
_LISTENING, _PROFILE = f"switch.{THING}_listening", f"select.{THING}_profile"
_CONTROLS = ("switch", "number", "select")


def control(run: Campaign) -> None:
    """Each control takes effect and shows the true state."""
    home = run.home
    home.act("switch.turn_off", _LISTENING)
    run.becomes(PART, "Listening off takes effect", SIREN, "unavailable")
    run.becomes(PART, "Listening off is no problem of the microphone", MICROPHONE, "off")
    home.act("switch.turn_on", _LISTENING)
    run.becomes(PART, "Listening on takes effect", SIREN, "on", "off")
    home.act("button.press", f"button.{THING}_pause_an_hour")
    run.becomes(PART, "Pause an hour switches Listening off", _LISTENING, "off")
    home.act("switch.turn_on", _LISTENING)
    run.becomes(PART, "Listening on ends the pause", _LISTENING, "on")
    home.act("switch.turn_off", _SWITCH)
    home.act("number.set_value", _NUMBER, value=25)
    home.act("select.select_option", _PROFILE, option="quiet")
    run.becomes(PART, "a class switched off is unavailable", SIREN, "unavailable")
    run.becomes(PART, "Sensitivity is echoed", _NUMBER, "25", "25.0")
    run.becomes(PART, "Profile is echoed", _PROFILE, "quiet")
    _refuses(run)


def kept(run: Campaign) -> None:
    """Every setting is changed, the monitor starts again, and all are as before."""
    _publish(run, "quiet_hours", "22:00-07:00")
    wait_until(lambda: run.topic("control")[-1].json["quiet_hours"] == "22:00-07:00", "quiet hours are set")
    run.home.act("button.press", f"button.{THING}_pause_an_hour")
    wait_until(lambda: run.topic("control")[-1].json["paused_until"], "the pause is set")
    _restart(run, "Pause, Profile, Sensitivity, class and quiet hours")
    run.home.act("switch.turn_on", _LISTENING)
    wait_until(lambda: run.home.state(_LISTENING) == "on", "listening")
    run.home.act("switch.turn_off", _LISTENING)
    wait_until(lambda: run.home.state(_LISTENING) == "off", "not listening")
    _restart(run, "Listening off, and the rest,")
    run.home.act("switch.turn_on", _LISTENING)
    run.becomes(PART, "Listening on takes effect after the restarts", _LISTENING, "on")


def _restart(run: Campaign, what: str) -> None:
    """Check that the restart changes nothing: neither what the monitor publishes nor what is shown."""
    before, shown = run.topic("control"), _shown(run)
    run.daemon.stop()
    run.becomes(PART, "the stopped monitor's controls are unavailable", _NUMBER, "unavailable")
    run.daemon.start()
    run.becomes(PART, "started again, the controls are available", _NUMBER, "25", "25.0")
    wait_until(lambda: len(run.topic("control")) > len(before), "settings published again")
    after = run.topic("control")[-1].json
    changed = {key: (old, after[key]) for key, old in before[-1].json.items() if after[key] != old}
    run.check(PART, f"{what} survive a restart", not changed, changed or ", ".join(after["changed"]))
    wrong = {entity: state for entity, state in _shown(run).items() if shown[entity] != state}
    run.check(PART, "Home Assistant shows every control as before", not wrong, wrong or len(shown))


def _shown(run: Campaign) -> dict[str, Any]:
    states = run.home.states()
    return {one: states[one]["state"] for one in states if THING in one and one.split(".")[0] in _CONTROLS}


def _refuses(run: Campaign) -> None:
    before = run.topic("control")[-1].payload
    refused = run.daemon.log().count("refused")
    nonsense = (("listening", "perhaps"), ("pause", "99d"), ("profile", "x" * 100_000), ("nothing", "ON"))
    for what, payload in nonsense:
        _publish(run, what, payload)
    time.sleep(SETTLE_S)
    lines = run.daemon.log().count("refused") - refused
    after = run.topic("control")[-1].payload
    run.check(PART, "nonsense has no effect", before == after)
    run.check(PART, "nonsense is refused with one line each", lines == len(nonsense), lines)


def _publish(run: Campaign, what: str, payload: str) -> None:
    topic = f"sound-monitor/{NODE}/set/{what}"
    command = [find("mosquitto_pub"), "-p", str(run.broker.port), "-q", "1", "-t", topic, "-s"]
    subprocess.run(command, input=payload.encode(), check=True)
