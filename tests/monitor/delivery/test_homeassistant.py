"""The discovery payload is what Home Assistant takes, and ids in it never change."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from homeassistant_facts import (
    CONFIG_PLATFORMS,
    DEVICE,
    DEVICE_CLASSES,
    ENTITY_CATEGORIES,
    KNOWN,
    NEEDED,
    ORIGIN,
    ROOT,
    STATE_CLASSES,
)
from hypothesis import given
from hypothesis import strategies as st

from monitor.delivery.homeassistant.discovery import discovery
from monitor.delivery.mqtt.announcement import Announcement
from monitor.delivery.topics import Topics

LABELS = ("dog_bark", "siren")
TOPICS = Topics("sound-monitor", "Back Yard", (*LABELS, "gun_shot", "loud"))
FULL = Announcement(
    labels=(*LABELS, "loud"),
    gone=("gun_shot",),
    version="0.7.0",
    model="urban-sounds 0.6.0",
    level=True,
    noise=True,
    commands=True,
    profiles=("quiet", "sensitive"),
    area="Balcony",
    page="http://pi.lan:8099/",
)
BARE = Announcement(labels=LABELS)


def payload(announced: Announcement, topics: Topics = TOPICS) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(discovery(topics, announced, prefix="homeassistant").payload)
    return values


def entities(announced: Announcement) -> dict[str, dict[str, Any]]:
    """The components that are not merely removed."""
    return {key: one for key, one in payload(announced)["components"].items() if len(one) > 1}


announcements = st.builds(
    Announcement,
    labels=st.lists(st.sampled_from(["siren", "loud", "Police car (siren)", "it's"]), unique=True).map(tuple),
    gone=st.lists(st.sampled_from(["gun_shot", "dog_bark"]), unique=True).map(tuple),
    version=st.just("1"),
    model=st.just("m 1"),
    level=st.booleans(),
    noise=st.booleans(),
    commands=st.booleans(),
    profiles=st.just(("quiet", "sensitive")),
    area=st.sampled_from([None, "Balcony"]),
    page=st.sampled_from([None, "http://pi:8099/"]),
)


@given(announcements)
def test_every_payload_holds_what_home_assistant_knows_and_needs(announced: Announcement) -> None:
    whole = payload(announced)
    assert set(whole) <= ROOT
    assert set(whole["device"]) <= DEVICE
    assert set(whole["origin"]) <= ORIGIN
    ids = [one["unique_id"] for one in whole["components"].values() if "unique_id" in one]
    assert len(set(ids)) == len(ids)
    for key, one in whole["components"].items():
        platform = one["platform"]
        assert re.fullmatch(r"[a-z0-9_-]+", key)
        if len(one) == 1:
            continue
        assert set(one) <= KNOWN[platform], key
        assert set(one) >= NEEDED[platform] | {"unique_id", "name"}, key
        assert one.get("entity_category", "config") in ENTITY_CATEGORIES
        assert one.get("entity_category") != "config" or platform in CONFIG_PLATFORMS
        assert one.get("state_class", "measurement") in STATE_CLASSES
        assert "device_class" not in one or one["device_class"] in DEVICE_CLASSES[platform]
        assert one.get("icon", "mdi:x").startswith("mdi:")
        for value in (one.get("state_topic"), one.get("command_topic"), one.get("json_attributes_topic")):
            assert value is None or not set(value) & set("+#")


def test_an_emptied_topic_of_attributes_holds_none() -> None:
    """Home Assistant warns of erroneous JSON otherwise, whenever a label is taken out of the config."""
    readers = [one for one in entities(FULL).values() if "json_attributes_topic" in one]
    emptied = [one for one in readers if one["json_attributes_topic"] == one["state_topic"] != TOPICS.health]
    assert emptied
    assert {one["json_attributes_template"] for one in emptied} == {"{{ value or '{}' }}"}


def test_ids_are_frozen() -> None:
    """Home Assistant keeps history by them: append new ones, never change one."""
    message = discovery(TOPICS, FULL, prefix="homeassistant")
    assert (message.topic, message.qos, message.retain) == (
        "homeassistant/device/sound-monitor-back_yard/config",
        1,
        True,
    )
    assert payload(FULL)["device"]["identifiers"] == ["sound-monitor-back_yard"]
    prefix = "sound-monitor-back_yard_"
    found = {
        key: (one["platform"], one["unique_id"].removeprefix(prefix)) for key, one in entities(FULL).items()
    }
    of_label = {
        f"{kind}_{label}": (platform, f"{kind}_{label}")
        for label in (*LABELS, "loud")
        for kind, platform in (("sound", "binary_sensor"), ("enabled", "switch"), ("sensitivity", "number"))
        if (kind, label) != ("sensitivity", "loud")
    }
    assert found == of_label | {
        "event": ("event", "event"),
        "microphone": ("binary_sensor", "microphone"),
        "level": ("sensor", "level"),
        "peak": ("sensor", "peak"),
        "laeq": ("sensor", "laeq"),
        "lafmax": ("sensor", "lafmax"),
        "l90": ("sensor", "l90"),
        "dropped": ("sensor", "dropped"),
        "queue": ("sensor", "queue"),
        "delay": ("sensor", "delay"),
        "inference": ("sensor", "inference"),
        "model": ("sensor", "model"),
        "history": ("sensor", "history"),
        "listening": ("switch", "listening"),
        "profile": ("select", "profile"),
        "pause": ("button", "pause"),
    }


def test_ids_depend_on_node_and_label_alone() -> None:
    elsewhere = payload(FULL, Topics("another/base", "Back Yard", LABELS))["components"]
    here = payload(FULL)["components"]
    assert {k: one.get("unique_id") for k, one in elsewhere.items()} == {
        k: one.get("unique_id") for k, one in here.items()
    }


def test_what_cannot_be_reported_or_is_switched_off_is_removed() -> None:
    removed = {key: one for key, one in payload(BARE)["components"].items() if len(one) == 1}
    assert removed == {
        **{f"enabled_{label}": {"platform": "switch"} for label in LABELS},
        **{f"sensitivity_{label}": {"platform": "number"} for label in LABELS},
        "level": {"platform": "sensor"},
        **{key: {"platform": "sensor"} for key in ("peak", "laeq", "lafmax", "l90")},
        "listening": {"platform": "switch"},
        "profile": {"platform": "select"},
        "pause": {"platform": "button"},
    }
    assert payload(FULL)["components"]["sound_gun_shot"] == {"platform": "binary_sensor"}
    assert "gun_shot" not in payload(FULL)["components"]["event"]["event_types"]


def test_the_monitors_own_entities_are_there_while_nobody_listens() -> None:
    status = [{"topic": "sound-monitor/back_yard/status"}]
    for key in ("microphone", "listening", "profile", "pause", "model", "enabled_siren"):
        assert entities(FULL)[key]["availability"] == status
    for key in ("event", "level"):
        assert "availability" not in entities(FULL)[key]


def test_diagnostics_are_disabled_until_somebody_wants_them() -> None:
    disabled = {key for key, one in entities(FULL).items() if one.get("enabled_by_default") is False}
    assert disabled == {"peak", "dropped", "queue", "delay", "inference", "model"}


@pytest.mark.parametrize("key", ["area", "page"])
def test_the_device_names_area_and_page_where_there_are(key: str) -> None:
    name = {"area": "suggested_area", "page": "configuration_url"}[key]
    assert payload(FULL)["device"][name] == getattr(FULL, key)
    assert name not in payload(BARE)["device"]


def test_sound_pressure_sensors_come_with_a_calibration_alone() -> None:
    for noise in (True, False):
        found = entities(replace(FULL, noise=noise))
        pressure = {key for key, one in found.items() if one.get("device_class") == "sound_pressure"}
        assert pressure == ({"laeq", "lafmax", "l90"} if noise else set())
        assert {found[key]["unit_of_measurement"] for key in pressure} <= {"dBA"}
