"""The page of the Home Assistant campaign, made of its record."""

from __future__ import annotations

import json
from pathlib import Path

from training.base.report import Report


def compose(results: Path) -> Report:
    """Return the page of ``results/record.json``."""
    record = json.loads((results / "record.json").read_text(encoding="utf-8"))
    checks = record["checks"]
    holding = sum(check["holds"] for check in checks)
    machine = record["machine"]
    events = record.get("events", 0)
    rows = [
        f"| {c['part']} | {c['law']} | {'yes' if c['holds'] else '**no**'} | {c['detail']} |" for c in checks
    ]
    lines = [
        "# Against a real Home Assistant",
        "The monitor listened to the example street in real time, on one broker with "
        f"Home Assistant Core {record['version']}. {holding} of {len(checks)} checks hold.",
        f"`{record['command']}`; commit {record['commit']}; {machine['cpu']}, {machine['cores']} cores; "
        f"{machine['date']}.",
        "\n".join(["| part | what must hold | holds | seen |", "|---|---|---|---|", *rows]),
    ]  # fmt: skip
    if any("No device components to cleanup" in c["detail"] for c in checks):
        lines.append(
            "*No device components to cleanup* is written when an empty discovery message comes for a "
            "device that is gone. By its source, Home Assistant sends such messages itself as it removes the "
            "entities of a device. When they were written was not recorded."
        )
    if events:
        sensors, fired = record["rows_of_sensors"], record["rows_of_event_entity"]
        lines += [
            "## Rows in the recorder",
            f"The first {events} events left {sensors} rows of their binary sensors and {fired} of the "
            f"event entity, which is {(sensors + fired) / events:.1f} rows an event.",
        ]
    return Report(markdown="\n\n".join(lines) + "\n", pictures={}, tables={})
