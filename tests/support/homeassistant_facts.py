"""What Home Assistant's MQTT integration takes, as its documentation and schemas say (2025.4).

Facts alone, none of its code: for each platform the keys that are known and those that are needed.
"""

from __future__ import annotations

_ENTITY = {
    "platform", "unique_id", "name", "icon", "entity_category", "enabled_by_default", "object_id", "qos",
    "availability", "availability_mode", "json_attributes_topic", "json_attributes_template",
    "entity_picture", "encoding",
}  # fmt: skip
_READS = {"state_topic", "value_template"}
_WRITES = {"command_topic", "command_template", "retain", "optimistic"}

KNOWN: dict[str, set[str]] = {
    "binary_sensor": _ENTITY | _READS | {
        "device_class", "expire_after", "force_update", "off_delay", "payload_on", "payload_off",
    },
    "sensor": _ENTITY | _READS | {
        "device_class", "expire_after", "force_update", "state_class", "unit_of_measurement",
        "suggested_display_precision", "last_reset_value_template", "options",
    },
    "event": _ENTITY | _READS | {"device_class", "event_types"},
    "switch": _ENTITY | _READS | _WRITES | {
        "device_class", "payload_on", "payload_off", "state_on", "state_off",
    },
    "number": _ENTITY | _READS | _WRITES | {
        "device_class", "min", "max", "step", "mode", "unit_of_measurement", "payload_reset",
    },
    "select": _ENTITY | _READS | _WRITES | {"options"},
    "button": _ENTITY | _WRITES - {"optimistic"} | {"device_class", "payload_press"},
}  # fmt: skip
NEEDED: dict[str, set[str]] = {
    "binary_sensor": {"state_topic"},
    "sensor": {"state_topic"},
    "event": {"state_topic", "event_types"},
    "switch": {"command_topic"},
    "number": {"command_topic"},
    "select": {"command_topic", "options"},
    "button": {"command_topic"},
}
DEVICE = {
    "identifiers", "connections", "name", "manufacturer", "model", "model_id", "sw_version", "hw_version",
    "serial_number", "suggested_area", "configuration_url", "via_device",
}  # fmt: skip
ORIGIN = {"name", "sw_version", "support_url"}
ROOT = {
    "device", "origin", "components", "availability", "availability_mode", "command_topic", "state_topic",
    "qos", "encoding",
}  # fmt: skip
DEVICE_CLASSES = {
    "binary_sensor": {"sound", "smoke", "carbon_monoxide", "problem", "connectivity", "running"},
    "sensor": {"sound_pressure", "duration", "timestamp"},
}
ENTITY_CATEGORIES = {"config", "diagnostic"}
STATE_CLASSES = {"measurement", "total", "total_increasing"}
CONFIG_PLATFORMS = {"switch", "number", "select", "button"}
"""An entity of the category ``config`` must be one that can be changed."""
