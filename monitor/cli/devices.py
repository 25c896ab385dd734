"""``sound-monitor devices``: the microphones that PortAudio sees."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from monitor.cli.common import common_options, read_config


@click.command(epilog="Example: sound-monitor devices; sound-monitor run --set 'audio.device=USB'")
@common_options
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def devices(config_file: Path | None, overrides: tuple[str, ...], debug: bool, as_json: bool) -> None:
    """List the microphones with their native rates; * marks the default."""
    from monitor.sources.devices import no_device_advice
    from monitor.sources.microphone import list_devices

    read_config(config_file, overrides, debug)
    found = list_devices()
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(device) for device in found], indent=2))
        return
    if not found:
        click.echo(no_device_advice())
        return
    for device in found:
        mark = "*" if device.is_default else " "
        click.echo(
            f"{mark} {device.index:3}  {device.name}  ({device.host_api}, {device.max_inputs} channels, "
            f"{device.default_rate:g} Hz)"
        )
    click.echo(
        "Choose one by index or part of its name: audio.device in config.yaml, or --set audio.device=NAME"
    )
