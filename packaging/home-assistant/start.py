"""Start the daemon as a Home Assistant add-on: options and the Supervisor's broker become its config.

Reads ``/data/options.json``, asks the Supervisor for the MQTT service, writes ``/data/config.yaml`` and
replaces itself by ``sound-monitor run``. Exit code 2 when the options make no valid config.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SUPERVISOR = "http://supervisor"
INGRESS = "172.30.32.2"
"""Where the Supervisor's ingress, which authenticates people, comes from."""

Values = dict[str, Any]


class StartError(Exception):
    """Why the add-on cannot start, in one line."""


def broker(options: Mapping[str, Any], supervisor: str, token: str | None) -> Values:
    """Return the ``mqtt`` section: the broker of the options, or the one that the Supervisor knows.

    Raises
    ------
    StartError : neither names one
    """
    given = options.get("mqtt") or {}
    if given.get("host"):
        return {key: value for key, value in given.items() if value not in (None, "")}
    request = urllib.request.Request(
        f"{supervisor}/services/mqtt", headers={"Authorization": f"Bearer {token or ''}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            service = json.load(answer)["data"]
    except (OSError, ValueError, KeyError, urllib.error.URLError) as error:
        raise StartError(
            f"no MQTT broker: install the Mosquitto add-on, or set mqtt.host in the options ({error})"
        ) from error
    section: Values = {"host": service["host"], "port": int(service["port"])}
    if service.get("username"):
        section |= {"username": service["username"], "password": service.get("password") or ""}
    if service.get("ssl"):
        section["tls"] = {"enabled": True}
    return section


def rendered(options: Mapping[str, Any], mqtt: Values) -> Values:
    """Return the daemon's config for the add-on's options."""
    events: Values = {"profile": options.get("profile", "quiet"), "sounds": options.get("sounds") or []}
    if options.get("classes"):
        events["enabled"] = options["classes"]
    audio: Values = {"wait": True}
    if options.get("microphone"):
        audio["device"] = options["microphone"]
    return {
        "node": options.get("node") or "home",
        "audio": audio,
        "events": events,
        "mqtt": mqtt | {"commands": bool(options.get("commands", True))},
        "web": {
            "enabled": True,
            "host": "0.0.0.0",
            "trusted_proxies": [INGRESS],
            "write": bool(options.get("write", True)),
        },
        "history": {"path": "/data/history.db"},
    }


def command(options: Mapping[str, Any], config: Path) -> list[str]:
    """Return the daemon's command line; ``settings`` of the options are passed through as ``--set``."""
    overrides = [part for setting in options.get("settings") or [] for part in ("--set", str(setting))]
    return ["sound-monitor", "run", "--config", str(config), *overrides]


def main() -> None:
    data = Path(os.environ.get("ADDON_DATA", "/data"))
    try:
        options = json.loads((data / "options.json").read_text(encoding="utf-8"))
        mqtt = broker(options, os.environ.get("SUPERVISOR", SUPERVISOR), os.environ.get("SUPERVISOR_TOKEN"))
    except (OSError, ValueError, StartError) as error:
        print(f"sound-monitor add-on: {error}", file=sys.stderr)
        sys.exit(2)
    config = data / "config.yaml"
    config.touch(mode=0o600)
    config.write_text(yaml.safe_dump(rendered(options, mqtt), sort_keys=False), encoding="utf-8")
    arguments = command(options, config)
    os.execvp(arguments[0], arguments)


if __name__ == "__main__":
    main()
