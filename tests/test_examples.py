"""The examples for Home Assistant and Node-RED fit the wire contract and the entities that are announced."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from monitor.delivery.homeassistant.discovery import discovery
from monitor.delivery.mqtt.announcement import Announcement
from monitor.delivery.topics import Topics
from monitor.records import EventRecord

EXAMPLES = Path(__file__).parents[1] / "examples"
KEYS = {field.name for field in fields(EventRecord)}


class _Loader(yaml.SafeLoader):
    """Reads ``!input`` as Home Assistant does."""


_Loader.add_constructor("!input", lambda loader, node: {"input": loader.construct_scalar(node)})


def load(name: str) -> tuple[str, Any]:
    text = (EXAMPLES / "home-assistant" / name).read_text(encoding="utf-8")
    return text, yaml.load(text, _Loader)


def test_the_blueprint_uses_its_inputs_and_keys_of_the_record() -> None:
    text, blueprint = load("notices.yaml")
    used = set(re.findall(r"!input (\w+)", text))
    assert used == set(blueprint["blueprint"]["input"])
    assert set(re.findall(r"payload_json\.(\w+)", text)) <= KEYS
    assert blueprint["triggers"][0]["topic"] == "{{ 'sound-monitor/' ~ node ~ '/event' }}"


def test_the_dashboard_names_entities_that_are_announced() -> None:
    topics = Topics("sound-monitor", "balcony", ("siren", "dog_bark"))
    announced = Announcement(topics.labels, level=True, commands=True, profiles=("quiet",))
    components = json.loads(discovery(topics, announced, prefix="ha").payload)["components"].values()
    # Home Assistant makes the ids of the device's name and the entity's.
    known = {
        f"{one['platform']}.sound_monitor_balcony_{one['name'].lower().replace(' ', '_')}"
        for one in components
        if len(one) > 1
    }
    text, _ = load("dashboard.yaml")
    named = set(re.findall(r"[a-z_]+\.sound_monitor_balcony_\w+", text))
    assert named
    assert named <= known


def test_the_flow_is_wired_and_reads_keys_of_the_record() -> None:
    text = (EXAMPLES / "node-red.json").read_text(encoding="utf-8")
    nodes = {node["id"]: node for node in json.loads(text)}
    for node in nodes.values():
        assert {target for wire in node.get("wires", []) for target in wire} <= set(nodes)
        assert node.get("z", "sm-tab") in nodes
        assert node.get("broker") in {None, "localhost", "sm-broker"}
    assert set(re.findall(r"payload\.(\w+)", text)) <= KEYS
