"""config.yaml is complete, and every key is described and bounded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from monitor.config.listening import ClassOverride
from monitor.config.load import SHIPPED_CONFIG, load_config
from monitor.config.sections import Settings
from monitor.settings import ClassSettings

ROOT = Path(__file__).resolve().parents[3]


def keys(values: BaseModel | dict[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Dotted keys and their values; a section gives those of its own."""
    items = (
        values
        if isinstance(values, dict)
        else {name: getattr(values, name) for name in type(values).model_fields}
    )
    for name, value in items.items():
        if isinstance(value, BaseModel) or (isinstance(value, dict) and value):
            yield from keys(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def test_config_yaml_holds_every_key_with_its_default_and_no_other() -> None:
    written = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    assert dict(keys(written)) == dict(keys(Settings()))


def test_keys_stand_in_config_yaml_in_the_order_of_the_sections() -> None:
    written = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    assert [key for key, _ in keys(written)] == [key for key, _ in keys(Settings())]


def test_the_shipped_config_is_config_yaml() -> None:
    assert SHIPPED_CONFIG.read_bytes() == (ROOT / "config.yaml").read_bytes()
    assert load_config(SHIPPED_CONFIG).settings == Settings()


def test_every_key_of_a_class_but_no_other_can_be_overridden() -> None:
    assert set(ClassOverride.model_fields) == set(ClassSettings.model_fields)


def _numbers(schema: dict[str, Any], name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for branch in [schema, *schema.get("anyOf", [])]:
        if branch.get("type") in ("number", "integer"):
            yield name, branch
        for key, value in branch.get("properties", {}).items():
            yield from _numbers(value, key)
    for key, value in schema.get("$defs", {}).items():
        yield from _numbers(value, key)


def test_every_number_of_the_schema_has_a_range() -> None:
    found = list(_numbers(Settings.model_json_schema()))
    assert len(found) >= 30
    for name, branch in found:
        if name == "device":  # an index, whatever PortAudio counts to
            continue
        assert {"minimum", "exclusiveMinimum"} & set(branch), name
        assert "maximum" in branch, name


def test_the_schema_refuses_unknown_keys_and_names_every_section() -> None:
    schema = Settings.model_json_schema()
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(Settings.model_fields)
    assert all(part.get("additionalProperties") is False for part in schema["$defs"].values())


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"STATE_DIRECTORY": "/var/lib/sound-monitor:/other"}, "/var/lib/sound-monitor/history.db"),
        ({"XDG_STATE_HOME": "/x"}, "/x/sound-monitor/history.db"),
        ({"HOME": "/home/a"}, "/home/a/.local/state/sound-monitor/history.db"),
    ],
)
def test_the_history_lies_in_systemds_xdgs_or_the_users_state_directory(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str
) -> None:
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Settings().history_path == Path(expected)
