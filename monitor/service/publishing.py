"""Translates settings for delivery: broker, topics and subscriptions; shared by run and replay."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from monitor.config.load import Config, read_secret
from monitor.delivery.broker.embedded import Login
from monitor.delivery.homeassistant.discovery import discovery_topic
from monitor.delivery.mqtt.connection import BrokerSettings
from monitor.delivery.topics import Topics, slug
from monitor.errors import ConfigError
from monitor.stream.assembly import node_name


def client_id(config: Config) -> str:
    """Return the MQTT client id, configured or derived from the node; only one process may use it."""
    return config.settings.mqtt.client_id or f"sound-monitor-{slug(node_name(config))}"


def broker_settings(config: Config, client: str) -> BrokerSettings:
    """Return the broker's address and credentials, for the MQTT client id ``client``.

    Raises
    ------
    ConfigError
        The password file cannot be read.
    """
    mqtt = config.settings.mqtt
    return BrokerSettings(
        host=mqtt.host,
        port=mqtt.port,
        client_id=client,
        username=mqtt.username,
        password=_password(config),
        version=mqtt.version,
        keepalive_s=mqtt.keepalive_s,
        tls=mqtt.tls.enabled,
        ca_file=mqtt.tls.ca_file,
        cert_file=mqtt.tls.cert_file,
        key_file=mqtt.tls.key_file,
    )


def topics(config: Config, node: str, labels: tuple[str, ...]) -> Topics:
    """Return the topics of a node; ``labels`` are the labels that produce events.

    Raises
    ------
    ConfigError
        Two labels would share a topic.
    """
    return Topics(config.settings.mqtt.base_topic, node, labels)


@contextmanager
def broker(
    config: Config, client: str, nodes: Sequence[Topics], login: Login | None = None
) -> Iterator[BrokerSettings]:
    """Yield the address of the broker, which is the embedded one if so configured.

    The embedded broker runs for the duration of the context.

    Parameters
    ----------
    nodes : sequence of Topics
        The nodes of this process.
    login : Login or None
        The credentials at an embedded broker that runs already.

    Raises
    ------
    ConfigError
        The password file cannot be read. The embedded broker would be open to everyone, does not
        support the settings, or amqtt is missing.
    PublishError
        The port is in use, or the address does not belong to this machine.
    """
    mqtt, settings = config.settings.mqtt, broker_settings(config, client)
    if mqtt.broker != "embedded":
        yield settings
        return
    if login is not None:
        yield replace(settings, username=login.username, password=login.password)
        return
    if mqtt.tls.enabled or mqtt.version != "3.1.1":
        key = ("mqtt", "tls", "enabled") if mqtt.tls.enabled else ("mqtt", "version")
        raise ConfigError(
            f"{config.where(*key)}: the embedded broker speaks MQTT 3.1.1 without TLS;"
            " take it back, or set mqtt.broker: external"
        )
    from monitor.delivery.broker.embedded import EmbeddedBroker

    embedded = EmbeddedBroker(
        mqtt.port,
        mqtt.host,
        username=settings.username,
        password=settings.password,
        topics=nodes,
        discovery=[discovery_topic(node, mqtt.discovery_prefix) for node in nodes],
    )
    embedded.start()
    try:
        yield replace(settings, username=embedded.login.username, password=embedded.login.password)
    finally:
        embedded.stop()


def subscribe_command(config: Config, topics: Topics) -> str:
    """Return a shell command that shows all messages of the node in another terminal."""
    mqtt = config.settings.mqtt
    words = ["mosquitto_sub", "-h", mqtt.host, "-p", str(mqtt.port)]
    if mqtt.username is not None:
        words += ["-u", mqtt.username, "-P", "PASSWORD"]
    if mqtt.tls.enabled:
        words += ["--cafile", mqtt.tls.ca_file] if mqtt.tls.ca_file else ["--tls-use-os-certs"]
    return f"{shlex.join(words)} -t {shlex.quote(topics.all)} -v"


def _password(config: Config) -> str | None:
    mqtt = config.settings.mqtt
    return read_secret(mqtt.password, mqtt.password_file, "mqtt.password_file")
