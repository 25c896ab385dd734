"""A node's Home Assistant entities, in the form required by MQTT discovery; pure."""

from __future__ import annotations

from monitor.delivery.homeassistant.icons import icon
from monitor.delivery.mqtt.announcement import Announcement
from monitor.delivery.topics import Topics, slug

Component = dict[str, object]

_NOISE = {"laeq": "Noise LAeq", "lafmax": "Noise LAFmax", "l90": "Noise background L90"}
"""Sensors of the noise topic: key without unit → name."""
_ON_OFF = {"payload_on": "ON", "payload_off": "OFF"}

_ATTRIBUTES = "{{ value or '{}' }}"
"""Attributes as they come; an emptied retained topic has none, or Home Assistant warns of erroneous JSON."""

_DEVICE_CLASSES = {"smoke_alarm": "smoke", "co_alarm": "carbon_monoxide"}
"""Home Assistant device classes of alarms; everything else is a sound."""


def device_id(topics: Topics) -> str:
    """Return the id of a node's device."""
    return f"sound-monitor-{slug(topics.node)}"


class Entities:
    """Builds the entities of one node."""

    def __init__(self, topics: Topics, announced: Announcement) -> None:
        self._topics = topics
        self._announced = announced
        self._id = device_id(topics)
        # For entities of the monitor itself, which are available even while it is not listening.
        self._always: Component = {"availability": [status(topics)]}

    def of_label(self, label: str) -> dict[str, Component]:
        """Return the sensor and the controls of a label."""
        name = slug(label)
        entities = {f"sound_{name}": self._sound(label)}
        switch, sensitivity = self._class_switch(label), self._sensitivity(label)
        entities[f"enabled_{name}"] = switch if self._announced.commands else removed(switch)
        # The threshold of `loud` is in decibels and is set in the configuration.
        wanted = self._announced.commands and label != "loud"
        entities[f"sensitivity_{name}"] = sensitivity if wanted else removed(sensitivity)
        return entities

    def of_node(self) -> dict[str, Component]:
        """Return the entities that exist once per node."""
        entities = {"event": self._event(), "microphone": self._microphone()}
        level = self._level("level", "Level", "rms_dbfs")
        peak = self._level("peak", "Level peak", "peak_dbfs")
        peak["enabled_by_default"] = False
        for key, entity in (("level", level), ("peak", peak)):
            entities[key] = entity if self._announced.level else removed(entity)
        for key, name in _NOISE.items():
            sensor = self._noise(key, name)
            entities[key] = sensor if self._announced.noise else removed(sensor)
        entities |= {f"group_{slug(name)}": self._group(name) for name in self._announced.groups}
        entities |= {
            f"group_{slug(name)}": removed(self._group(name)) for name in self._announced.gone_groups
        }
        entities |= self._diagnostics()
        controls = {"listening": self._listening_switch(), "profile": self._profile(), "pause": self._pause()}
        for key, entity in controls.items():
            entities[key] = entity if self._announced.commands else removed(entity)
        return entities

    def _sound(self, label: str) -> Component:
        topics = self._topics
        sensor = self._entity("binary_sensor", f"sound_{slug(label)}", _words(label)) | {
            "device_class": _DEVICE_CLASSES.get(label, "sound"),
            "icon": icon(label),
            # State and attributes in one message: a single recorder row per change.
            "state_topic": topics.attributes(label),
            "value_template": "{{ value_json.state }}",
            "json_attributes_topic": topics.attributes(label),
            "json_attributes_template": _ATTRIBUTES,
            "qos": 1,
        }
        if self._announced.commands:
            enabled = f"{{{{ 'online' if value_json.classes[{label!r}].enabled else 'offline' }}}}"
            sensor["availability"] = [
                status(topics),
                listening(topics),
                {"topic": topics.control, "value_template": enabled},
            ]
            sensor["availability_mode"] = "all"
        return sensor

    def _group(self, name: str) -> Component:
        return self._entity("binary_sensor", f"group_{slug(name)}", _words(name)) | {
            "device_class": "sound",
            "icon": icon(name),
            "state_topic": self._topics.group(name),
            "value_template": "{{ value_json.state }}",
            "json_attributes_topic": self._topics.group(name),
            "json_attributes_template": _ATTRIBUTES,
            "qos": 1,
        }

    def _event(self) -> Component:
        figures = ("score", "level_dbfs", "over_background_db", "start", "event_id", "notify")
        values = ", ".join(f"'{key}': value_json.{key}" for key in figures)
        template = (
            "{% if value_json.type == 'start' and not value_json.delayed %}"
            f"{{{{ {{'event_type': value_json.label, {values}}} | to_json }}}}"
            "{% endif %}"
        )
        return self._entity("event", "event", "Sound") | {
            "state_topic": self._topics.event,
            "event_types": list(self._announced.labels),
            "value_template": template,
            "icon": "mdi:ear-hearing",
            "qos": 1,
        }

    def _microphone(self) -> Component:
        # Only part of `health` as attributes: its counters would add a recorder row every minute.
        attributes = ", ".join(f"'{key}': value_json.{key}" for key in ("microphone", "reason", "history"))
        return (
            self._entity("binary_sensor", "microphone", "Microphone")
            | self._always
            | {
                "device_class": "problem",
                "entity_category": "diagnostic",
                "state_topic": self._topics.health,
                "value_template": "{{ 'ON' if value_json.microphone == 'lost' else 'OFF' }}",
                "json_attributes_topic": self._topics.health,
                "json_attributes_template": f"{{{{ {{{attributes}}} | to_json }}}}",
            }
        )

    def _level(self, key: str, name: str, value: str) -> Component:
        # No device class: `sound_pressure` allows only dB and dBA, not dBFS.
        return self._entity("sensor", key, name) | {
            "state_topic": self._topics.level,
            "value_template": f"{{{{ value_json.{value} }}}}",
            "unit_of_measurement": "dBFS",
            "state_class": "measurement",
            "entity_category": "diagnostic",
            "suggested_display_precision": 1,
            "icon": "mdi:volume-medium",
        }

    def _noise(self, key: str, name: str) -> Component:
        return self._entity("sensor", key, name) | {
            "device_class": "sound_pressure",
            "state_topic": self._topics.noise,
            "value_template": f"{{{{ value_json.{key}_db }}}}",
            "unit_of_measurement": "dBA",
            "state_class": "measurement",
            "suggested_display_precision": 1,
        }

    def _diagnostics(self) -> dict[str, Component]:
        """Return sensors for figures from ``health``, most of them disabled by default."""
        figures: dict[str, tuple[str, str, Component]] = {
            "dropped": ("Dropped audio", "dropped_s", _figure("s") | {"state_class": "total_increasing"}),
            "queue": ("Queue", "queue", _figure("events")),
            "delay": ("Delay", "delay_s", _figure("s")),
            "inference": ("Inference", "inference_ms", _figure("ms")),
            "model": ("Model", "model ~ ' ' ~ value_json.model_version", {}),
            # Home Assistant takes at most 255 characters.
            "history": (
                "History",
                "history | default('ok', true) | truncate(255, true, '', 0)",
                {"enabled_by_default": True},
            ),
        }
        return {
            key: self._entity("sensor", key, name)
            | self._always
            | {
                "state_topic": self._topics.health,
                "value_template": f"{{{{ value_json.{value} }}}}",
                "entity_category": "diagnostic",
                "enabled_by_default": False,
                **more,
            }
            for key, (name, value, more) in figures.items()
        }

    def _listening_switch(self) -> Component:
        listens = "value_json.listening and not value_json.paused_until"
        switch = self._control("switch", "listening", "Listening", "listening")
        more = {"value_template": f"{{{{ 'ON' if {listens} else 'OFF' }}}}", "icon": "mdi:microphone"}
        return switch | _ON_OFF | more

    def _class_switch(self, label: str) -> Component:
        name = slug(label)
        return (
            self._control("switch", f"enabled_{name}", _words(label), f"sound/{name}/enabled")
            | _ON_OFF
            | {
                "value_template": f"{{{{ 'ON' if value_json.classes[{label!r}].enabled else 'OFF' }}}}",
                "entity_category": "config",
                "icon": icon(label),
            }
        )

    def _sensitivity(self, label: str) -> Component:
        name = slug(label)
        key, words = f"sensitivity_{name}", f"{_words(label)} sensitivity"
        return self._control("number", key, words, f"sound/{name}/threshold") | {
            "value_template": f"{{{{ (100 * (1 - value_json.classes[{label!r}].threshold)) | round(0) }}}}",
            "command_template": "{{ 1 - value / 100 }}",
            "min": 1,
            "max": 99,
            "step": 1,
            "unit_of_measurement": "%",
            "mode": "slider",
            "entity_category": "config",
            "icon": "mdi:tune-variant",
        }

    def _profile(self) -> Component:
        return self._control("select", "profile", "Profile", "profile") | {
            "value_template": "{{ value_json.profile }}",
            "options": list(self._announced.profiles),
            "entity_category": "config",
            "icon": "mdi:tune",
        }

    def _pause(self) -> Component:
        button = self._control("button", "pause", "Pause an hour", "pause")
        del button["state_topic"]
        return button | {"payload_press": "1h", "icon": "mdi:timer-pause-outline"}

    def _control(self, platform: str, key: str, name: str, command: str) -> Component:
        return (
            self._entity(platform, key, name)
            | self._always
            | {
                "command_topic": f"{self._topics.commands}{command}",
                "state_topic": self._topics.control,
                "qos": 1,
            }
        )

    def _entity(self, platform: str, key: str, name: str) -> Component:
        return {"platform": platform, "unique_id": f"{self._id}_{key}", "name": name}


def removed(entity: Component) -> Component:
    return {"platform": entity["platform"]}


def _figure(unit: str) -> Component:
    return {"unit_of_measurement": unit, "state_class": "measurement"}


def status(topics: Topics) -> Component:
    return {"topic": topics.status}


def listening(topics: Topics) -> Component:
    template = "{{ 'online' if value_json.microphone == 'listening' else 'offline' }}"
    return {"topic": topics.health, "value_template": template}


def _words(label: str) -> str:
    return label.replace("_", " ").capitalize()
