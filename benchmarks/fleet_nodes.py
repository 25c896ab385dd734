"""Some nodes of a simulated fleet in one process: the daemon's own delivery, fed with made-up hops.

Started by ``fleet.py``. Each line on standard input is answered with one line of JSON on standard output:

- ``pause``: no node starts or ends an event any more; answers with what each node has recorded
- ``report``: the same without a pause
- ``go``: events begin and end again
- ``alarm``: the first label starts at every node at which it is off
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(1, str(ROOT))

from monitor import __version__  # noqa: E402
from monitor.clock import iso_utc  # noqa: E402
from monitor.config.load import load_config  # noqa: E402
from monitor.delivery.payloads import Health  # noqa: E402
from monitor.level.minutes import Minute  # noqa: E402
from monitor.records import EventRecord, EventType, HopResult, Level, Near  # noqa: E402
from monitor.service.delivery import Delivery, DeliveryOptions, open_delivery  # noqa: E402
from monitor.service.publishing import client_id  # noqa: E402
from monitor.stream.assembly import Assembly, assemble  # noqa: E402
from monitor.stream.recorder import random_ids  # noqa: E402

MINUTE_S = 60.0
EVENT_S = 3.0
_NEAR_SHARE = 0.1
_FLUSH_S = 60.0


class Node:
    """One node without a microphone: what the audio path would give, at random instants."""

    def __init__(self, name: str, assembly: Assembly, delivery: Delivery, chance: random.Random) -> None:
        self.name = name
        self._card, self._delivery, self._chance = assembly.model.card, delivery, chance
        self._labels, self.hop_s = assembly.event_labels, assembly.hop_s
        self._scores = np.zeros(len(assembly.labels), np.float32)
        self._numbers = iter(range(delivery.next_seq, sys.maxsize))
        self._new_id = random_ids()
        self._open: dict[str, EventRecord] = {}
        self._began = time.monotonic()
        self._hops = 0
        self._minute_due = self._began + chance.uniform(0.0, MINUTE_S)
        self.records = 0

    def hop(self, every_s: float | None) -> None:
        """Pass a hop on; with ``every_s``, events start that often in the mean and last 3 s in the mean."""
        self._hops += 1
        chance, now = self._chance, time.monotonic()
        near = (Near(self._labels[0], 0.4, "below_threshold", 0.4, 0.5),)
        level = Level(-60.0 + chance.gauss(0.0, 3.0), -40.0, -65.0, 0, -55.0, -57.0, -62.0)
        hop = HopResult(
            self._hops * self._card.hop, self._hops * self.hop_s, self._scores, level,
            near=near if chance.random() < _NEAR_SHARE else (),
        )  # fmt: skip
        self._delivery.on_hop("", hop)
        if now >= self._minute_due:
            self._minute_due += MINUTE_S
            self._delivery.on_minute(
                Minute(int(time.time() // 60), 60.0, -58.0, -50.0, -40.0, -54.0, -58.0, -62.0)
            )
            self._report_health(now)
        if every_s is not None:
            self._events(every_s)

    def alarm(self) -> None:
        """Start the first label."""
        self._start(self._labels[0])

    def truth(self) -> dict[str, object]:
        """Return what the broker must show of the node, once all is sent."""
        self._delivery.writer.flush(_FLUSH_S)
        states = {label: "ON" if label in self._open else "OFF" for label in self._labels}
        waiting = self._delivery.outbox.pending_count()
        return {"states": states, "records": self.records, "waiting": waiting}

    def first_health(self) -> None:
        self._report_health(time.monotonic())

    def _start(self, label: str) -> None:
        if label not in self._open:
            self._record("start", label)

    def _events(self, every_s: float) -> None:
        for label in list(self._open):
            if self._chance.random() < self.hop_s / EVENT_S:
                self._record("end", label)
        if self._chance.random() < self.hop_s / every_s:
            self._start(self._chance.choice(self._labels))

    def _record(self, kind: EventType, label: str) -> None:
        now, start = time.time(), self._open.get(label)
        start_s = self._hops * self.hop_s if start is None else start.start_s
        record = EventRecord(
            event_id=self._new_id() if start is None else start.event_id,
            seq=next(self._numbers), type=kind, node=self.name, label=label,
            start=iso_utc(now) if start is None else start.start,
            end=None if start is None else iso_utc(now), start_s=round(start_s, 3),
            end_s=None if start is None else round(self._hops * self.hop_s, 3),
            duration_s=None if start is None else round(self._hops * self.hop_s - start_s, 3),
            score=0.91, score_mean=0.85, threshold=0.6, level_dbfs=-23.4, over_background_db=18.2,
            delay_s=0.0, model=self._card.name, model_version=self._card.version, clock="synced",
            lafmax_dbfs=-25.4, over_l90_db=21.7,
            reason=None if start is None else "released", notify=start is None,
        )  # fmt: skip
        if start is None:
            self._open[label] = record
        else:
            del self._open[label]
        self.records += 1
        self._delivery.on_record(record)

    def _report_health(self, now: float) -> None:
        assert self._delivery.publisher is not None
        queue = self._delivery.outbox.pending_count()
        health = Health(
            "listening", __version__, self._card.name, self._card.version, now - self._began, queue=queue
        )
        self._delivery.publisher.publish_health(health)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", nargs="+", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--every", type=float, required=True, help="seconds from event to event, in the mean")
    options = parser.parse_args()
    with ExitStack() as stack:
        serve(list(_open(stack, options)), options.every)


def serve(nodes: list[Node], every_s: float) -> None:
    """Feed the nodes with hops until standard input ends."""
    orders: list[str] = []
    over = threading.Event()

    def listen() -> None:
        for line in sys.stdin:
            orders.append(line.strip())
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    for node in nodes:
        node.first_health()
    paused, began, hops = True, time.monotonic(), 0
    hop_s = nodes[0].hop_s
    while not over.wait(max(0.0, began + hops * hop_s - time.monotonic())):
        hops += 1
        for node in nodes:
            node.hop(None if paused else every_s)
        while orders:
            order = orders.pop(0)
            paused = order != "go" and (paused or order == "pause")
            if order == "alarm":
                for node in nodes:
                    node.alarm()
            print(json.dumps({node.name: node.truth() for node in nodes}), flush=True)


def _open(stack: ExitStack, options: argparse.Namespace) -> Iterator[Node]:
    model = None
    for name in options.nodes:
        history = options.folder / f"{name}.db"
        settings = (
            f"node={name}",
            "mqtt.host=127.0.0.1",
            f"mqtt.port={options.port}",
            f"history.path={history}",
        )
        config = load_config(ROOT / "config.yaml", settings)
        assembly = assemble(config, model)
        model = assembly.model
        delivering = DeliveryOptions(name, client_id(config), history, mqtt=True, states=True, live=True)
        delivery = stack.enter_context(open_delivery(config, assembly, delivering))
        yield Node(name, assembly, delivery, random.Random(f"{options.seed} {name}"))


if __name__ == "__main__":
    main()
