"""A day of barks, a device deleted by its user, and a node that is forgotten."""

from __future__ import annotations

import re
import time
from contextlib import closing
from datetime import datetime

from checks import MICROPHONE, SETTLE_S, SIREN, THING, Campaign
from core import Complaint, wait_until
from daemon import DAY, NODE

from monitor.delivery.store.outbox import Outbox

BARKS = 500
LIMIT = 12
_BARK = f"binary_sensor.sound_monitor_{DAY}_dog_bark"
_OF_THE_BROKER = re.compile(
    r"mqtt\.client\] (Disconnected from|Failed to connect to|Error returned from) MQTT server"
)
_SECOND_CLEANUP = "No device components to cleanup"


def day(run: Campaign) -> None:
    """Every bark of a day is recorded; notices keep to their limit."""
    run.daemon.announce_day()
    wait_until(lambda: run.home.device(DAY), "the node of the day is announced")
    wait_until(lambda: run.home.state(_BARK) is not None, "its sensors are there")
    time.sleep(SETTLE_S)
    history = run.daemon.day(BARKS, LIMIT)
    with closing(Outbox(history)) as outbox:
        records = [row.record for row in outbox.query(limit=10 * BARKS)]
    starts = [one for one in records if one.type == "start" and one.label == "dog_bark"]
    days = {one.start[:10] for one in starts}
    run.check("notices", f"{BARKS} barks of a day are {BARKS} records", len(starts) == BARKS, len(starts))
    judged = sum(one.notify for one in starts)
    law = f"at most {LIMIT} of them lead to a notice"
    run.check("notices", law, 0 < judged <= LIMIT * len(days), f"{judged} in {len(days)} day")
    wait_until(lambda: len(run.home.notifications()) >= judged, "the blueprint has notified", 30.0)
    time.sleep(SETTLE_S)
    shown = run.home.notifications()
    law = "the blueprint makes one notification of each notice"
    run.check("notices", law, shown == ["Dog bark"] * judged, len(shown))
    rows = run.home.rows()
    ons = rows[_BARK].count("on")
    run.check("notices", "each bark is one `on` in the recorder", ons == BARKS, ons)
    run.figures["day"] = {
        "barks": len(starts),
        "limit": LIMIT,
        "notices": judged,
        "rows": {one.partition("_yard_")[2]: len(states) for one, states in rows.items() if DAY in one},
    }


def deleted(run: Campaign) -> None:
    """A device that its user deletes is gone, and comes back when the birth message does."""
    before = set(run.home.entities(NODE))
    run.figures["deleted_entities"] = len(before)
    run.home.delete_device(NODE)
    wait_until(lambda: run.home.device(NODE) is None and run.home.state(SIREN) is None, "device deleted")
    time.sleep(SETTLE_S)
    gone = run.home.device(NODE) is None
    run.check("removal", "a device deleted by its user stays away until MQTT starts again", gone)
    run.home.reload_mqtt()
    run.becomes("removal", "and comes back with its states", SIREN, "on", "off")
    wait_until(lambda: set(run.home.entities(NODE)) == before, "all its entities")
    run.check("removal", "and with the same entities", True, len(before))


def removal(run: Campaign) -> None:
    """A class that is left out is removed; of a node that is forgotten, nothing stays."""
    run.daemon.stop()
    run.daemon.start("events.enabled=[siren, dog_bark]")
    gone = f"binary_sensor.{THING}_car_horn"
    run.becomes("removal", "a class left out of the config is removed", gone, None)
    run.daemon.stop()
    wait_until(lambda: run.home.state(MICROPHONE) == "unavailable", "the monitor is gone")
    time.sleep(SETTLE_S)
    entities, before = run.home.entities(NODE), datetime.now()
    there = run.home.device(NODE) is not None and MICROPHONE in run.home.states()
    run.check("removal", "before `forget` the device is there, with entities", there, len(entities))
    others, cleared = set(run.home.entities(DAY)), run.empty_announcements()
    run.daemon.forget(NODE)
    run.becomes("removal", "`forget` removes the entities", MICROPHONE, None)
    time.sleep(SETTLE_S)
    left = [one for one in run.home.states() if THING in one]
    run.check("removal", "`forget` leaves no state", not left, left or len(entities))
    registered = [one for one in run.home.ask("config/entity_registry/list") if THING in one["entity_id"]]
    run.check("removal", "`forget` leaves no registered entity", not registered, len(registered))
    run.check("removal", "`forget` removes the device", run.home.device(NODE) is None)
    same = bool(others) and set(run.home.entities(DAY)) == others
    run.check("removal", "`forget` leaves the other node alone", same, len(others))
    disabled = [one for one in entities.values() if one["disabled_by"] == "integration"]
    cleared = run.empty_announcements() - cleared
    law = (
        "of the empty announcements then, one is ours, and Home Assistant sends one for each disabled entity"
    )
    run.check("removal", law, cleared == 1 + len(disabled), f"{cleared} with {len(disabled)} disabled")
    run.home.stop()
    _log(run, before, len(disabled))


def _log(run: Campaign, forgotten: datetime, disabled: int) -> None:
    """Check Home Assistant's log, of which what follows from the stopped broker is known.

    So is its warning of an empty announcement without a device, where it sent that announcement itself.
    """
    complaints = run.home.complaints()
    of_broker = [one for one in complaints if _OF_THE_BROKER.search(one.text) and _while_away(run, one)]
    second = [one for one in complaints if _SECOND_CLEANUP in one.text]
    after = sum(one.at >= forgotten for one in second)
    deleted = run.figures.get("deleted_entities", 0)
    law = "a second cleanup is warned of only for an empty announcement of Home Assistant itself"
    seen = f"{len(second) - after} after the deletion of {deleted} entities, {after} after `forget`"
    run.check("log", law, len(second) - after <= deleted and after <= disabled, seen)
    other = [one for one in complaints if one not in of_broker and one not in second]
    law = "no other warning or error of Home Assistant, but of the broker while it was away"
    lines = [f"{one.at:%H:%M:%S} {one.text}" for one in other[:5]]
    run.check("log", law, not other, lines or f"{len(of_broker)} of the broker")


def _while_away(run: Campaign, complaint: Complaint) -> bool:
    return any(began <= complaint.at <= ended for began, ended in run.outages)
