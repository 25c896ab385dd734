"""A node's self-description on retained topics: labels, settings and Home Assistant discovery."""

from __future__ import annotations

import ipaddress
import logging
from dataclasses import replace
from typing import get_args

from monitor import __version__
from monitor.config.load import Config
from monitor.control.commands import Commands
from monitor.control.state import ControlState
from monitor.delivery.homeassistant.discovery import discovery, discovery_topic
from monitor.delivery.mqtt.announcement import Announcement
from monitor.delivery.mqtt.board import Message
from monitor.delivery.mqtt.connection import Inbox, Incoming
from monitor.delivery.mqtt.leftovers import Leftovers
from monitor.delivery.mqtt.publisher import MqttPublisher
from monitor.delivery.topics import Topics
from monitor.model.card import ProfileName
from monitor.service.nodes import Nodes
from monitor.settings import silent
from monitor.stream.assembly import Assembly, calibration

log = logging.getLogger(__name__)


class Presence:
    """Publishes which labels can be reported and the settings in force.

    Parameters
    ----------
    config : Config
        The configuration.
    topics : Topics
        Topics of the node, with all labels that could be reported at the start.
    publisher : MqttPublisher
        Used for publishing.
    """

    def __init__(self, config: Config, topics: Topics, publisher: MqttPublisher) -> None:
        self._config = config
        self._topics = topics
        self._publisher = publisher
        self._known = dict.fromkeys(topics.labels)
        self._birth = f"{config.settings.mqtt.discovery_prefix}/status"
        self._leftovers = Leftovers(topics)
        self._announced: Announcement | None = None

    def show(self, assembly: Assembly) -> None:
        """Publish the states of the labels that can be reported and clear those of all others.

        No controls are announced, as nobody takes commands.
        """
        never = silent(assembly.tracked)
        labels = tuple(label for label in assembly.event_labels if label not in never)
        self._show(assembly, labels, commands=False)

    def follow(self, state: ControlState) -> None:
        """Publish the settings in force; a class that is temporarily disabled stays announced."""
        never, commands = silent(state.assembly.tracked), self._config.settings.mqtt.commands
        labels = tuple(label for label in state.classes if label not in never)
        self._show(state.assembly, labels, commands=commands)
        if commands:
            self._publisher.set_retained(Message(self._topics.control, state.to_json(), 1, True))

    def subscribe(self, commands: Commands | None, nodes: Nodes | None) -> None:
        """Receive our own retained topics, Home Assistant's birth message, commands and other nodes."""
        mqtt = self._config.settings.mqtt
        # The embedded broker keeps nothing from an earlier run.
        filters = [] if mqtt.broker == "embedded" else [*self._topics.of_sounds]
        if mqtt.discovery:
            filters.append(self._birth)
        if not mqtt.commands:
            commands = None
        if commands is not None:
            filters.append(f"{self._topics.commands}#")
        if nodes is not None:
            filters += nodes.filters

        def receive(message: Incoming) -> None:
            if nodes is not None and nodes.receive(message):
                return
            if message.topic == self._birth:
                self._on_birth(message)
            elif not message.topic.startswith(self._topics.commands):
                self._on_sound(message)
            elif commands is not None:
                name = message.topic.removeprefix(self._topics.commands)
                commands.receive(name, message.payload, retained=message.retained)

        self._publisher.subscribe(Inbox(tuple(filters), receive))

    def _on_birth(self, message: Incoming) -> None:
        # A retained message is no new birth: it predates our connection, at which everything was published.
        if message.payload == b"online" and not message.retained:
            log.info("Home Assistant has started: announcing everything again")
            self._publisher.say_again()

    def _on_sound(self, message: Incoming) -> None:
        """Clear what an earlier run announced and this one does not: its state would stay for ever."""
        if message.retained and message.payload:
            if self._leftovers.found(message.topic):
                log.info("clearing %s, left by an earlier run", message.topic)
                self._publisher.clear(message.topic)
        elif self._leftovers.complete() and self._announced is not None:
            self._announce(self._announced)

    def _announce(self, announced: Announcement) -> None:
        self._announced = announced
        prefix, left = self._config.settings.mqtt.discovery_prefix, self._leftovers
        gone = (*announced.gone, *left.labels)
        announced = replace(announced, gone=gone, gone_groups=left.groups)
        self._publisher.set_retained(discovery(self._topics, announced, prefix=prefix))

    def _show(self, assembly: Assembly, labels: tuple[str, ...], *, commands: bool) -> None:
        mqtt, topics = self._config.settings.mqtt, self._topics
        self._known |= dict.fromkeys(labels)
        groups = {name: group.labels for name, group in assembly.notices.groups.items()}
        self._publisher.set_labels(labels)
        self._publisher.set_groups(groups)
        self._leftovers.labels_in_use(labels)
        self._leftovers.groups_in_use(groups)
        if not commands:
            self._publisher.set_retained(Message(topics.control, "", 1, True))
        if not mqtt.discovery:
            topic = discovery_topic(topics, mqtt.discovery_prefix)
            self._publisher.set_retained(Message(topic, "", 1, True))
            return
        card = assembly.model.card
        announced = Announcement(
            labels=labels,
            gone=tuple(label for label in self._known if label not in labels),
            version=__version__,
            model=f"{card.name} {card.version}",
            level=mqtt.level_interval_s > 0,
            noise=calibration(self._config) is not None,
            commands=commands,
            groups=tuple(groups),
            profiles=get_args(ProfileName),
            area=mqtt.area,
            page=page_address(self._config),
        )
        self._announce(announced)


def page_address(config: Config) -> str | None:
    """Return the URL of the page if other machines can open it."""
    web = config.settings.web
    if not web.enabled:
        return None
    try:
        address = ipaddress.ip_address(web.host)
    except ValueError:
        return None if web.host == "localhost" else f"http://{web.host}:{web.port}/"
    if address.is_loopback or address.is_unspecified:
        return f"http://{web.names[0]}:{web.port}/" if web.names and address.is_unspecified else None
    return f"http://[{address}]:{web.port}/" if address.version == 6 else f"http://{address}:{web.port}/"
