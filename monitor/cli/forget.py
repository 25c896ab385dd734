"""``sound-monitor forget``: clear what a broker keeps of a node that is gone."""

from __future__ import annotations

import secrets
import socket
from contextlib import closing
from pathlib import Path

import click

from monitor.cli.common import common_options, read_config
from monitor.cli.show.text import count_text


@click.command(epilog="Example: sound-monitor forget balcony --set mqtt.host=broker.lan")
@click.argument("node")
@common_options
def forget(node: str, config_file: Path | None, overrides: tuple[str, ...], debug: bool) -> None:
    """Clear the retained topics of NODE and its device in Home Assistant.

    For a node that was renamed or given away. Its history on disk stays.
    """
    from monitor.delivery.forget import forget as clear
    from monitor.delivery.mqtt.link import connector
    from monitor.service.publishing import broker_settings, topics

    config = read_config(config_file, overrides, debug)
    mqtt = config.settings.mqtt
    connect = connector(broker_settings(config, f"sound-monitor-forget-{secrets.token_hex(4)}"))
    waker, wake = socket.socketpair()
    with waker, wake, closing(connect(None, wake)) as link:
        cleared = clear(link, topics(config, node, ()), mqtt.discovery_prefix, mqtt.timeout_s)
    for topic in cleared:
        click.echo(topic)
    click.echo(f"cleared {count_text(len(cleared), 'topic')} and the discovery of {node}", err=True)
