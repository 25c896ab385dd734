"""Those who watch may block or fail; whoever tells them does not."""

from __future__ import annotations

import threading
from contextlib import closing

import numpy as np
import pytest
from samples import record

from monitor.listeners import Listener
from monitor.records import EventRecord, HopResult, Level
from monitor.service.audience import Audience

PATIENCE_S = 20.0
HOP = HopResult(0, 0.0, np.zeros(1, np.float32), Level(-20.0, -10.0, -60.0, 0))


class Watcher(Listener):
    def __init__(self) -> None:
        self.seen: list[object] = []
        self.may_go_on = threading.Event()
        self.entered = threading.Event()

    def on_hop(self, file: str, hop: HopResult) -> None:
        self._note("hop")

    def on_record(self, record: EventRecord) -> None:
        self._note(record.seq)

    def on_status(self, text: str) -> None:
        self._note(text)

    def _note(self, what: object) -> None:
        self.entered.set()
        self.may_go_on.wait(PATIENCE_S)
        self.seen.append(what)


def test_everything_arrives_in_order() -> None:
    watcher = Watcher()
    watcher.may_go_on.set()
    with closing(Audience([watcher], [watcher.on_status])) as audience:
        audience.on_status("listening")
        audience.on_hop("", HOP)
        audience.on_record(record(1, type="start"))
    assert watcher.seen == ["listening", "hop", 1]
    assert audience.missed == 0


def test_hops_wait_for_each_other_but_no_record_waits_and_none_overtakes() -> None:
    watcher = Watcher()
    watcher.may_go_on.set()
    audience = Audience([watcher], [watcher.on_status], together=lambda: 3)
    for word in ("early", "late"):
        audience.on_hop("", HOP)
        audience.on_status(word)
    audience.on_record(record(1, type="start"))
    for _ in range(4):
        audience.on_hop("", HOP)
    audience.on_status("last")
    audience.close(PATIENCE_S)
    assert watcher.seen == ["early", "late", "hop", "hop", 1, "hop", "hop", "hop", "last", "hop"]


def test_a_watcher_that_blocks_holds_nobody_up_and_hops_give_way_to_records() -> None:
    watcher = Watcher()
    audience = Audience([watcher], capacity=10)
    audience.on_hop("", HOP)
    assert watcher.entered.wait(PATIENCE_S)
    for _ in range(100):
        audience.on_hop("", HOP)
    for seq in range(1, 9):
        audience.on_record(record(seq, type="start"))
    watcher.may_go_on.set()
    audience.close(PATIENCE_S)
    # One in hand, hops in half of the room, records in the rest of it.
    assert watcher.seen == 6 * ["hop"] + [1, 2, 3, 4, 5]
    assert audience.missed == 3


def test_hops_that_wait_for_each_other_take_no_more_room() -> None:
    watcher = Watcher()
    audience = Audience([watcher], capacity=12, together=lambda: 3)
    for _ in range(3):
        audience.on_hop("", HOP)
    assert watcher.entered.wait(PATIENCE_S)
    for _ in range(100):
        audience.on_hop("", HOP)
    watcher.may_go_on.set()
    audience.close(PATIENCE_S)
    # Three in hand, and half of the room.
    assert watcher.seen == 9 * ["hop"]
    assert audience.missed == 0


def test_what_a_watcher_raises_is_raised_where_the_monitor_is_watched_over() -> None:
    class Gone(Listener):
        def on_record(self, record: EventRecord) -> None:
            raise BrokenPipeError

    audience = Audience([Gone()])
    audience.check()
    audience.on_record(record(1, type="start"))
    audience.close(PATIENCE_S)
    with pytest.raises(BrokenPipeError):
        audience.check()
