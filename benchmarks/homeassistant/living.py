"""Listening with everything there, and with each of the three gone for a while."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from checks import EVENT, SETTLE_S, SIREN, THING, Campaign
from core import wait_until
from daemon import NODE

CALM_S = 300.0
_DAY_S = 86_400


def street(run: Campaign) -> None:
    """Undisturbed: states, and the rows that they leave in the recorder."""
    wait_until(lambda: run.home.state(SIREN) == "on", "siren on")
    began, before = time.monotonic(), run.home.rows()
    time.sleep(CALM_S)
    wait_until(lambda: run.daemon.waiting() == 0, "all delivered")
    time.sleep(SETTLE_S)
    took_s, rows = time.monotonic() - began, run.home.rows()
    starts = Counter(label for label, _ in run.daemon.events())
    ons = {label: rows[f"binary_sensor.{THING}_{label}"].count("on") for label in starts}
    run.check("states", "every start of the history is one `on` of its sensor", ons == starts, ons)
    fired = [state for state in rows[EVENT] if state not in ("unknown", "unavailable")]
    run.check("states", "the event entity fires once a start", len(fired) == starts.total(), len(fired))
    run.figures["rows"] = _rows_of_events(rows, starts) | {"seconds": round(took_s)}
    run.figures["rows_of_time"] = _rows_of_time(rows, before, starts, took_s)


def _rows_of_events(rows: Mapping[str, Sequence[str]], starts: Counter[str]) -> dict[str, int]:
    of_sensors = [rows[f"binary_sensor.{THING}_{label}"] for label in starts]
    # The first `off` of a sensor belongs to no event.
    sensors = sum(states.count("on") + states.count("off") - 1 for states in of_sensors)
    fired = [state for state in rows[EVENT] if state not in ("unknown", "unavailable")]
    return {"events": starts.total(), "sensors": sensors, "event_entity": len(fired)}


def _rows_of_time(
    rows: Mapping[str, Sequence[str]],
    before: Mapping[str, Sequence[str]],
    starts: Counter[str],
    took_s: float,
) -> dict[str, dict[str, float]]:
    """Return the rows of the entities that no event changes, and what they come to in a day."""
    of_events = {EVENT, *(f"binary_sensor.{THING}_{label}" for label in starts)}
    found = {
        entity.partition(".")[2].removeprefix(f"{THING}_"): len(states) - len(before.get(entity, ()))
        for entity, states in rows.items()
        if THING in entity and entity not in of_events
    }
    return {
        name: {"rows": count, "a_day": round(count * _DAY_S / took_s)}
        for name, count in sorted(found.items())
        if count
    }


def killed(run: Campaign) -> None:
    run.daemon.kill()
    run.becomes("availability", "kill -9: the sensors are unavailable", SIREN, "unavailable")
    run.daemon.start()
    run.becomes("availability", "started again: the sensors are available", SIREN, "on", "off")


def broker_away(run: Campaign) -> None:
    before = _fired(run)
    on_time = sum(not late for _, late in run.daemon.events())
    with run.without_broker():
        wait_until(lambda: run.daemon.waiting() >= 4, "events while the broker is away")
        time.sleep(SETTLE_S)
    run.becomes("availability", "broker restarted: the sensors are available", SIREN, "on", "off")
    wait_until(lambda: run.daemon.waiting() == 0, "late events delivered")
    time.sleep(SETTLE_S)
    events = run.daemon.events()
    late, prompt = sum(late for _, late in events), sum(not late for _, late in events)
    fired = _fired(run)
    run.check("states", "events of the outage arrive late", late > 0, late)
    new = prompt - on_time
    law = "late events do not fire the event entity"
    run.check("states", law, fired - before <= new, f"{fired - before} fired, {new} on time")


def restarted(run: Campaign) -> None:
    known, wanted = set(run.home.entities(NODE)), set(run.announced())
    run.check("entities", "the entities are those announced", known == wanted, len(known))
    run.home.stop()
    run.home.start()
    run.becomes("availability", "Home Assistant restarted: the states are back", SIREN, "on", "off")


def _fired(run: Campaign) -> int:
    """Return how often the event entity fired: its state is a time, recorded again after an outage."""
    return len({state for state in run.home.rows()[EVENT] if state.startswith("20")})
