"""A real Home Assistant Core in a folder of its own, set up and asked over REST and WebSocket."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mosquitto import free_port
from websockets.sync.client import connect

PATIENCE_S = 90.0
_CONFIGURATION = """\
homeassistant:
http:
  server_host: 127.0.0.1
  server_port: {port}
api:
config:
recorder:
  commit_interval: 1
logger:
  default: warning
mqtt:
automation: !include automations.yaml
"""
_BLUEPRINT = Path(__file__).resolve().parents[2] / "examples" / "home-assistant" / "notices.yaml"
_AUTOMATION = """\
- id: notices
  use_blueprint:
    path: sound_monitor/notices.yaml
    input:
      node: {node}
      target: persistent_notification.create
"""


def wait_until(condition: Callable[[], Any], what: str, limit_s: float = PATIENCE_S) -> Any:
    """Return the condition's first true value; TimeoutError says what did not come."""
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.2)
    return value


@dataclass(frozen=True)
class Complaint:
    """A warning or error of the log, at a local time."""

    at: datetime
    text: str


class HomeAssistant:
    """One instance with a user and the MQTT integration; ``python`` has ``homeassistant`` installed.

    The example blueprint makes a persistent notification of each notice of the node ``noticed``.
    """

    def __init__(self, python: Path, folder: Path, noticed: str) -> None:
        blueprints = folder / "blueprints" / "automation" / "sound_monitor"
        blueprints.mkdir(parents=True)
        shutil.copy(_BLUEPRINT, blueprints)
        (folder / "automations.yaml").write_text("[]\n")
        self._automation = _AUTOMATION.format(node=noticed)
        self.folder = folder
        self._python = python
        self._port = free_port()
        self._token = ""
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "configuration.yaml").write_text(_CONFIGURATION.format(port=self._port))

    def start(self) -> None:
        command = [self._python, "-m", "homeassistant", "-c", self.folder, "--skip-pip"]
        with (self.folder / "output.txt").open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        wait_until(self._answers, "Home Assistant does not answer")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_S)
            self._process = None

    def set_up(self, broker_port: int) -> None:
        """Make the first user, the MQTT entry by its config flow, and the automation of the blueprint."""
        client = f"http://127.0.0.1:{self._port}/"
        user = {"name": "Test", "username": "test", "password": "test", "language": "en"}
        code = self.post("/api/onboarding/users", {"client_id": client, **user})["auth_code"]
        form = {"grant_type": "authorization_code", "code": code, "client_id": client}
        self._token = self._call("/auth/token", urllib.parse.urlencode(form).encode())["access_token"]
        flow = self.post("/api/config/config_entries/flow", {"handler": "mqtt"})
        broker = {"broker": "127.0.0.1", "port": broker_port}
        made = self.post(f"/api/config/config_entries/flow/{flow['flow_id']}", broker)
        if made["type"] != "create_entry":
            raise SystemExit(f"the config flow of MQTT ended with {made}")
        wait_until(self._answers, "Home Assistant is not running")
        # Before there is an MQTT entry, its trigger would be an error.
        (self.folder / "automations.yaml").write_text(self._automation)
        self.post("/api/services/automation/reload", {})

    def version(self) -> str:
        return str(self._call("/api/config")["version"])

    def states(self) -> dict[str, dict[str, Any]]:
        """Return the state object of each MQTT entity, by entity id."""
        listed = self.post("/api/template", {"template": "{{ integration_entities('mqtt') | to_json }}"})
        return {one["entity_id"]: one for one in self._call("/api/states") if one["entity_id"] in listed}

    def state(self, entity: str) -> str | None:
        found = self.states().get(entity)
        return None if found is None else str(found["state"])

    def act(self, service: str, entity: str, **data: object) -> None:
        """Call a service such as ``switch.turn_off``."""
        domain, name = service.split(".")
        self.post(f"/api/services/{domain}/{name}", {"entity_id": entity, **data})

    def entities(self, node: str) -> dict[str, dict[str, Any]]:
        """Return the registered entities of a node's device by unique id, disabled ones too."""
        device = self.device(node)
        listed = self.ask("config/entity_registry/list")
        return {one["unique_id"]: one for one in listed if device and one["device_id"] == device["id"]}

    def device(self, node: str) -> dict[str, Any] | None:
        """Return a node's device; None if there is none."""
        name = f"Sound monitor {node}"
        return next((one for one in self.ask("config/device_registry/list") if one["name"] == name), None)

    def delete_device(self, node: str) -> None:
        """Delete a node's device as a user does."""
        device = self.device(node)
        assert device is not None
        (entry,) = device["config_entries"]
        self.ask("config/device_registry/remove_config_entry", config_entry_id=entry, device_id=device["id"])

    def reload_mqtt(self) -> None:
        (entry,) = self.ask("config_entries/get", domain="mqtt")
        self.post(f"/api/config/config_entries/entry/{entry['entry_id']}/reload", {})

    def notifications(self) -> list[str]:
        """Return the titles of the persistent notifications."""
        return [one["title"] for one in self.ask("persistent_notification/get")]

    def ask(self, kind: str, **values: object) -> Any:
        """Return the answer to a command of the WebSocket interface."""
        with connect(f"ws://127.0.0.1:{self._port}/api/websocket", proxy=None, max_size=None) as socket:
            for message in ({"type": "auth", "access_token": self._token}, {"id": 1, "type": kind, **values}):
                socket.recv(PATIENCE_S)
                socket.send(json.dumps(message))
            answer = json.loads(socket.recv(PATIENCE_S))
        if not answer.get("success"):
            raise RuntimeError(f"{kind}: {answer}")
        return answer["result"]

    def rows(self) -> dict[str, list[str]]:
        """Return the recorder's states of each entity in order; after a stop all are there."""
        query = (
            "select m.entity_id, state from states join states_meta m using (metadata_id) order by state_id"
        )
        rows: dict[str, list[str]] = {}
        with closing(sqlite3.connect(self.folder / "home-assistant_v2.db")) as database:
            for entity, state in database.execute(query):
                rows.setdefault(entity, []).append(state)
        return rows

    def complaints(self) -> list[Complaint]:
        """Return the warnings and errors of its log that name MQTT or this monitor."""
        lines = []
        for file in self.folder.glob("home-assistant.log*"):
            lines += file.read_text(errors="replace").splitlines()
        loud = [line for line in lines if " WARNING " in line or " ERROR " in line]
        return [
            Complaint(datetime.fromisoformat(line[:23]), line.split("[", 1)[-1])
            for line in loud
            if "mqtt" in line.lower() or "sound" in line.lower()
        ]

    def post(self, path: str, body: object) -> Any:
        return self._call(path, json.dumps(body).encode(), "application/json")

    def _answers(self) -> bool:
        try:
            self._call("/api/onboarding")
        except (OSError, ValueError):
            return False
        # With a token, also wait until all is started.
        return not self._token or self._call("/api/config")["state"] == "RUNNING"

    def _call(self, path: str, body: bytes | None = None, kind: str = "") -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", body)
        if kind:
            request.add_header("Content-Type", kind)
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {error.code} {error.read()!r}") from error
