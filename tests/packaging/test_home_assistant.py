"""The add-on's options, every branch of their schema, make a config that the daemon accepts."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from monitor.config.load import load_config

FOLDER = Path(__file__).resolve().parents[2] / "packaging" / "home-assistant"
DECLARED: dict[str, Any] = yaml.safe_load((FOLDER / "config.yaml").read_text(encoding="utf-8"))
EXAMPLES = {
    "str": ["home"],
    "bool": [True, False],
    "port": [8883],
    "password": ["s3cret"],
    "node": ["Garden shed"],
    "classes": [[], ["siren"]],
    "sounds": [[], ["baby_cry"]],
    "settings": [[], ["audio.silence_s=60"]],
}
"""Values by key, else by type."""


@pytest.fixture(scope="module")
def start() -> ModuleType:
    spec = importlib.util.spec_from_file_location("addon_start", FOLDER / "start.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Supervisor(HTTPServer):
    """Answers as the Supervisor does about the MQTT service."""

    service: Mapping[str, Any] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Supervisor

    def do_GET(self) -> None:
        known = self.path == "/services/mqtt" and self.headers["Authorization"] == "Bearer token"
        service = self.server.service if known else None
        self.send_response(200 if service else 400)
        self.end_headers()
        self.wfile.write(json.dumps({"result": "ok", "data": service} if service else {}).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    with Supervisor(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def values(key: str, kind: object) -> list[Any]:
    """Values that an option can have; None where it may be left out."""
    if isinstance(kind, dict):
        return [None, *branches(kind)]
    if key in EXAMPLES:
        return EXAMPLES[key]
    assert isinstance(kind, str), f"no example of {key}"
    optional, plain = kind.endswith("?"), kind.removesuffix("?")
    found = plain[5:-1].split("|") if plain.startswith("list(") else EXAMPLES[plain]
    return [None, *found] if optional else list(found)


def branches(schema: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    """Every combination of options that the schema allows, one value a kind."""
    columns = [[(key, value) for value in values(key, kind)] for key, kind in schema.items()]
    for chosen in product(*columns):
        yield {key: value for key, value in chosen if value is not None}


def test_every_branch_of_the_schema_makes_a_config_that_the_daemon_accepts(
    start: ModuleType, tmp_path: Path
) -> None:
    file = tmp_path / "config.yaml"
    seen: set[str] = set()
    for options in branches(DECLARED["schema"]):
        config = start.rendered(options, {"host": "broker"})
        text = yaml.safe_dump(config)
        overrides = tuple(part for part in start.command(options, file)[4:] if part != "--set")
        if (key := f"{text}{overrides}") in seen:
            continue
        seen.add(key)
        file.write_text(text, encoding="utf-8")
        settings = load_config(file, overrides).settings
        assert settings.node == options["node"]
        assert settings.events.profile == options["profile"]
        assert settings.web.write == options["write"]
    assert len(seen) > 50


def test_each_option_is_translated_and_documented() -> None:
    documented = (FOLDER / "DOCS.md").read_text(encoding="utf-8")
    for file in sorted((FOLDER / "translations").glob("*.yaml")):
        translated = yaml.safe_load(file.read_text(encoding="utf-8"))["configuration"]
        assert set(translated) == set(DECLARED["schema"]), file.name
    assert all(f"| `{key}` |" in documented for key in DECLARED["schema"])
    assert set(DECLARED["options"]) <= set(DECLARED["schema"])


@pytest.mark.parametrize("ssl", [False, True])
@pytest.mark.parametrize("username", ["", "addons"])
def test_the_broker_that_the_supervisor_knows_is_used(
    start: ModuleType, supervisor: Supervisor, ssl: bool, username: str, tmp_path: Path
) -> None:
    supervisor.service = {
        "host": "core-mosquitto", "port": 1883, "ssl": ssl, "username": username, "password": "s3cret"
    }  # fmt: skip
    mqtt = start.broker({}, supervisor.url, "token")
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(start.rendered({}, mqtt)), encoding="utf-8")
    settings = load_config(file).settings.mqtt
    assert (settings.host, settings.port, settings.tls.enabled) == ("core-mosquitto", 1883, ssl)
    assert (settings.username, settings.password) == (("addons", "s3cret") if username else (None, None))


def test_a_broker_in_the_options_goes_first(start: ModuleType, supervisor: Supervisor) -> None:
    options = {"mqtt": {"host": "other.lan", "port": 8883, "username": ""}}
    assert start.broker(options, supervisor.url, "token") == {"host": "other.lan", "port": 8883}


@pytest.mark.parametrize("token", [None, "forged"])
def test_without_a_broker_it_says_what_to_do(
    start: ModuleType, supervisor: Supervisor, token: str | None
) -> None:
    supervisor.service = None
    with pytest.raises(start.StartError, match="install the Mosquitto add-on"):
        start.broker({}, supervisor.url, token)
