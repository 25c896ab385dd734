"""The list of events is complete and in order, however many pages it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from samples import ended, record

from monitor.clock import iso_utc, parse_utc
from monitor.delivery.store.outbox import Outbox
from monitor.history import listing
from monitor.history.listing import EventList

BEGAN = parse_utc("2026-05-01T22:00:00Z")


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """40 events, of two labels, four at a time; every seventh goes on."""
    monkeypatch.setattr(listing, "_PAGE", 3)
    path = tmp_path / "history.db"
    with closing(Outbox(path)) as outbox:
        for number in range(40):
            label = ("siren", "dog_bark")[number % 2]
            start = record(2 * number + 1, label=label, start=iso_utc(BEGAN + number // 4))
            outbox.append(start)
            if number % 7:
                outbox.append(ended(2 * number + 2, start))
    return path


def seqs(events: Iterator[listing.Event] | list[listing.Event]) -> list[int]:
    return [stored.record.seq for event in events for stored in event]


EVERY = [seq for n in range(40) for seq in ((2 * n + 1, 2 * n + 2) if n % 7 else (2 * n + 1,))]


@pytest.mark.parametrize("labels", [(), ("siren",), ("dog_bark", "siren", "siren"), ("foghorn",)])
@pytest.mark.parametrize("span", [(None, None), (BEGAN + 2, None), (None, BEGAN + 5), (BEGAN + 1, BEGAN + 4)])
def test_pages_miss_and_repeat_nothing(
    history: Path, labels: tuple[str, ...], span: tuple[float | None, float | None]
) -> None:
    since, until = span
    wanted = [
        seq
        for seq in EVERY
        if (not labels or ("siren", "dog_bark")[(seq - 1) // 2 % 2] in labels)
        and (since is None or BEGAN + (seq - 1) // 8 >= since)
        and (until is None or BEGAN + (seq - 1) // 8 < until)
    ]
    with closing(EventList(history, since=since, until=until, labels=labels)) as found:
        assert seqs(found.all()) == wanted
        assert seqs(found.newest(1000)) == wanted
        assert seqs(found.newest(2)) == wanted[len(wanted) - len(seqs(found.newest(2))) :]


def test_an_event_of_which_a_record_cannot_be_read_is_shown_by_the_other(history: Path) -> None:
    with closing(Outbox(history)) as outbox:
        outbox.write([("UPDATE events SET record = '}' WHERE seq IN (3, 6, 7, 8)", ())])
    with closing(EventList(history)) as found:
        assert seqs(found.all()) == [seq for seq in EVERY if seq not in (3, 6, 7, 8)]


@pytest.mark.parametrize(
    "start", ["0001-01-01T00:00:00.000Z", "1969-12-31T23:59:49.000Z", "9999-12-31T23:59:59.999Z"]
)
def test_any_date_is_listed(tmp_path: Path, start: str) -> None:
    path = tmp_path / "history.db"
    with closing(Outbox(path)) as outbox:
        outbox.append_all([record(1, start=start), record(2)])
    with closing(EventList(path)) as found:
        assert sorted(seqs(found.all())) == [1, 2]
        assert len(found.newest(1)) == 1
