"""The page on Home Assistant, fleets, several sources and Node-RED, made of their records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.base.report import Report

Record = Mapping[str, Any]


def compose(results: Path) -> Report:
    """Return the page of the records in ``results``; each has a section."""
    parts = {
        "record.json": home_assistant,
        "fleet.json": fleet,
        "sources.json": sources,
        "node-red.json": node_red,
    }
    lines = [
        "# At home",
        "The monitor with a real Home Assistant, as a fleet on one broker, with several sources, "
        "and with a real Node-RED.",
    ]
    for name, section in parts.items():
        file = results / name
        if file.is_file():
            lines += section(json.loads(file.read_text(encoding="utf-8")))
    return Report(markdown="\n\n".join(lines) + "\n", pictures={}, tables={})


def home_assistant(record: Record) -> list[str]:
    checks = record["checks"]
    holding = sum(check["holds"] for check in checks)
    rows = [
        f"| {c['part']} | {c['law']} | {'yes' if c['holds'] else '**no**'} | {c['detail']} |" for c in checks
    ]
    return [
        "## Against a real Home Assistant",
        "The monitor listened to the example street in real time, on one broker with "
        f"Home Assistant Core {record['version']}. {holding} of {len(checks)} checks hold.",
        _made(record),
        "\n".join(["| part | what must hold | holds | seen |", "|---|---|---|---|", *rows]),
        *_rows(record),
        *_cleanups(),
    ]  # fmt: skip


def _rows(record: Record) -> list[str]:
    if "rows" not in record:
        return []
    seen, by_time = record["rows"], record["rows_of_time"]
    per_event = (seen["sensors"] + seen["event_entity"]) / seen["events"]
    table = [f"| {name} | {one['rows']} | {one['a_day']} |" for name, one in by_time.items()]
    lines = [
        "### Rows in the recorder",
        f"In {seen['seconds']} s, {seen['events']} events left {seen['sensors']} rows of their "
        f"binary sensors and {seen['event_entity']} of the event entity: {per_event:.1f} rows an "
        "event. Other entities left these, whatever happens:",
        "\n".join(["| entity | rows | a day |", "|---|---|---|", *table]),
        f"Together they come to {sum(one['a_day'] for one in by_time.values())} rows a day.",
    ]
    if "day" in record:
        day = record["day"]
        lines.append(
            f"A replayed day of {day['barks']} barks, with at most {day['limit']} notices a day, "
            f"gave {day['notices']} notices and left {sum(day['rows'].values())} rows of all "
            "entities of its node, their first states included."
        )
    return lines


def _cleanups() -> list[str]:
    return [
        "### Second cleanups",
        'Home Assistant warns "No device components to cleanup" when an empty announcement comes for a '
        "device that it no longer has. By its source it sends them itself: the removal of an entity "
        "clears the topic on which it was announced, which for all entities of a device is the "
        "same. When a user deletes the device that is every entity; after `forget`, those that "
        "are disabled. The monitor sends one such message, in `forget`, and cannot keep Home "
        "Assistant from sending its own.",
    ]


def fleet(record: Record) -> list[str]:
    columns = ("nodes", "`max_queued_messages`", *_FLEET)
    rows = [
        [f"{one['nodes']}", f"{one['max_queued_messages']}", *(_text(one, path) for path in _FLEET.values())]
        for one in record["fleets"]
    ]
    flipped = [
        f"| {name} | {' | '.join(values)} |"
        for name, values in zip(columns, zip(*rows, strict=True), strict=True)
    ]
    rule = "|---" * (len(rows) + 1) + "|"
    first, *rest = flipped
    away = record["fleets"][0]["restart"]["away_s"]
    return [
        "## A fleet on one mosquitto",
        "Nodes simulated by the daemon's own history, publisher and discovery, on this machine. "
        f"At each an event began every {record['every_s']:g} s in the mean, and ended.",
        "*Connect*: all come at once. *Calm*: events at random instants. *Alarm*: the same sound "
        f"begins at all nodes. *Restart*: the broker is away for {away:g} s while events go on. "
        "*Wiped*: the same, and it has lost its state. States are right when each retained "
        "state, status and announcement is as the node recorded it; seconds count from the "
        "moment at which the broker is there.",
        _made(record),
        "\n".join([first, rule, *rest]),
        "For a subscriber at QoS 1 mosquitto keeps `max_queued_messages` messages beside those "
        "in flight and drops the others: the last row. A newcomer asked for all retained topics "
        "with one filter.",
    ]


_FLEET = {
    "connect: states right after, s": ("connect", "states_right_s"),
    "connect: messages": ("connect", "messages"),
    "calm: messages a second": ("calm", "messages_per_s"),
    "calm: kilobytes a second": ("calm", "kilobytes_per_s"),
    "calm: CPU of the broker, % of a core": ("calm", "broker_cpu_percent"),
    "calm: memory of the broker, MB": ("calm", "broker_rss_mb"),
    "calm: event to subscriber, median, ms": ("calm", "delay_ms", "median"),
    "calm: event to subscriber, 99 %, ms": ("calm", "delay_ms", "p99"),
    "alarm: event to subscriber, longest, ms": ("alarm", "delay_ms", "max"),
    "restart: states right after, s": ("restart", "states_right_s"),
    "restart: wrong states": ("restart", "states_wrong"),
    "restart: messages": ("restart", "messages"),
    "restart: CPU of the broker, s": ("restart", "broker_cpu_s"),
    "restart: memory of the broker, MB": ("restart", "broker_rss_mb"),
    "restart: records of the outage": ("restart", "records_meanwhile"),
    "restart: records lost": ("restart", "records_not_received"),
    "wiped: states right after, s": ("wiped", "states_right_s"),
    "wiped: wrong states": ("wiped", "states_wrong"),
    "wiped: records not acknowledged": ("wiped", "records_waiting"),
    "topics that a newcomer misses at QoS 0": ("wiped", "wrong_for_a_newcomer", "qos_0"),
    "topics that a newcomer misses at QoS 1": ("wiped", "wrong_for_a_newcomer", "qos_1"),
}


def _text(values: Record, path: tuple[str, ...]) -> str:
    found: Any = values
    for key in path:
        found = found[key]
    return "never" if found is None else f"{found}"


def sources(record: Record) -> list[str]:
    rows = [
        f"| {row['sources']} | {row['cpu_percent']:.1f} | {row['ffmpeg_cpu_percent']:.1f} | "
        f"{row['rss_mb']:.0f} | {row['pss_mb']:.0f} | {row['ffmpeg_pss_mb']:.0f} | "
        f"{row['slow_warnings']} |"
        for row in record["rows"]
    ]
    head = (
        "| sources | CPU, % of a core | of ffmpeg | RSS, MB | PSS, MB | of ffmpeg | warnings of lost audio |"
    )
    return [
        "## Several sources in one monitor",
        "Network streams in real time, each a loop of the example street, for "
        f"{record['seconds']:g} s each. PSS divides what processes share. No broker and no page.",
        _made(record),
        "\n".join([head, "|---|---|---|---|---|---|---|", *rows]),
    ]


def node_red(record: Record) -> list[str]:
    rows = [f"| {one['what']} | {one['notice'] or '–'} |" for one in record["given"]]
    made = "exactly these" if record["holds"] else f"**others**: {', '.join(record['made'])}"
    return [
        "## The example flow in a real Node-RED",
        f"Node-RED {record['version']} imported `examples/node-red.json` over its admin "
        f"interface; the messages below were published, and the debug panel showed {made}.",
        _made(record),
        "\n".join(["| message | notice |", "|---|---|", *rows]),
    ]


def _made(record: Record) -> str:
    machine = record["machine"]
    return (
        f"`{record['command']}`; commit {record['commit']}; {machine['cpu']}, {machine['cores']} cores; "
        f"{machine['date']}."
    )
