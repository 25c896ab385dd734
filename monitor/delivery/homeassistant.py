"""What tells Home Assistant which entities there are: its device-based MQTT discovery; pure."""

from __future__ import annotations

import json

from monitor.delivery.board import Message
from monitor.delivery.topics import Topics, slug

_NOISE = {"laeq": "Noise LAeq", "lafmax": "Noise LAFmax", "l90": "Noise background L90"}
"""Sensors of the noise topic: key without its unit, and name."""

_DEVICE_CLASSES = {"smoke_alarm": "smoke", "co_alarm": "carbon_monoxide"}
"""Home Assistant's classes of the alarms; everything else is a sound."""


def discovery(topics: Topics, *, prefix: str, version: str, level: bool, noise: bool) -> Message:
    """Return the retained message that announces a device with a binary sensor per label.

    Ids are made of the node and the label alone, so that they outlive a new version, a new
    model and a new base topic: Home Assistant keeps history and automations by them.

    prefix : Home Assistant's discovery prefix
    level : whether level messages are sent
    noise : whether the microphone is calibrated, so that there are sound pressure levels
    """
    device_id = f"sound-monitor-{slug(topics.node)}"
    components: dict[str, object] = {
        f"sound_{slug(label)}": _sound(topics, device_id, label) for label in topics.labels
    }
    if level:
        components["level"] = _level(topics, device_id)
    if noise:
        components |= {key: _noise(topics, device_id, key, name) for key, name in _NOISE.items()}
    payload = {
        "device": {
            "identifiers": [device_id],
            "name": f"Sound monitor {topics.node}",
            "model": "sound-monitor",
            "sw_version": version,
        },
        "origin": {"name": "sound-monitor", "sw_version": version},
        "availability": [
            {"topic": topics.status},
            {
                "topic": topics.health,
                "value_template": "{{ 'online' if value_json.microphone == 'listening' else 'offline' }}",
            },
        ],
        "availability_mode": "all",
        "components": components,
    }
    topic = f"{prefix}/device/{device_id}/config"
    return Message(topic, json.dumps(payload, ensure_ascii=False), qos=1, retain=True)


def _sound(topics: Topics, device_id: str, label: str) -> dict[str, object]:
    return {
        "platform": "binary_sensor",
        "unique_id": f"{device_id}_sound_{slug(label)}",
        "name": label.replace("_", " ").capitalize(),
        "device_class": _DEVICE_CLASSES.get(label, "sound"),
        "state_topic": topics.state(label),
        "json_attributes_topic": topics.attributes(label),
        "qos": 1,
    }


def _noise(topics: Topics, device_id: str, key: str, name: str) -> dict[str, object]:
    return {
        "platform": "sensor",
        "unique_id": f"{device_id}_{key}",
        "name": name,
        "device_class": "sound_pressure",
        "state_topic": topics.noise,
        "value_template": f"{{{{ value_json.{key}_db }}}}",
        "unit_of_measurement": "dBA",
        "state_class": "measurement",
        "suggested_display_precision": 1,
    }


def _level(topics: Topics, device_id: str) -> dict[str, object]:
    # No device class: `sound_pressure` takes dB and dBA only, and dBFS is neither.
    return {
        "platform": "sensor",
        "unique_id": f"{device_id}_level",
        "name": "Level",
        "state_topic": topics.level,
        "value_template": "{{ value_json.rms_dbfs }}",
        "unit_of_measurement": "dBFS",
        "state_class": "measurement",
        "entity_category": "diagnostic",
        "suggested_display_precision": 1,
    }
