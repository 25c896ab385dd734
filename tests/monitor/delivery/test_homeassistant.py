"""The discovery payload is frozen: ids in it must not change from one version to the next."""

from __future__ import annotations

import json

from monitor.delivery.homeassistant import discovery
from monitor.delivery.topics import Topics

TOPICS = Topics("sound-monitor", "Back Yard", ("dog_bark", "siren"))


def test_discovery_is_the_frozen_payload():
    message = discovery(TOPICS, prefix="homeassistant", version="0.1.0", level=True, noise=False)
    assert (message.topic, message.qos, message.retain) == (
        "homeassistant/device/sound-monitor-back_yard/config",
        1,
        True,
    )
    assert json.loads(message.payload) == {
        "device": {
            "identifiers": ["sound-monitor-back_yard"],
            "name": "Sound monitor Back Yard",
            "model": "sound-monitor",
            "sw_version": "0.1.0",
        },
        "origin": {"name": "sound-monitor", "sw_version": "0.1.0"},
        "availability": [
            {"topic": "sound-monitor/back_yard/status"},
            {
                "topic": "sound-monitor/back_yard/health",
                "value_template": "{{ 'online' if value_json.microphone == 'listening' else 'offline' }}",
            },
        ],
        "availability_mode": "all",
        "components": {
            "sound_dog_bark": _sound("dog_bark", "Dog bark"),
            "sound_siren": _sound("siren", "Siren"),
            "level": {
                "platform": "sensor",
                "unique_id": "sound-monitor-back_yard_level",
                "name": "Level",
                "state_topic": "sound-monitor/back_yard/level",
                "value_template": "{{ value_json.rms_dbfs }}",
                "unit_of_measurement": "dBFS",
                "state_class": "measurement",
                "entity_category": "diagnostic",
                "suggested_display_precision": 1,
            },
        },
    }


def test_ids_depend_on_node_and_label_alone():
    def ids(topics: Topics, version: str) -> list[str]:
        payload = json.loads(discovery(topics, prefix="ha", version=version, level=True, noise=False).payload)
        return [component["unique_id"] for component in payload["components"].values()]

    elsewhere = Topics("another/base", "Back Yard", ("dog_bark", "siren"))
    assert ids(TOPICS, "0.1.0") == ids(elsewhere, "2.0.0")


def test_without_level_messages_there_is_no_level_sensor():
    payload = json.loads(discovery(TOPICS, prefix="ha", version="1", level=False, noise=False).payload)
    assert list(payload["components"]) == ["sound_dog_bark", "sound_siren"]


def _sound(label: str, name: str) -> dict[str, object]:
    return {
        "platform": "binary_sensor",
        "unique_id": f"sound-monitor-back_yard_sound_{label}",
        "name": name,
        "device_class": "sound",
        "state_topic": f"sound-monitor/back_yard/sound/{label}/state",
        "json_attributes_topic": f"sound-monitor/back_yard/sound/{label}/attributes",
        "qos": 1,
    }


def test_sound_pressure_sensors_come_with_a_calibration_alone() -> None:
    def sensors(noise: bool) -> dict[str, dict[str, str]]:
        message = discovery(TOPICS, prefix="ha", version="1", level=True, noise=noise)
        components = json.loads(message.payload)["components"]
        return {key: one for key, one in components.items() if one.get("device_class") == "sound_pressure"}

    assert sensors(False) == {}
    assert list(sensors(True)) == ["laeq", "lafmax", "l90"]
    assert {(one["unit_of_measurement"], one["state_topic"]) for one in sensors(True).values()} == {
        ("dBA", TOPICS.noise)
    }
    assert sensors(True)["l90"]["value_template"] == "{{ value_json.l90_db }}"
