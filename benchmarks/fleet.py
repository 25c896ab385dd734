"""A fleet of nodes on one mosquitto: its load, and the states right after the broker was away.

    python benchmarks/fleet.py --output docs/results/home/fleet.json
    python benchmarks/fleet.py --counts 10 --seconds 20

The nodes are simulated by the daemon's own history, publisher and discovery; hops, levels and events are made
up (``fleet_nodes.py``), with the shipped config, 25 nodes a process. The broker keeps its state on disk. For
each count and each ``max_queued_messages`` of the broker (1000 is its default, 0 no limit), in order:

- *connect*: all nodes come at once
- *calm*: events at random instants
- *alarm*: the same sound begins at every node at one moment
- *restart*: the broker is away while events go on, and comes back
- *wiped*: the same, and it comes back without its state

After each part events pause, and a subscriber at QoS 0 compares the retained topics of every node with what
the node recorded; the part has taken as long as until they are equal. Another, at QoS 1 in a lasting session,
counts the records. Newcomers then ask for all retained topics at once, at QoS 0 and at QoS 1.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import paho.mqtt.client as paho
from campaign import ROOT, circumstances, say
from mosquitto import Mosquitto
from paho.mqtt.enums import CallbackAPIVersion

from monitor.clock import parse_utc

NODES = Path(__file__).with_name("fleet_nodes.py")
BASE = "sound-monitor"
RETAINED = (f"{BASE}/#", "homeassistant/#")
A_PROCESS = 25
_PATIENCE_S = 90.0
_DROPPED = "$SYS/broker/publish/messages/dropped"
_TICKS = os.sysconf("SC_CLK_TCK")
Truth = Mapping[str, Mapping[str, Any]]


def wrong(truth: Truth, retained: Mapping[str, str]) -> list[str]:
    """Return the topics of the nodes that do not show the truth, and those of missing announcements."""
    wanted = {}
    for node, told in truth.items():
        wanted[f"{BASE}/{node}/status"] = "online"
        for label, state in told["states"].items():
            wanted[f"{BASE}/{node}/sound/{label}/state"] = state
    found = [topic for topic, payload in wanted.items() if retained.get(topic) != payload]
    announced = [f"homeassistant/device/sound-monitor-{node}/config" for node in truth]
    return found + [topic for topic in announced if not retained.get(topic)]


class Watcher:
    """A subscriber; keeps the newest payload of each topic, and when events came."""

    def __init__(self, port: int, name: str, topics: Sequence[str], *, qos: int, clean: bool = True) -> None:
        self.retained: dict[str, str] = {}
        self.messages = self.bytes = 0
        self.dropped = 0
        self.delays_s: list[float] = []
        self.records: dict[str, list[tuple[str, str]]] = {}
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=clean)
        client.on_connect = lambda one, *_: one.subscribe([(topic, qos) for topic in topics])
        client.on_message = self._take
        client.reconnect_delay_set(1, 1)
        client.connect_async("127.0.0.1", port)
        client.loop_start()
        self._client = client

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def received(self) -> int:
        """Return how many different records came."""
        return sum(len(set(records)) for records in self.records.values())

    def _take(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        now, payload = time.time(), message.payload.decode()
        if message.topic == _DROPPED:
            self.dropped = int(payload)
            return
        self.messages += 1
        self.bytes += len(message.payload)
        if not message.topic.endswith("/event"):
            self.retained[message.topic] = payload
            return
        record = json.loads(payload)
        self.records.setdefault(record["node"], []).append((record["event_id"], record["type"]))
        if not record["delayed"]:
            self.delays_s.append(now - parse_utc(record["start" if record["type"] == "start" else "end"]))


class Fleet:
    """The processes of the nodes."""

    def __init__(self, count: int, port: int, folder: Path, seed: int, every_s: float) -> None:
        self.names = [f"node{number:03}" for number in range(count)]
        options = ["--port", str(port), "--folder", str(folder), "--seed", str(seed), "--every", str(every_s)]
        self._log = (folder / "nodes.log").open("w")
        self._processes = [
            subprocess.Popen(
                [sys.executable, str(NODES), "--nodes", *self.names[at : at + A_PROCESS], *options], cwd=ROOT,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
            )
            for at in range(0, count, A_PROCESS)
        ]  # fmt: skip

    def order(self, word: str) -> dict[str, dict[str, Any]]:
        """Give all processes an order; return what each node has recorded."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{word}\n")
            process.stdin.flush()
        truth: dict[str, dict[str, Any]] = {}
        for process in self._processes:
            assert process.stdout is not None
            truth |= json.loads(process.stdout.readline())
        return truth

    def close(self) -> None:
        for process in self._processes:
            process.communicate()
        self._log.close()


