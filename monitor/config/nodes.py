"""``sources``: the configuration of each source's node, made from the shared one and its entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from monitor.config.listening import Source
from monitor.config.load import Config, KeyPath, override
from monitor.errors import UsageError


def node_configs(config: Config) -> tuple[Config, ...]:
    """Return the configuration of each node: of each source in ``sources``, or the given one itself.

    What two nodes of one process must not share follows from the node's name, or from its number: the
    history, the folder of the clips, the MQTT client id and the port of the page.

    Raises
    ------
    ConfigError
        An entry contradicts the rest of the configuration.
    """
    settings = config.settings
    if settings.sources is None:
        return (config,)
    return tuple(_node_config(config, number, source) for number, source in enumerate(settings.sources))


def one_node(config: Config, node: str | None) -> Config:
    """Return the configuration of the node that a command is about.

    Parameters
    ----------
    node : str or None
        Its name; None if there is but one.

    Raises
    ------
    UsageError
        There are several sources and none is named, or none has that name.
    """
    if config.settings.sources is None and node is None:
        return config
    nodes = {str(one.settings.node): one for one in node_configs(config)} if config.settings.sources else {}
    if node is None:
        raise UsageError(f"there are several sources; choose one with --node: {', '.join(nodes)}")
    if node not in nodes:
        known = f"known are: {', '.join(nodes)}" if nodes else "the config lists no sources"
        raise UsageError(f"--node {node}: no source has this name; {known}")
    return nodes[node]


def _node_config(config: Config, number: int, source: Source) -> Config:
    settings = config.settings
    own = source.model_dump(exclude_unset=True, by_alias=True)
    values: dict[KeyPath, Any] = {("sources",): None, ("node",): own.pop("node")}
    values |= dict(_leaves(own.pop("events", {}), ("events",)))
    values |= {("audio", key): value for key, value in own.items()}
    values["audio", "wait"] = True
    history = settings.history_path
    values["history", "path"] = str(history.with_name(f"{history.stem}-{source.node}{history.suffix}"))
    values["clips", "path"] = str(settings.clips.folder(history) / source.node)
    if settings.mqtt.client_id is not None:
        values["mqtt", "client_id"] = f"{settings.mqtt.client_id}-{source.node}"
    if settings.web.enabled:
        values["web", "port"] = settings.web.port + number
    line = config.where("sources", str(number)).rpartition(": ")[0]
    return override(config, values, line)


def _leaves(values: Mapping[str, Any], key: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the values of nested mappings with their keys, so that each replaces its like alone."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*key, name))
        else:
            yield (*key, name), value
