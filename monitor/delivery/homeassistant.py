"""What tells Home Assistant which entities there are: its device-based MQTT discovery; pure."""

from __future__ import annotations

import json

from monitor.delivery.board import Message
from monitor.delivery.topics import Topics, slug


def discovery(topics: Topics, *, prefix: str, version: str, level: bool) -> Message:
    """Return the retained message that announces a device with a binary sensor per label.

    Ids are made of the node and the label alone, so that they outlive a new version, a new
    model and a new base topic: Home Assistant keeps history and automations by them.

    prefix : Home Assistant's discovery prefix
    level : whether level messages are sent
    """
    device_id = f"sound-monitor-{slug(topics.node)}"
    components: dict[str, object] = {
        f"sound_{slug(label)}": _sound(topics, device_id, label) for label in topics.labels
    }
    if level:
        components["level"] = _level(topics, device_id)
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
        "device_class": "sound",
        "state_topic": topics.state(label),
        "json_attributes_topic": topics.attributes(label),
        "qos": 1,
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
