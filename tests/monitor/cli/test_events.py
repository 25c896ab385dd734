"""``sound-monitor events``: which of the history is shown, and what is said of its delivery."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from calling import Call
from samples import ended, record

from monitor.clock import iso_utc, parse_utc
from monitor.delivery.store.outbox import Outbox
from monitor.records import EventRecord

BEGAN = parse_utc("2026-05-01T22:00:00Z")


def event(seq: int, label: str, at_s: float, lasted_s: float | None) -> list[EventRecord]:
    """An event's start and, if it is over, its end."""
    start = record(seq, label=label, start=iso_utc(BEGAN + at_s), start_s=at_s)
    if lasted_s is None:
        return [start]
    end_s = at_s + lasted_s
    return [
        start,
        replace(ended(seq + 1, start), end=iso_utc(BEGAN + end_s), end_s=end_s, duration_s=lasted_s),
    ]


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A siren delivered, a bark delivered late, a siren waiting, a drill that goes on; an hour apart."""
    monkeypatch.setenv("TZ", "here-2")  # two hours ahead of UTC
    time.tzset()
    path = tmp_path / "sound-monitor" / "history.db"
    outbox = Outbox(path)
    outbox.append_all(
        [
            *event(1, "siren", 0.0, 9.0),
            *event(3, "dog_bark", 3600.0, 0.5),
            *event(5, "siren", 7200.0, 4.0),
            *event(7, "drilling", 10800.0, None),
        ]
    )
    outbox.mark_delivered([1, 2, 3, 4], late={4})
    yield path
    outbox.close()
    monkeypatch.undo()
    time.tzset()


def test_events_are_a_line_each_the_newest_last(call: Call, history):
    table = call("events")
    assert table.code == 0
    assert [line.split() for line in table.out.splitlines()] == [
        ["time", "label", "seconds", "score", "dBFS", "over", "background", "broker"],
        ["2026-05-02", "00:00:00", "siren", "9.0", "0.91", "-23.4", "+18.2", "dB", "delivered"],
        ["2026-05-02", "01:00:00", "dog_bark", "0.5", "0.91", "-23.4", "+18.2", "dB", "delayed"],
        ["2026-05-02", "02:00:00", "siren", "4.0", "0.91", "-23.4", "+18.2", "dB", "pending"],
        ["2026-05-02", "03:00:00", "drilling", "on", "0.91", "-23.4", "+18.2", "dB", "pending"],
    ]
    assert call("events", "list").out == table.out
    assert call("events", "--history", history).out == table.out


def test_json_carries_the_records_and_what_became_of_them(call: Call, history):
    lines = call("events", "--json").json
    assert [line["seq"] for line in lines] == list(range(1, 8))
    assert [line["delivered_at"] is None for line in lines] == [False] * 4 + [True] * 3
    assert [line["delayed"] for line in lines] == [False, False, False, True, False, False, False]
    assert {"recorded_at", "schema", "event_id", "reason"} <= lines[0].keys()


@pytest.mark.parametrize(
    ("arguments", "seqs"),
    [
        (["--label", "siren"], [1, 2, 5, 6]),
        (["--label", "drilling", "--label", "dog_bark"], [3, 4, 7]),
        (["--limit", "1"], [7]),
        (["--limit", "2"], [5, 6, 7]),
        (["-n", "0"], [1, 2, 3, 4, 5, 6, 7]),
        (["--label", "siren", "--limit", "1"], [5, 6]),
        (["--since", "2026-05-01T23:00:00Z"], [3, 4, 5, 6, 7]),
        (["--since", "2026-05-02"], [1, 2, 3, 4, 5, 6, 7]),
        (["--since", "2026-05-02T00:00:01"], [3, 4, 5, 6, 7]),
        (["--until", "2026-05-02T01:00"], [1, 2]),
        (["--since", "2026-05-02T00:30+01:00", "--until", "2026-05-02T01:30+01:00"], [5, 6]),
        (["--since", "1s"], []),
        (["list", "--label", "foghorn"], []),
    ],
)
def test_filters_choose_events_and_never_part_their_records(call: Call, history, arguments, seqs):
    result = call("events", *arguments, "--json")
    assert result.code == 0
    assert [line["seq"] for line in result.json] == seqs


def test_ago_counts_back_from_now(call: Call, history):
    hours = (time.time() - BEGAN) / 3600 - 2.5
    assert [line["seq"] for line in call("events", "--since", f"{hours:.4f}h", "--json").json] == [7]
    since = call("events", "--since", f"{hours / 24 + 10:.4f}d", "--json")
    assert len(since.json) == 7


def test_a_long_list_is_printed_whole(call: Call, history):
    with closing(Outbox(history)) as outbox:
        outbox.append_all(
            line for seq in range(9, 1009, 2) for line in event(seq, "siren", 20000.0 + seq, 1.0)
        )
    assert [line["seq"] for line in call("events", "--limit", "0", "--json").json] == [
        *range(1, 8),
        *range(9, 1009),
    ]
    assert len(call("events", "--limit", "0").out.splitlines()) == 1 + 4 + 500


@pytest.mark.parametrize(
    ("start", "shown"),
    [
        ("1969-12-31T23:59:49.000Z", "1970-01-01 01:59:49"),
        ("9999-12-31T23:59:59.000Z", "9999-12-31 23:59:59"),
        ("0001-01-01T00:00:00.000Z", "0001-01-01 00:00:00"),
    ],
)
def test_any_date_is_shown(call: Call, history, start, shown):
    with closing(Outbox(history)) as outbox:
        outbox.append(record(9, start=start))
    assert shown in call("events").out
    assert len(call("events", "--json").json) == 8


def test_nothing_found_is_said_on_stderr(call: Call, history):
    result = call("events", "--label", "foghorn")
    assert (result.code, result.out, result.err) == (0, "", "no events\n")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--since", "sometime"], 2, "--since sometime: write 30m, 2h, 7d"),
        (["--until", "2026-13-01"], 2, "--until 2026-13-01"),
        (["--history", "absent.db"], 4, "history absent.db: there is none yet"),
        (["--limit", "-3"], 2, "--limit"),
        (["listen"], 2, "unexpected extra argument (listen)"),
    ],
)
def test_what_cannot_be_done_is_one_line(call: Call, history, arguments, code, words):
    result = call("events", *arguments)
    assert (result.code, len(result.complaints)) == (code, 1)
    assert words in result.complaints[0]


def test_a_reports_sums_are_those_of_the_history(call: Call, history: Path, tmp_path: Path) -> None:
    span = ("--from", "2026-05-01", "--to", "2026-05-03", "--history", history)
    printed = call("report", *span)
    assert printed.code == 0
    assert printed.out.splitlines()[-1].split() == ["all", "4", "events", "0:00:14"]
    for name in ("r.html", "r.csv", "r.svg"):
        assert call("report", "--label", "siren", *span, "-o", tmp_path / name).code == 0
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 3
    assert "2 events, 0:00:13 in all" in (tmp_path / "r.html").read_text()
    refused = call("report", *span, "-o", tmp_path / "r.pdf")
    assert (refused.code, "must end in .html, .csv or .svg" in refused.err) == (2, True)
