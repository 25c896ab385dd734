"""A real Home Assistant Core in a folder of its own, set up and asked over its REST interface."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from mosquitto import free_port

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
"""


def wait_until(condition: Callable[[], Any], what: str, limit_s: float = PATIENCE_S) -> Any:
    """Return the condition's first true value; TimeoutError says what did not come."""
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.2)
    return value


class HomeAssistant:
    """One instance with a user and the MQTT integration; ``python`` has ``homeassistant`` installed."""

    def __init__(self, python: Path, folder: Path) -> None:
        folder.mkdir(parents=True)
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
        """Make the first user and, by its config flow, the MQTT entry."""
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

    def registry(self) -> dict[str, dict[str, Any]]:
        """Return the registered MQTT entities by unique id; current only after a stop."""
        stored = json.loads((self.folder / ".storage" / "core.entity_registry").read_text())
        return {one["unique_id"]: one for one in stored["data"]["entities"] if one["platform"] == "mqtt"}

    def devices(self) -> list[str]:
        stored = json.loads((self.folder / ".storage" / "core.device_registry").read_text())
        return [one["name"] for one in stored["data"]["devices"]]

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

    def complaints(self) -> list[str]:
        """Return the warnings and errors of its log that name MQTT or this monitor."""
        lines = []
        for file in self.folder.glob("home-assistant.log*"):
            lines += file.read_text(errors="replace").splitlines()
        loud = [line for line in lines if " WARNING " in line or " ERROR " in line]
        return [line for line in loud if "mqtt" in line.lower() or "sound" in line.lower()]

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
