"""docs/mqtt.md is what goes over the wire, held against a real mosquitto."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
from delivering import HEALTH, TOPICS, broker, delivery
from mosquitto import Heard
from samples import record

from monitor.delivery.homeassistant.discovery import discovery
from monitor.delivery.mqtt.announcement import Announcement
from monitor.delivery.mqtt.board import Message
from monitor.delivery.mqtt.publisher import Retained
from monitor.delivery.payloads import Health, noise_payload
from monitor.delivery.topics import slug
from monitor.level.minutes import Minute
from monitor.records import EventRecord, Level, Near

DOC = (Path(__file__).parents[2] / "docs" / "mqtt.md").read_text(encoding="utf-8")

MINUTE = Minute(20_000_000, 60.0, -75.2, -61.0, -44.7, -71.8, -78.3, -82.0, 0.0, 120.0, b"")
DAY = [replace(MINUTE, minute=MINUTE.minute - 1440 + number) for number in range(1, 1441)]
SPANS = {"laeq_1h_dbfs", "laeq_24h_dbfs", "lden_dbfs"}
"""Levels that come in one unit only: in decibels, since all of these minutes were calibrated."""


def section(title: str) -> str:
    return DOC.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The body of the first table of a text."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]


def example(title: str) -> dict[str, object]:
    found = re.search(r"```json\n(.*?)```", section(title), re.DOTALL)
    assert found
    return json.loads(found.group(1))


DOCUMENTED = {
    topic: (payload, int(qos), retained == "yes") for topic, payload, qos, retained in rows(section("Topics"))
}


def pattern(topic: str) -> str:
    """The topic of the documentation that a topic on the wire belongs to."""
    topic = re.sub(r"^sound-monitor/[^/]+/", "<base>/<node>/", topic)
    topic = re.sub(r"/sound/[^/]+/", "/sound/<label>/", topic)
    topic = re.sub(r"/group/[^/]+$", "/group/<group>", topic)
    return re.sub(r"^homeassistant/device/[^/]+/", "homeassistant/device/<id>/", topic)


@pytest.fixture
def wire(tmp_path, mosquitto, listener, retained) -> tuple[list[Heard], dict[str, str]]:
    """What a listener and a newcomer heard of a short life."""
    announced = Announcement(labels=TOPICS.labels, level=True, commands=True)
    settings = broker(mosquitto.port)
    with delivery(tmp_path / "history.db", settings, Retained()) as sending:
        publisher = sending.publisher
        publisher.set_retained(discovery(TOPICS, announced, prefix="homeassistant"))
        publisher.set_groups({"emergency": ["siren"]})
        publisher.set_retained(Message(TOPICS.control, "{}", 1, True))
        publisher.set_online(True)
        listener.wait_message(TOPICS.status, "online")
        publisher.publish_health(HEALTH)
        start = record(1)
        sending.put(1)
        publisher.set_state("siren", True, start)
        listener.wait_message(TOPICS.state("siren"), "ON")
        publisher.publish_level(Level(-47.123, -33.8, -51.0, 0, -50.2, -51.9, -55.4))
        publisher.publish_near([Near("siren", 0.4, "below_threshold", 0.4, 0.6)])
        publisher.publish_noise(noise_payload(MINUTE, [MINUTE], DAY))
        sending.wait()
        listener.wait_message(TOPICS.event)
        for topic in (TOPICS.level, TOPICS.near, TOPICS.noise):
            listener.wait_message(topic)
    listener.wait_for(lambda heard: heard[-1].payload == "offline")
    heard = list(listener.heard)
    return heard, retained()


def test_topics_qos_and_retain_flags_are_those_of_the_document(wire):
    heard, retained = wire
    assert {pattern(message.topic) for message in heard} == set(DOCUMENTED)
    for message in heard:
        assert message.qos == DOCUMENTED[pattern(message.topic)][1], message.topic
        assert message.retain is False  # nothing was left over from before
    assert {pattern(topic) for topic in retained} == {
        topic for topic, (_, _, is_retained) in DOCUMENTED.items() if is_retained
    }


def test_payloads_are_those_of_the_document(wire):
    heard, _ = wire
    by_topic: dict[str, list[Heard]] = {}
    for message in heard:
        by_topic.setdefault(pattern(message.topic), []).append(message)
    event = by_topic["<base>/<node>/event"][0]
    assert set(event.json) == {key for key, *_ in rows(section("Event record"))}
    assert event.payload == record(1).to_json()
    attributes = by_topic["<base>/<node>/sound/<label>/attributes"]
    assert [message.json for message in attributes if message.topic == TOPICS.attributes("siren")] == [
        {"state": "OFF"},
        event.json | {"state": "ON"},
        event.json | {"state": "OFF"},
    ]
    assert by_topic["<base>/<node>/health"][0].json == json.loads(HEALTH.to_json())
    level = by_topic["<base>/<node>/level"][0].json
    assert level == {**example("Level"), "rms_dbfs": -47.1}
    noise = by_topic["<base>/<node>/noise"][0].json
    named = {name for key, *_ in rows(section("Noise")) for name in key.replace("`", "").split(", ")}
    decibels = {f"{key.removesuffix('_dbfs')}_db" for key in named if key.endswith("_dbfs")}
    assert named - SPANS <= set(noise) <= named | decibels
    assert set(example("Noise")) == set(noise)
    for topic in ("status", "sound/<label>/state"):
        words = set(
            re.findall(r"`?([A-Za-z]+)`? or `?([A-Za-z]+)`?", DOCUMENTED[f"<base>/<node>/{topic}"][0])[0]
        )
        assert {message.payload for message in by_topic[f"<base>/<node>/{topic}"]} == words


@pytest.mark.parametrize(
    ("title", "kind"), [("Event record", EventRecord), ("Level", Level), ("Health", Health)]
)
def test_the_document_names_every_field_and_its_example_has_them(title, kind):
    names = {field.name for field in fields(kind)}
    assert {key for key, *_ in rows(section(title))} == names
    assert set(example(title)) == names


def test_the_example_of_a_slug_is_true():
    told = re.search(r"\(`(.*?)` → `(.*?)`\)", DOC)
    assert told
    assert slug(told.group(1)) == told.group(2)


def test_event_keys_and_types_are_frozen():
    """Schema 1: old keys keep name and type; append new ones here."""
    ended = record(
        1,
        end="2026-05-01T22:00:01.000Z",
        end_s=1.0,
        duration_s=1.0,
        reason="released",
        lafmax_dbfs=-30.0,
        over_l90_db=20.0,
    )
    types = {key: type(value).__name__ for key, value in json.loads(ended.to_json()).items()}
    assert types == {
        "clip": "NoneType",
        "clock": "str",
        "delay_s": "float",
        "delayed": "bool",
        "duration_s": "float",
        "end": "str",
        "end_s": "float",
        "event_id": "str",
        "file": "NoneType",
        "held_back": "NoneType",
        "label": "str",
        "lafmax_db": "NoneType",
        "lafmax_dbfs": "float",
        "level_dbfs": "float",
        "model": "str",
        "model_version": "str",
        "node": "str",
        "notify": "bool",
        "over_background_db": "float",
        "over_l90_db": "float",
        "overlapping": "list",
        "reason": "str",
        "schema": "int",
        "score": "float",
        "score_mean": "float",
        "seq": "int",
        "start": "str",
        "start_s": "float",
        "threshold": "float",
        "type": "str",
    }
