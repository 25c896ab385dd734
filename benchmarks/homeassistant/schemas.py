"""Validates a discovery payload against Home Assistant's own schemas; runs in its own environment.

Usage: schemas.py PAYLOAD.json, see README.md beside this file.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

_DEVICE = {"device": {"identifiers": ["x"]}, "origin": {"name": "sound-monitor"}}


def trouble(component: dict[str, Any]) -> str | None:
    """Return why Home Assistant rejects an entity, or which of its keys it drops; None if it is valid."""
    module = importlib.import_module(f"homeassistant.components.mqtt.{component['platform']}")
    given = {"availability": [{"topic": "a"}], **component, "platform": "mqtt", **_DEVICE}
    try:
        taken = module.DISCOVERY_SCHEMA(given)
    except Exception as error:  # whatever a schema raises is a refusal
        return f"{type(error).__name__}: {error}"
    dropped = set(given) - set(taken) - {"platform"}
    return f"drops {', '.join(sorted(dropped))}" if dropped else None


def main() -> int:
    """Print each entity's result; return 1 if one is rejected or loses a key."""
    components = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["components"]
    checked = {key: trouble(one) for key, one in components.items() if len(one) > 1}
    for key, why in checked.items():
        print(f"{key:24} {why or 'taken'}")
    return int(any(checked.values()))


if __name__ == "__main__":
    sys.exit(main())
