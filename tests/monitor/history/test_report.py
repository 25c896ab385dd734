"""A report's sums are those of the history, whatever hours and days its events cross."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta, timezone
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import ended, record

from monitor.clock import iso_utc
from monitor.history.report import Occurrence, make_report, occurrences
from monitor.history.report_page import Heading, to_csv, to_html, to_svg

ZONE = timezone(timedelta(hours=5, minutes=30))
DAY = datetime(2026, 5, 1, tzinfo=ZONE).timestamp()


def local(utc: float) -> datetime:
    return datetime.fromtimestamp(utc, ZONE)


found = st.lists(
    st.builds(
        Occurrence,
        label=st.sampled_from(["dog_bark", "<siren>"]),
        start=st.floats(0, 10 * 86400).map(lambda at: DAY + round(at, 3)),
        duration_s=st.one_of(st.none(), st.floats(0, 200000).map(lambda s: round(s, 3))),
        level_dbfs=st.floats(-60, 0),
        lafmax_db=st.one_of(st.none(), st.floats(30, 90)),
    ),
    max_size=12,
).map(lambda many: tuple(sorted(many, key=lambda one: one.start)))


@given(found)
def test_sums_by_day_and_hour_are_those_of_the_events(many: tuple[Occurrence, ...]) -> None:
    report = make_report(many, local)
    assert report.occurrences == many
    assert sum(day.events for day in report.days) == len(many)
    total = sum(one.duration_s or 0.0 for one in many)
    assert report.seconds == pytest.approx(total)
    assert sum(sum(day.seconds) for day in report.days) == pytest.approx(total, abs=1e-3 * len(many) * 100)
    days = [day.day for day in report.days]
    assert days == sorted(set(days))
    assert len(days) == ((days[-1] - days[0]).days + 1 if days else 0)


def test_an_event_is_split_at_full_hours_and_at_midnight() -> None:
    report = make_report([Occurrence("siren", DAY + 82800 + 1800, 7200.0, -20.0, None)], local)
    first, second = report.days
    assert (first.events, first.seconds[23], sum(first.seconds)) == (1, 1800.0, 1800.0)
    assert (second.events, second.seconds[:2], sum(second.seconds)) == (0, (3600.0, 1800.0), 5400.0)


def test_an_event_counts_once_by_its_end_where_there_is_one() -> None:
    first, second = record(1), record(3)
    made = occurrences([first, ended(2, first), second])
    assert [one.duration_s for one in made] == [2.0, None]


@given(found)
def test_table_picture_and_page_hold_every_event(many: tuple[Occurrence, ...]) -> None:
    report = make_report(many, local)
    rows = list(csv.DictReader(io.StringIO(to_csv(report))))
    assert [row["start"] for row in rows] == [iso_utc(one.start) for one in many]
    total = sum(float(row["duration_s"] or 0) for row in rows)
    assert total == pytest.approx(report.seconds)
    cells = ElementTree.fromstring(to_svg(report)).findall(".//{http://www.w3.org/2000/svg}title")
    assert len(cells) == 24 * len(report.days)
    page = to_html(report, Heading("<balcony>", (), "from 1 to 2", ("m 1",)), local)
    assert "<siren>" not in page
    assert "<balcony>" not in page
    assert f"<p>{len(many)} events" in page
