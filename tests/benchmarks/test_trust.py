"""The checker of the fault campaign finds what it looks for, and the plan is a function of its seed."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TRUST = Path(__file__).resolve().parents[2] / "benchmarks" / "trust"


@pytest.fixture(scope="module")
def trust() -> Iterator[Any]:
    """The programs' modules; what they add to the path is taken back."""
    from types import SimpleNamespace

    path = list(sys.path)
    sys.path[:0] = [str(TRUST), str(TRUST.parent)]
    import checker
    import faults
    import player
    import proxy
    import subscriber

    yield SimpleNamespace(checker=checker, faults=faults, player=player, proxy=proxy, subscriber=subscriber)
    sys.path[:] = path


def record(number: int, kind: str, **changes: Any) -> dict[str, Any]:
    end = kind == "end"
    values = {
        "event_id": f"e{number}", "type": kind, "label": "loud", "delayed": False,
        "start": f"2026-01-01T00:00:{number:02}.000Z", "start_s": float(number),
        "end": f"2026-01-01T00:00:{number + 1:02}.000Z" if end else None,
        "end_s": number + 1.0 if end else None,
    }  # fmt: skip
    return values | changes


def rows(trust: Any, *records: dict[str, Any]) -> list[Any]:
    return [
        trust.checker.Row(seq, (r["event_id"], r["type"]), r["label"], r, True)
        for seq, r in enumerate(records, 1)
    ]


def messages(trust: Any, *records: dict[str, Any]) -> list[Any]:
    return [
        trust.subscriber.Message(float(i), False, "x/event", json.dumps(r)) for i, r in enumerate(records)
    ]


PAIR = (record(1, "start"), record(1, "end"))
TWO = (*PAIR, record(2, "start"), record(2, "end"))


def test_what_is_received_as_it_was_stored_is_without_fault(trust: Any) -> None:
    late = [r | {"delayed": True} for r in TWO]
    found = trust.checker.judge(rows(trust, *TWO), messages(trust, *late))
    assert found == {
        "records": 4, "events": 2, "received": 4, "lost": 0, "lost_though_acknowledged": 0,
        "not_in_the_history": 0, "out_of_order": 0, "duplicates": 0, "content_differs": 0, "late": 4,
        "stored_twice": 0, "malformed_events": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("received", "what", "count"),
    [
        (TWO[:3], "lost", 1),
        ((*TWO, record(3, "start")), "not_in_the_history", 1),
        ((TWO[1], TWO[0], *TWO[2:]), "out_of_order", 1),
        ((*TWO, TWO[0], TWO[0]), "duplicates", 2),
        ((TWO[0] | {"start_s": 7.0}, *TWO[1:]), "content_differs", 1),
    ],
)
def test_each_fault_of_delivery_is_found(trust: Any, received: Any, what: str, count: int) -> None:
    found = trust.checker.judge(rows(trust, *TWO), messages(trust, *received))
    assert found[what] == count
    faults = ("lost", "not_in_the_history", "out_of_order", "duplicates", "content_differs")
    assert sum(found[fault] for fault in faults) == count


@pytest.mark.parametrize(
    ("stored", "what"),
    [
        (PAIR[:1], "not one start and then one end"),
        (PAIR[::-1], "not one start and then one end"),
        ((PAIR[0], PAIR[1] | {"start": "2026-01-01T00:00:01.001Z"}), "the end has another start"),
        ((PAIR[0], PAIR[1] | {"end_s": 0.5}), "it ends before it starts"),
    ],
)
def test_each_malformed_event_is_found(trust: Any, stored: Any, what: str) -> None:
    assert trust.checker.malformed(rows(trust, *stored)) == {what: 1}


def test_retained_states_are_compared_with_the_open_events(trust: Any) -> None:
    on = trust.checker.open_labels(rows(trust, *PAIR, record(2, "start")))
    assert on == {"loud"}
    right = {"x/sound/loud/state": "ON", "x/sound/siren/attributes": '{"state": "OFF"}', "x/status": "online"}
    assert trust.checker.wrong_states(right, on) == []
    wrong = {"x/sound/loud/attributes": '{"state": "OFF"}', "x/sound/siren/state": "ON"}
    assert trust.checker.wrong_states(wrong, on) == [
        "x/sound/loud/attributes is OFF, not ON",
        "x/sound/siren/state is ON, not OFF",
    ]


def test_a_sound_without_an_event_is_missed_unless_the_microphone_was_disturbed(trust: Any) -> None:
    noon = 1767225600.0  # 2026-01-01T00:00:00Z
    sounds = [trust.player.Played(noon + at, noon + at + 2) for at in (1, 20)]
    span = trust.checker.Span
    stored = rows(trust, *PAIR)
    assert trust.checker.missed(sounds, stored, [], []) == (2, sounds[1:])
    assert trust.checker.missed(sounds, stored, [span(noon + 19, noon + 25)], []) == (1, [])
    # The clock was an hour ahead: the event bears that hour.
    jumped = rows(trust, record(1, "start", start="2026-01-01T01:00:20.000Z"))
    clock = [span(noon + 10, noon + 40, 3600.0)]
    assert trust.checker.missed(sounds[1:], jumped, [], clock) == (1, [])
    assert trust.checker.missed(sounds[1:], jumped, [], []) == (1, sounds[1:])


def test_a_plan_depends_on_its_seed_alone_and_spreads_the_kinds(trust: Any) -> None:
    plan = trust.faults.plan
    assert plan(3, 50) == plan(3, 50) != plan(4, 50)
    counts = Counter(fault.kind for episode in plan(0, 200) for fault in episode)
    assert sum(counts.values()) == 200
    assert counts.keys() == trust.faults.KINDS.keys()
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_only_acknowledgements_are_withheld(trust: Any, size: int) -> None:
    puback, pong, long = b"\x40\x02\x00\x07", b"\xd0\x00", b"\x30\x80\x01" + bytes(128)
    stream = puback + pong + long + puback
    for drop, kept in ((True, pong + long), (False, stream)):
        frames = trust.proxy._Frames()
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert b"".join(frames.filter(piece, drop=drop) for piece in pieces) == kept
