"""``sound-monitor config``: show the settings in force and their effect with the model in use."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from monitor.cli.common import common_options, read_config
from monitor.config.load import Config
from monitor.config.sections import Settings
from monitor.control.control import Control
from monitor.control.state import ControlState
from monitor.control.store import SettingsStore, settings_path
from monitor.daemon import assemble_nodes
from monitor.sources.url import MASK, masked
from monitor.stream.assembly import Assembly, node_name


@click.command(epilog="Example: sound-monitor config --set events.profile=sensitive")
@common_options
@click.option("--schema", is_flag=True, help="Print the JSON schema of config.yaml instead.")
@click.option("--json", "as_json", is_flag=True, help="Print the effective values as JSON.")
def config(
    config_file: Path | None, overrides: tuple[str, ...], debug: bool, schema: bool, as_json: bool
) -> None:
    """Show the settings in force.

    They are followed by window, hop and timing of the model in use in seconds, and by the settings
    changed while running (over MQTT or on the page), which apply to ``run`` only.
    """
    if schema:
        click.echo(json.dumps(Settings.model_json_schema(), indent=2))
        return
    loaded = read_config(config_file, overrides, debug)
    nodes = [_Node.of(one, assembly) for one, assembly in assemble_nodes(loaded)]
    values = _masked(loaded)
    if as_json:
        _print_json(loaded, nodes, values)
    else:
        _print_text(loaded, nodes, values)


@dataclass(frozen=True)
class _Node:
    """What is in force for one node."""

    config: Config
    store: SettingsStore
    state: ControlState

    @classmethod
    def of(cls, config: Config, assembly: Assembly) -> _Node:
        store = SettingsStore(settings_path(config.settings.history_path))
        return cls(config, store, Control(config, assembly, store).state)

    def to_json(self) -> dict[str, Any]:
        classes = {label: settings.model_dump() for label, settings in self.state.assembly.classes.items()}
        return {
            "classes": classes,
            "changed": {key: asdict(change) for key, change in self.state.changes.items()},
        }


def _print_json(loaded: Config, nodes: list[_Node], values: dict[str, object]) -> None:
    document = {"file": str(loaded.file), "settings": values}
    if loaded.settings.sources is None:
        document |= nodes[0].to_json()
    else:
        document["nodes"] = {node_name(node.config): node.to_json() for node in nodes}
    click.echo(json.dumps(document, indent=2))


def _masked(loaded: Config) -> dict[str, object]:
    """Return the settings without passwords, and URLs without what is secret in them."""
    values = _without_passwords(loaded.settings.model_dump(mode="json"))
    values["history"]["path"] = str(loaded.settings.history_path)
    values["audio"]["source"] = masked(values["audio"]["source"])
    if loaded.settings.sources is None:
        values["node"] = node_name(loaded)
    else:
        given = [one.model_dump(mode="json", exclude_unset=True) for one in loaded.settings.sources]
        values["sources"] = [
            {**one, "source": masked(one["source"])} if "source" in one else one for one in given
        ]
    values["mqtt"]["host"] = masked(values["mqtt"]["host"])
    values["notices"]["push"]["urls"] = [MASK for _ in values["notices"]["push"]["urls"]]
    return values


def _without_passwords(section: dict[str, Any]) -> dict[str, Any]:
    return {key: _shown(key, value) for key, value in section.items()}


def _shown(key: str, value: object) -> object:
    if isinstance(value, dict):
        return _without_passwords(value)
    return MASK if key == "password" and value is not None else value


def _print_text(loaded: Config, nodes: list[_Node], values: dict[str, object]) -> None:
    import yaml

    assembly = nodes[0].state.assembly
    card = assembly.model.card
    click.echo(f"# read from {loaded.file}")
    click.echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), nl=False)
    click.echo(f"\n# model {card.name} {card.version} ({assembly.model.runtime}), licence: {card.licence}")
    click.echo(f"# {card.sample_rate} Hz, window {assembly.window_s:g} s, hop {assembly.hop_s:g} s")
    for node in nodes:
        if loaded.settings.sources is not None:
            settings = node.config.settings
            source = settings.audio.device if settings.audio.source == "microphone" else settings.audio.source
            click.echo(f"\n# node {settings.node}: {masked(str(source or 'default microphone'))}")
            click.echo(f"# history {settings.history_path}")
        _print_node(node)


def _print_node(node: _Node) -> None:
    state, hop_s = node.state, node.state.assembly.hop_s
    click.echo(f"# profile {state.profile}, in seconds; hops in brackets")
    click.echo("# class              enter  exit  attack       release      smoothing    cooldown")
    for label, settings in state.assembly.classes.items():
        times = (settings.attack_s, settings.release_s, settings.smoothing_s, settings.cooldown_s)
        columns = "  ".join(f"{time_s:5g} ({-(-time_s // hop_s):3.0f})" for time_s in times)
        click.echo(f"# {label:18} {settings.enter:5.2f} {settings.exit:5.2f}  {columns}")
    if state.changes:
        click.echo(f"\n# changed while running, kept in {node.store.path}; holds over what stands above:")
        for key, change in state.changes.items():
            click.echo(f"# {key}: {json.dumps(change.value)}  by {change.by}, {change.at}")
