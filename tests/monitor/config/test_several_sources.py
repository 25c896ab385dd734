"""``sources``: each entry is a node of its own; whatever is wrong with the list is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config.load import Config, load_config
from monitor.config.nodes import node_configs, one_node
from monitor.errors import ConfigError, UsageError

WHOLE = """\
audio: {source: microphone, device: null, stall_s: 9}
history: {path: /data/events.db}
mqtt: {client_id: home}
web: {enabled: true, port: 9000}
events:
  enabled: [siren]
  classes: {siren: {enter: 0.9, exit: 0.2}}
  loud: {hours: [{from: "22:00", to: "07:00", enter_db: 12, exit_db: 6}]}
sources:
  - {node: kitchen, device: USB, sensitivity_dbfs: -30}
  - node: yard
    source: rtsp://me:cret@camera/x
    stall_s: 5
    events: {enabled: all, classes: {siren: {enter: 0.7}, dog_bark: {enter: 0.6}}}
"""


def load(folder: Path, text: str) -> Config:
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return load_config(file)


def test_an_entry_overrides_what_it_names_and_the_rest_is_shared(tmp_path: Path) -> None:
    kitchen, yard = (config.settings for config in node_configs(load(tmp_path, WHOLE)))
    assert (kitchen.node, kitchen.audio.device, kitchen.audio.sensitivity_dbfs) == ("kitchen", "USB", -30)
    assert (kitchen.audio.source, yard.audio.source) == ("microphone", "rtsp://me:cret@camera/x")
    assert (kitchen.audio.stall_s, yard.audio.stall_s) == (9, 5)
    assert kitchen.events.enabled == ["siren"]
    assert kitchen.events.classes["siren"].enter == 0.9
    assert yard.events.enabled == "all"
    assert (yard.events.classes["siren"].enter, yard.events.classes["siren"].exit) == (0.7, 0.2)
    assert yard.events.classes["dog_bark"].enter == 0.6
    assert yard.events.loud == kitchen.events.loud
    assert yard.events.loud.hours[0].start == "22:00"


def test_no_two_nodes_share_a_history_a_folder_of_clips_a_client_id_or_a_port(tmp_path: Path) -> None:
    settings = [config.settings for config in node_configs(load(tmp_path, WHOLE))]
    assert [str(one.history_path) for one in settings] == ["/data/events-kitchen.db", "/data/events-yard.db"]
    assert [one.clips.path for one in settings] == ["/data/clips/kitchen", "/data/clips/yard"]
    assert [one.mqtt.client_id for one in settings] == ["home-kitchen", "home-yard"]
    assert [one.web.port for one in settings] == [9000, 9001]


def test_without_sources_the_config_is_the_nodes(tmp_path: Path) -> None:
    config = load(tmp_path, "node: x\n")
    assert node_configs(config) == (config,)
    assert one_node(config, None) is config
    with pytest.raises(UsageError, match=r"^--node y: no source has this name; the config lists no sources$"):
        one_node(config, "y")


def test_a_command_about_one_node_names_the_choice(tmp_path: Path) -> None:
    config = load(tmp_path, WHOLE)
    assert one_node(config, "yard").settings.audio.stall_s == 5
    with pytest.raises(
        UsageError, match=r"^there are several sources; choose one with --node: kitchen, yard$"
    ):
        one_node(config, None)
    with pytest.raises(UsageError, match=r"^--node hall: no source .* known are: kitchen, yard$"):
        one_node(config, "hall")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sources: []\n", "FILE:1: sources: must not be empty"),
        ("sources: 5\n", "FILE:1: sources: must be a list"),
        ("sources: [3]\n", "FILE:1: sources: must be a mapping of keys to values"),
        (
            "sources:\n - {node: a}\n - {node: a}\n",
            "FILE:1: sources: two sources have the node a; rename one",
        ),
        (
            "audio: {source: 'rtsp://me:cret@x'}\nsources: [{node: a}]\n",
            "FILE:2: sources: audio.source is given too; each of the sources has its own, so delete it",
        ),
        (
            "audio: {device: 2}\nsources: [{node: a}]\n",
            "FILE:2: sources: audio.device is given too; each of the sources has its own, so delete it",
        ),
        (
            "node: x\nsources: [{node: a}]\n",
            "FILE:2: sources: node is given too; each of the sources has its own, so delete it",
        ),
        ("sources:\n - {source: 'rtsp://me:cret@x'}\n", "FILE:2: sources.0: needs the key node"),
        (
            "sources:\n - node: a\n - node: b\n   stal_s: 3\n",
            "FILE:4: sources.1.stal_s is no known key; did you mean stall_s?",
        ),
        (
            "sources:\n - node: a\n   stall_s: 0\n",
            "FILE:3: sources.0.stall_s is 0: must be greater than or equal to 0.5",
        ),
        (
            "sources:\n - node: a\n   events: {classes: {siren: {entr: 1}}}\n",
            "FILE:3: sources.0.events.classes.siren.entr is no known key; did you mean enter?",
        ),
        (
            "sources: [{node: Living room}]\n",
            "FILE:1: sources.0.node is 'Living room': must be of a to z, 0 to 9, _ and -, and short",
        ),
        (
            "sources: [{node: a, source: '-'}]\n",
            "FILE:1: sources.0.source is '-': must be microphone or a URL; "
            "standard input needs a monitor of its own",
        ),
        ("sources:\n - node: a\n   node: b\n", "FILE:3: sources.0.node is written twice; delete one"),
        (
            "web: {enabled: true, port: 65535}\nsources:\n - node: a\n - node: b\n",
            "FILE:4: web.port is 65536: must be less than or equal to 65535",
        ),
    ],
)
def test_a_list_that_cannot_be_meant_is_one_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        node_configs(load(tmp_path, text))
    message = str(refused.value)
    assert message.replace(str(tmp_path / "config.yaml"), "FILE") == expected
    assert refused.value.exit_code == 2
    assert "cret" not in message