class Measurement:
    """One broker and one fleet; each part returns its figures."""

    def __init__(self, count: int, queued: int, stack: ExitStack, options: argparse.Namespace) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sound-monitor-fleet-")))
        self._state = folder / "mosquitto.db"
        state = ("persistence true", f"persistence_location {folder}/", f"max_queued_messages {queued}")
        self.broker = Mosquitto(folder, ("allow_anonymous true", "sys_interval 1", *state)).start()
        stack.callback(self.broker.stop)
        self.watcher = Watcher(self.broker.port, "watcher", (*RETAINED, _DROPPED), qos=0)
        stack.callback(self.watcher.close)
        self.events = Watcher(self.broker.port, "events", (f"{BASE}/+/event",), qos=1, clean=False)
        stack.callback(self.events.close)
        self.fleet = Fleet(count, self.broker.port, folder, options.seed, options.every)
        stack.callback(self.fleet.close)
        self._options = options

    def connect(self) -> dict[str, Any]:
        return self._until_right(lambda: self.fleet.order("pause"))

    def calm(self) -> dict[str, Any]:
        watcher, events, seconds = self.watcher, self.events, self._options.seconds
        self.fleet.order("go")
        before, records, began = _cpu_s(self.broker.pid), events.received(), time.monotonic()
        messages, size = watcher.messages, watcher.bytes
        events.delays_s.clear()
        time.sleep(seconds)
        took_s = time.monotonic() - began
        figures = {
            "seconds": round(took_s, 1),
            "records": events.received() - records,
            "messages_per_s": round((watcher.messages - messages) / took_s, 1),
            "kilobytes_per_s": round((watcher.bytes - size) / took_s / 1000, 1),
            "broker_cpu_percent": round(100 * (_cpu_s(self.broker.pid) - before) / took_s, 2),
            "broker_rss_mb": round(_rss_mb(self.broker.pid), 1),
            "delay_ms": _delays(events.delays_s),
        }
        return figures | {"afterwards": self._until_right(lambda: self.fleet.order("pause"))}

    def alarm(self) -> dict[str, Any]:
        self.events.delays_s.clear()
        figures = self._until_right(lambda: self.fleet.order("alarm"))
        return figures | {"delay_ms": _delays(self.events.delays_s)}

    def restart(self) -> dict[str, Any]:
        return self._away(lambda: None)

    def wiped(self) -> dict[str, Any]:
        return self._away(self._state.unlink)

    def _away(self, meanwhile: Callable[[], None]) -> dict[str, Any]:
        before = self.fleet.order("go")
        self.broker.stop()
        time.sleep(self._options.outage)
        truth = self.fleet.order("pause")
        meanwhile()
        self.watcher.retained.clear()
        self.broker.start()
        figures = self._until_right(lambda: truth)
        during = sum(one["records"] for one in truth.values()) - sum(
            one["records"] for one in before.values()
        )
        return {"away_s": self._options.outage, "records_meanwhile": during, **figures}

    def _until_right(self, order: Callable[[], Truth]) -> dict[str, Any]:
        """Wait until the topics show what the nodes recorded and all records are acknowledged."""
        watcher, pid, began = self.watcher, self.broker.pid, time.monotonic()
        cpu_s, messages = _cpu_s(pid), watcher.messages
        truth = order()
        right_s = _seconds_until(lambda: not wrong(truth, watcher.retained), began)
        _seconds_until(lambda: not any(one["waiting"] for one in self.fleet.order("report").values()), began)
        _seconds_until(lambda: self.events.received() >= _records(truth), began, limit_s=5.0)
        figures = {
            "states_right_s": right_s,
            "states_wrong": len(wrong(truth, watcher.retained)),
            "messages": watcher.messages - messages,
            "broker_cpu_s": round(_cpu_s(pid) - cpu_s, 2),
            "broker_rss_mb": round(_rss_mb(pid), 1),
            "broker_dropped": watcher.dropped,
            "records": _records(truth),
            "records_not_received": _records(truth) - self.events.received(),
            "records_waiting": sum(one["waiting"] for one in self.fleet.order("report").values()),
        }
        newcomers = {f"qos_{qos}": self._newcomer(truth, qos) for qos in (0, 1)}
        return figures | {"wrong_for_a_newcomer": newcomers}

    def _newcomer(self, truth: Truth, qos: int) -> int:
        newcomer = Watcher(self.broker.port, "newcomer", RETAINED, qos=qos)
        _seconds_until(lambda: not wrong(truth, newcomer.retained), time.monotonic(), limit_s=10.0)
        newcomer.close()
        return len(wrong(truth, newcomer.retained))


def measure(count: int, queued: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of a fleet of so many nodes."""
    figures: dict[str, Any] = {"nodes": count, "max_queued_messages": queued}
    with ExitStack() as stack:
        measurement = Measurement(count, queued, stack, options)
        for part in ("connect", "calm", "alarm", "restart", "wiped"):
            figures[part] = getattr(measurement, part)()
            say(f"  {part}: {figures[part]}")
    return figures


def _records(truth: Truth) -> int:
    return sum(one["records"] for one in truth.values())


def _seconds_until(condition: Callable[[], bool], began: float, limit_s: float = _PATIENCE_S) -> float | None:
    """Return the seconds since ``began`` at which the condition held; None if it did not in time."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return None
        time.sleep(0.05)
    return round(time.monotonic() - began, 2)


def _delays(delays_s: list[float]) -> dict[str, int] | None:
    """Return median, 99 % and longest in milliseconds; None without any."""
    ordered = sorted(round(1000 * one) for one in delays_s)
    if not ordered:
        return None
    return {"median": round(median(ordered)), "p99": ordered[int(0.99 * len(ordered))], "max": ordered[-1]}


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs="+", default=[10, 100], help="numbers of nodes")
    parser.add_argument("--queued", type=int, nargs="+", default=[1000, 0], help="max_queued_messages")
    parser.add_argument("--seconds", type=float, default=40.0, help="of the calm part")
    parser.add_argument("--outage", type=float, default=20.0, help="seconds for which the broker is away")
    parser.add_argument("--every", type=float, default=10.0, help="seconds from event to event of a node")
    parser.add_argument("--seed", type=int, default=0, help="of the instants and labels of events")
    parser.add_argument("--output", type=Path, help="write the record there, as JSON")
    options = parser.parse_args()
    fleets = []
    for count, queued in product(options.counts, options.queued):
        say(f"{count} nodes, max_queued_messages {queued}")
        fleets.append(measure(count, queued, options))
    record = circumstances(seed=options.seed, every_s=options.every, fleets=fleets)
    text = json.dumps(record, indent=1) + "\n"
    if options.output is None:
        print(text, end="")
    else:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
