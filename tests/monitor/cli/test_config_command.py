"""``sound-monitor config`` shows what holds, also what was changed while running."""

from __future__ import annotations

from pathlib import Path

from calling import Call

from monitor.config.load import load_config
from monitor.control.control import Control
from monitor.control.store import SettingsStore, settings_path
from monitor.stream.assembly import assemble


def change(folder: Path, key: str, value: object) -> None:
    config = load_config()
    store = SettingsStore(settings_path(folder / "history.db"))
    Control(config, assemble(config), store).apply(key, value, "mqtt")


def test_what_was_changed_while_running_is_shown_with_its_origin(call: Call, tmp_path: Path) -> None:
    history = ("--set", f"history.path={tmp_path / 'history.db'}")
    before = call("config", *history)
    assert "changed while running" not in before.out
    change(tmp_path, "profile", "sensitive")
    change(tmp_path, "classes.siren.threshold", 0.33)
    shown = call("config", *history)
    assert shown.code == 0
    assert f"kept in {tmp_path / 'history.settings.json'}" in shown.out
    assert '# profile: "sensitive"  by mqtt, 20' in shown.out
    assert "# siren               0.33" in shown.out
    document = call("config", "--json", *history).json_document
    assert document["changed"]["classes.siren.threshold"]["value"] == 0.33
    assert document["classes"]["siren"]["enter"] == 0.33
    assert document["settings"]["events"]["profile"] == "quiet"


def test_no_secret_of_a_source_is_shown(call: Call) -> None:
    for options in ((), ("--json",)):
        shown = call("config", *options, "--set", "audio.source=rtsp://me:cret@camera/x")
        assert "rtsp://***@camera/x" in shown.out
        assert "me:cret" not in shown.out


def test_no_password_of_any_section_is_shown(call: Call) -> None:
    secrets = ("mqtt.username=u", "mqtt.password=cret1", "web.password=cret2")
    given = [part for secret in secrets for part in ("--set", secret)]
    for options in ((), ("--json",)):
        shown = call("config", *options, *given, "--set", "notices.push.urls=[mailto://a:cret3@b]")
        assert shown.code == 0
        assert shown.out.count("***") == 3
        assert "cret" not in shown.out + shown.err
