"""A real Node-RED that imports ``examples/node-red.json``, and what its flow makes of messages."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from mosquitto import Mosquitto, free_port
from paho.mqtt.enums import CallbackAPIVersion
from samples import ended, record
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from monitor.records import EventRecord

FLOW = Path(__file__).parents[2] / "examples" / "node-red.json"
_PATIENCE_S = 60.0
_SETTINGS = """\
module.exports = {{
  uiPort: {port}, uiHost: "127.0.0.1", flowFile: "flows.json", credentialSecret: false,
  telemetry: {{ enabled: false, updateNotification: false }},
}};
"""


def find() -> Sequence[str] | None:
    """Return the command of Node-RED: that in the variable NODE_RED, or ``node-red``; None without one."""
    if given := os.environ.get("NODE_RED"):
        return shlex.split(given)
    path = shutil.which("node-red")
    return None if path is None else [path]


@dataclass(frozen=True)
class Case:
    """A message of a node, and the notice that the flow must make of it; None if none."""

    what: str
    record: EventRecord
    notice: str | None


def cases() -> list[Case]:
    """Return messages in the order of sending; the last leads to a notice."""
    siren, held_back = record(1, notify=True), record(4, held_back="quiet_hours")
    late, elsewhere = record(3, notify=True, delayed=True), record(1, node="garden", notify=True)
    lasting = replace(ended(5, record(5, label="drilling")), notify=True)
    given = (
        ("an event", siren, "siren at balcony"),
        ("the same record again", siren, None),
        ("its end", replace(ended(2, siren), notify=False), None),
        ("a late event", late, None),
        ("an event in quiet hours", held_back, None),
        ("the same number from another node", elsewhere, "siren at garden"),
        ("the end of an event that had to last", lasting, "drilling at balcony"),
    )
    rest = ", 18.2 dB over background"
    return [Case(what, one, None if notice is None else notice + rest) for what, one, notice in given]


class NodeRed:
    """A Node-RED of its own in a folder, with the flow imported over its admin interface."""

    def __init__(self, command: Sequence[str], folder: Path, broker: Mosquitto) -> None:
        port = free_port()
        settings = folder / "settings.js"
        settings.write_text(_SETTINGS.format(port=port))
        self._url = f"http://127.0.0.1:{port}"
        self._log = folder / "node-red.log"
        with self._log.open("wb") as log:
            words = [*command, "--userDir", str(folder), "--settings", str(settings)]
            self._process = subprocess.Popen(words, stdout=log, stderr=log)
        self._broker = broker

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE_S)

    def version(self) -> str:
        return str(json.loads(self._wait(lambda: self._call("/settings")))["version"])

    def notices(self, sent: Sequence[Case]) -> list[str]:
        """Import the flow, send the messages and return the notices, up to that of the last message."""
        self._wait(lambda: self._call("/settings"))
        address = self._url.replace("http", "ws", 1) + "/comms"
        with connect(address, proxy=None) as comms:
            comms.send(json.dumps({"subscribe": "debug"}))
            flow = json.loads(FLOW.read_text(encoding="utf-8"))
            for node in flow:
                if node["type"] == "mqtt-broker":
                    node["port"] = str(self._broker.port)
            self._call("/flows", json.dumps(flow).encode())
            return self._send(comms, sent)

    def _send(self, comms: Connection, sent: Sequence[Case]) -> list[str]:
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", self._broker.port)
        client.loop_start()
        try:
            deadline = time.monotonic() + _PATIENCE_S
            # The flow has no sign of being subscribed; of equal records it reports one.
            while not _read(comms, 0.5):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"the flow makes no notice:\n{self._log.read_text()}")
                _publish(client, record(0, node="first", notify=True))
            made: list[str] = []
            for case in sent:
                _publish(client, case.record)
            while sent[-1].notice not in made and time.monotonic() < deadline:
                made += _read(comms, 0.5)
            return made
        finally:
            client.disconnect()
            client.loop_stop()

    def _call(self, path: str, body: bytes | None = None) -> bytes:
        headers = {"Content-Type": "application/json", "Node-RED-Deployment-Type": "full"}
        request = urllib.request.Request(self._url + path, body, headers)
        with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:
            content: bytes = answer.read()
            return content

    def _wait(self, ask: Callable[[], bytes]) -> bytes:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return ask()
            except OSError:
                ended = self._process.poll() is not None
                if ended or time.monotonic() > deadline:
                    raise RuntimeError(f"Node-RED does not answer:\n{self._log.read_text()}") from None
                time.sleep(0.1)  # it has no other sign of being ready


def _publish(client: paho.Client, one: EventRecord) -> None:
    client.publish(f"sound-monitor/{one.node}/event", one.to_json(), qos=1).wait_for_publish(_PATIENCE_S)


def _read(comms: Connection, timeout_s: float) -> list[str]:
    """Return the debug messages that came; waits that long for the first."""
    try:
        messages: list[dict[str, Any]] = json.loads(comms.recv(timeout=timeout_s))
    except TimeoutError:
        return []
    return [str(one["data"]["msg"]) for one in messages if one.get("topic") == "debug"]
