"""Device-based MQTT discovery for Home Assistant; pure.

Ids are derived only from the node and the label, so they survive a change of version, model or base
topic; Home Assistant ties history and automations to them. An entity that is no longer wanted is announced
with its platform only, which makes Home Assistant remove it. This is harmless if the entity never existed.
"""

from __future__ import annotations

import json

from monitor.delivery.homeassistant.entities import Component, Entities, device_id, listening, removed, status
from monitor.delivery.mqtt.announcement import Announcement
from monitor.delivery.mqtt.board import Message
from monitor.delivery.topics import Topics


def discovery_topic(topics: Topics, prefix: str) -> str:
    """Return the topic on which a node is announced; ``prefix`` is Home Assistant's discovery prefix."""
    return f"{prefix}/device/{device_id(topics)}/config"


def discovery(topics: Topics, announced: Announcement, *, prefix: str) -> Message:
    """Return the retained message that announces a node and all of its entities."""
    made = Entities(topics, announced)
    components: dict[str, Component] = {}
    for label in announced.labels:
        components |= made.of_label(label)
    for label in announced.gone:
        components |= {key: removed(one) for key, one in made.of_label(label).items()}
    components |= made.of_node()
    payload = {
        "device": _device(topics, announced),
        "origin": {"name": "sound-monitor", "sw_version": announced.version},
        "availability": [status(topics), listening(topics)],
        "availability_mode": "all",
        "components": components,
    }
    return Message(
        discovery_topic(topics, prefix), json.dumps(payload, ensure_ascii=False), qos=1, retain=True
    )


def _device(topics: Topics, announced: Announcement) -> Component:
    device: Component = {
        "identifiers": [device_id(topics)],
        "name": f"Sound monitor {topics.node}",
        "manufacturer": "sound-monitor",
        "model": "sound-monitor",
        "model_id": announced.model,
        "sw_version": announced.version,
    }
    if announced.area:
        device["suggested_area"] = announced.area
    if announced.page:
        device["configuration_url"] = announced.page
    return device
