"""config.yaml and --set: every complaint is one line that names file, line, key and what would fit."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.load import SHIPPED_CONFIG, find_config, load_config, nearest, read_secret
from monitor.config.sections import Mqtt, Settings
from monitor.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def refusal(file: Path, text: str, *overrides: str) -> str:
    """What a config is refused with, the file's own path left out."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(file, overrides)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 2
    return message.replace(str(file), "FILE")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("audoi:\n  stall_s: 3\n", "FILE:1: audoi is no known key; did you mean audio?"),
        ("audio:\n  # why\n  stal_s: 3\n", "FILE:3: audio.stal_s is no known key; did you mean stall_s?"),
        ("mqtt:\n  tls: {ca_fil: x}\n", "FILE:2: mqtt.tls.ca_fil is no known key; did you mean ca_file?"),
        (
            "events:\n  classes:\n    siren:\n      entr: 0.5\n",
            "FILE:4: events.classes.siren.entr is no known key; did you mean enter?",
        ),
        (
            "events:\n  defaults: {exxit: 0}\n",
            "FILE:2: events.defaults.exxit is no known key; did you mean exit?",
        ),
        (
            "history:\n  qqq: 1\n",
            "FILE:2: history.qqq is no known key; known are: days, max_mb, path, waiting_days",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_one(file: Path, text: str, expected: str) -> None:
    assert refusal(file, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("audio:\n  stall_s: 0.1\n", "FILE:2: audio.stall_s is 0.1: must be greater than or equal to 0.5"),
        ("audio:\n  buffer_s: .nan\n", "FILE:2: audio.buffer_s is nan: must be a finite number"),
        (
            "audio:\n  raw_format: mp3\n",
            "FILE:2: audio.raw_format is 'mp3': must be 's16le', 's32le' or 'f32le'",
        ),
        (
            "audio:\n  device: [1]\n",
            "FILE:2: audio.device is [1]: must be a valid integer or must be text, "
            "in quotes if it looks like a number or a date",
        ),
        ("history:\n  path: ''\n", "FILE:2: history.path is '': must name a file"),
        ("history:\n  path: ./\n", "FILE:2: history.path is './': must name a file"),
        ("mqtt:\n  port: 70000\n", "FILE:2: mqtt.port is 70000: must be less than or equal to 65535"),
        (
            "mqtt:\n  base_topic: home/#\n",
            "FILE:2: mqtt.base_topic is 'home/#': must be topic levels joined by /; none empty, "
            "without +, # and spaces",
        ),
        (
            "mqtt:\n  level_interval_s: 0.5\n",
            "FILE:2: mqtt.level_interval_s is 0.5: must be 0 (off) or 1 second or more",
        ),
        ("mqtt:\n  password: x\n", "FILE:1: mqtt: a password needs a username"),
        (
            "mqtt: {username: a, password: x, password_file: y}\n",
            "FILE:1: mqtt: give password or password_file, not both",
        ),
        ("mqtt:\n  tls: {cert_file: a}\n", "FILE:2: mqtt.tls: cert_file and key_file go together"),
        ("events:\n  enabled: some\n", "FILE:2: events.enabled is 'some': must be 'all' or must be a list"),
        (
            "events:\n  classes: {siren: {enter: 2}}\n",
            "FILE:2: events.classes.siren.enter is 2: must be less than or equal to 1",
        ),
        (
            "events:\n  classes: {siren: 5}\n",
            "FILE:2: events.classes.siren is 5: must be a mapping of keys to values",
        ),
        ("model:\n  select: {a: []}\n", "FILE:2: model.select.a is []: must not be empty"),
        ("audio: 5\n", "FILE:1: audio is 5: must be a mapping of keys to values"),
        ("node: 42\n", "FILE:1: node is 42: must be text, in quotes if it looks like a number or a date"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(file: Path, text: str, expected: str) -> None:
    assert refusal(file, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("node: x\naudio: {}\nnode: y\n", "FILE:3: node is written twice; delete one"),
        ("audio:\n  wait: true\n  wait: false\n", "FILE:3: audio.wait is written twice; delete one"),
        ("audio: [\n", "FILE:2: not valid YAML"),
        ("node: !!python/object:os.system x\n", "FILE:1: not valid YAML"),
        ("node: 2026-13-45\n", "FILE: not valid YAML (month must be in 1..12)"),
        ("node: &a {b: *a}\n", "FILE:1: not valid YAML (an alias stands within"),
        ('node: "x\0"\n', "FILE: not valid YAML (unacceptable character"),
        ("- audio\n", "FILE: the config must be a mapping of sections"),
        ("just text", "FILE: the config must be a mapping of sections"),
    ],
)
def test_what_is_no_config_is_refused(file: Path, text: str, expected: str) -> None:
    assert refusal(file, text).startswith(expected)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere: cannot read the config \(No such file"):
        load_config(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"cannot read the config \(Is a directory\)"):
        load_config(tmp_path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("node: Müller".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        load_config(latin)


@given(st.text(max_size=60))
def test_any_text_is_either_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    refused = None
    try:
        load_config(file)
    except ConfigError as error:
        refused = str(error)
    assert refused is None or "\n" not in refused


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("broker.lan", "broker.lan"),
        (" broker.lan ", "broker.lan"),
        ("192.168.1.5", "192.168.1.5"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("bröker", "bröker"),
    ],
)
def test_a_broker_is_a_name_or_an_address(written: str, host: str) -> None:
    assert Mqtt(host=written).host == host


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("mqtt://broker.lan", "write host: broker.lan"),
        ("broker.lan:1884", "write host: broker.lan, port: 1884"),
        ("[::1]:1884", "write host: ::1, port: 1884"),
        ("mqtts://broker.lan:8883/", "write host: broker.lan, port: 8883, tls: {enabled: true}"),
        ("mqtt://ann:cr3t@broker.lan", "write host: broker.lan, username and password of their own"),
        ("broker.lan/", "write host: broker.lan"),
        ("my broker", "must be the name or the address of the broker"),
        (" ", "must be the name or the address of the broker"),
        ("broker.lan:port", "must be the name or the address of the broker"),
    ],
)
def test_what_is_pasted_as_a_broker_is_refused_with_the_right_form(
    tmp_path: Path, written: str, right: str
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"mqtt:\n  host: '{written}'\n")
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert f"{file}:2: mqtt.host" in str(caught.value)
    assert right in str(caught.value)
    assert "cr3t" not in str(caught.value)


def test_an_empty_file_and_empty_sections_keep_every_default(file: Path) -> None:
    for text in ("", "# nothing\n", "audio:\nmqtt:\n  tls:\nevents: {}\n"):
        file.write_text(text, encoding="utf-8")
        assert load_config(file).settings == Settings()


def test_the_environment_is_read_in_files_lists_and_overrides(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOUND_NODE", "bal${cony}")
    monkeypatch.setenv("SOUND_PORT", "1999")
    file.write_text(
        'node: "x-${SOUND_NODE}"\nmqtt: {port: "${SOUND_PORT}"}\nevents: {enabled: ["${SOUND_NODE}"]}\n'
    )
    settings = load_config(file, ["mqtt.host=${SOUND_NODE}"]).settings
    assert (settings.node, settings.mqtt.port) == ("x-bal${cony}", 1999)
    assert (settings.events.enabled, settings.mqtt.host) == (["bal${cony}"], "bal${cony}")


def test_a_variable_that_is_not_set_is_named_with_its_key(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOUND_HOST", raising=False)
    missing = "mqtt.host: the environment has no variable SOUND_HOST; set it"
    assert refusal(file, 'mqtt:\n  host: "${SOUND_HOST}"\n') == f"FILE:2: {missing}"
    assert refusal(file, "", "mqtt.host=${SOUND_HOST}") == f"--set: {missing}"


def test_a_secret_is_never_shown(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUND_SECRET", "hunter2")
    for text in (
        'mqtt: {password: "${SOUND_SECRET}"}\n',
        "mqtt:\n  password: [hunter2]\n",
        "mqtt: {password: hunter2, prot: 3}\n",
        "notices: {push: {urls: ntfys://hunter2}}\n",
        "notices: {push: {urls: [{a: hunter2}]}}\n",
    ):
        assert "hunter2" not in refusal(file, text)
    assert "hunter2" not in refusal(file, "", "mqtt.password=hunter2")
    file.write_text("mqtt: {username: a, password: hunter2}\n", encoding="utf-8")
    assert "hunter2" not in repr(load_config(file).settings)


def test_a_secret_may_lie_in_a_file_of_its_own(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\nsecond line\n", encoding="utf-8")
    assert read_secret(None, str(secret), "mqtt.password_file") == "hunter2"
    assert read_secret("plain", None, "mqtt.password_file") == "plain"
    assert read_secret(None, None, "mqtt.password_file") is None
    with pytest.raises(ConfigError, match=r"\(No such file or directory\)$"):
        read_secret(None, str(tmp_path / "nowhere"), "mqtt.password_file")


@pytest.mark.parametrize("content", [b"secret\r\n", b"secret", b"\xef\xbb\xbfsecret\r\n", b"secret\nmore\n"])
def test_a_secret_written_by_any_editor_is_the_same(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    assert read_secret(None, str(tmp_path / "secret"), "mqtt.password_file") == "secret"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"s\xe4cret\n", "is not UTF-8 text"),
        ("secret\n".encode("utf-16"), "is not UTF-8 text"),
        (b"", "the first line is empty"),
        (b"\nsecret\n", "the first line is empty"),
        (b"\xef\xbb\xbf\r\n", "the first line is empty"),
    ],
)
def test_a_secret_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"^mqtt.password_file: .*secret:? {reason}"):
        read_secret(None, str(tmp_path / "secret"), "mqtt.password_file")


def test_overrides_go_over_the_file_and_later_ones_over_earlier(file: Path) -> None:
    file.write_text("mqtt:\n  host: a\n  port: 1\n", encoding="utf-8")
    overrides = [
        "mqtt.host=b", "mqtt.host=c", "audio.device=3", "audio.wait=true", "node=",
        "events.classes.siren.enter=0.7", "events.enabled=[siren, dog_bark]", "mqtt.version=5",
    ]  # fmt: skip
    settings = load_config(file, overrides).settings
    assert (settings.mqtt.host, settings.mqtt.port, settings.mqtt.version) == ("c", 1, "5")
    assert (settings.audio.device, settings.audio.wait, settings.node) == (3, True, None)
    assert settings.events.classes["siren"].enter == 0.7
    assert settings.events.enabled == ["siren", "dog_bark"]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("mqtt", "--set mqtt: write section.key=value, for example mqtt.host=broker.lan"),
        ("mqtt.=3", "--set mqtt.=3: write section.key=value"),
        ("mqtt.hots=x", "--set: mqtt.hots is no known key; did you mean host?"),
        ("mqtt.port=x", "--set: mqtt.port is 'x': must be a valid integer"),
        ("mqtt.host=[", "--set mqtt.host: the value is not valid YAML"),
        (
            "node=2026-13-45",
            "--set node: the value is not valid YAML (month must be in 1..12); put text in quotes",
        ),
    ],
)
def test_an_override_that_is_wrong_is_refused(file: Path, override: str, expected: str) -> None:
    assert refusal(file, "mqtt:\n  port: 1\n", override).startswith(expected)


def test_an_override_of_a_whole_section_forgets_the_lines_that_it_replaces(file: Path) -> None:
    written = "events:\n  classes:\n    siren: {enter: 0.5}\n"
    assert refusal(file, written, "events.classes={siren: {enter: 2}}").startswith(
        "--set: events.classes.siren.enter"
    )


def test_where_names_the_nearest_line_that_was_written(file: Path) -> None:
    file.write_text("events:\n  classes:\n    siren: {enter: 0.5}\n", encoding="utf-8")
    config = load_config(file, ["mqtt.port=1"])
    assert config.where("events", "classes", "siren", "exit") == f"{file}:3: events.classes.siren.exit"
    assert config.where("events", "classes", "dog") == f"{file}:2: events.classes.dog"
    assert config.where("mqtt", "port") == "--set: mqtt.port"
    assert config.where("history") == f"{file}: history"


def test_the_config_is_looked_for_here_then_the_users_then_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    assert find_config(None) in (Path("/etc/sound-monitor/config.yaml"), SHIPPED_CONFIG)
    user = tmp_path / "home" / "sound-monitor" / "config.yaml"
    user.parent.mkdir(parents=True)
    user.touch()
    assert find_config(None) == user
    Path("config.yaml").touch()
    assert find_config(None) == Path("config.yaml")
    assert find_config(tmp_path / "other.yaml") == tmp_path / "other.yaml"


def test_nearest_names_one_word_or_the_list() -> None:
    assert nearest("sirn", ["siren", "dog"]) == "; did you mean siren?"
    assert nearest("zzz", ["siren", "dog"]) == "; known are: dog, siren"
    assert nearest("zzz", []) == ""


def test_every_message_of_a_range_says_must(file: Path) -> None:
    """None of pydantic's own phrases, which speak of inputs, gets through."""
    for text in ("audio: {stall_s: x}", "audio: {wait: 3}", "mqtt: {port: 1.5}", "model: {labels: 3}"):
        assert re.search(r": must ", refusal(file, text))


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 40))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("audio: &a {source: *a}", ":1: not valid YAML (an alias stands within what it refers to)"),
        ("&a [*a]", "an alias stands within"),
        ("a: &x\n  b: *x", ":2: not valid YAML (an alias stands within"),
        (BOMB, "holds more than 10000 values"),
        (MERGES, "holds more than 10000 values"),
        ("node: " + "[" * 100 + "]" * 100, "more than 30 levels"),
        ("node: " + "x" * 300_000, "larger than 256 KiB"),
        ("".join(f"k{i}: 1\n" for i in range(12_000)), "holds more than 10000 values"),
        ("audio: {source: !!timestamp q}", "not of the type that its tag says"),
        ("audio: {wait: !!bool x}", "not of the type that its tag says"),
        ("audio: {buffer_s: !!float x}", "not valid YAML ("),
        ("mqtt: {port: " + "9" * 5000 + "}", "not valid YAML ("),
        ("mqtt: {port: 0x" + "f" * 5000 + "}", "mqtt.port is too large a number"),
        ('model: {path: "a\\0b"}', ":1: model.path: holds a NUL character; remove it"),
        ('mqtt: {tls: {enabled: true, ca_file: "a\\0b"}}', "mqtt.tls.ca_file: holds a NUL character"),
        ("mqtt: {port: " + "q" * 5000 + "}", "mqtt.port is 'qqq"),
        ("audio: {source: [" + "x" * 5000 + "]}", "audio.source is ['xxx"),
        ("1: 1", "the key 1 must be text"),
        ("~: 1", "the key None must be text"),
        ("mqtt: {username: u, password: *cret}", "put text that begins with * or ! in quotes"),
        ("mqtt:\n  password: !cret x", "put text that begins with * or ! in quotes"),
    ],
)
def test_a_config_made_to_break_the_reader_is_one_short_line_in_no_time(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    began = time.process_time()
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    assert time.process_time() - began < 5.0
    message = str(refused.value)
    assert words in message
    assert "\n" not in message
    assert len(message) < 300 + len(str(path))
    assert "cret" not in message


def test_ordinary_anchors_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("audio: &a\n  wait: true\nmqtt: {host: &h broker, area: *h}\n")
    config = load_config(path)
    assert config.settings.audio.wait
    assert (config.settings.mqtt.host, config.settings.mqtt.area) == ("broker", "broker")


@pytest.mark.parametrize(
    "override", ["a\udce9=3", "node=\udce9", "mqtt.password={a: cret", "node=" + "[" * 99, "node=!cret"]
)
def test_an_override_made_to_break_the_reader_is_one_short_line(override: str) -> None:
    with pytest.raises(ConfigError, match=r"^--set ") as refused:
        load_config(SHIPPED_CONFIG, (override,))
    assert "\n" not in str(refused.value)
    assert "cret" not in str(refused.value)
    str(refused.value).encode()


def test_without_a_home_the_config_is_found_and_the_history_asks_for_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(uid: int) -> object:
        raise KeyError(uid)  # a container's user without a passwd entry

    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    settings = load_config().settings
    with pytest.raises(
        ConfigError, match=r"^history\.path: the home directory in ~/\.local/state.* is not known; set h"
    ):
        _ = settings.history_path
    assert load_config(None, ("history.path=/data/h.db",)).settings.history_path == Path("/data/h.db")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/sound-monitor")
    assert settings.history_path == Path("/var/lib/sound-monitor/history.db")


@pytest.mark.parametrize("key", ["history.path", "mqtt.password_file"])
def test_the_home_of_a_user_who_does_not_exist_is_named(key: str) -> None:
    with pytest.raises(
        ConfigError, match=f"^{key}: the home directory in ~nobody-of-that-name/x is not known"
    ):
        read_secret(None, "~nobody-of-that-name/x", key)
    with pytest.raises(ConfigError, match="the home directory in ~nobody-of-that-name/x is not known"):
        _ = load_config(SHIPPED_CONFIG, ("history.path=~nobody-of-that-name/x",)).settings.history_path
