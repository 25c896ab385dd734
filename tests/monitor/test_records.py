"""The event record: its names and meanings are a contract."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.records import SCHEMA, EventRecord

RECORD = EventRecord(
    event_id="01890a5d-ac96-7b2a-8f00-000000000001", seq=3, type="end", node="Küche", label="dog_bark",
    start="2026-05-01T22:00:00.000Z", end="2026-05-01T22:00:01.500Z", start_s=12.5, end_s=14.0,
    duration_s=1.5, score=0.91, score_mean=0.8, threshold=0.6, level_dbfs=-23.4, over_background_db=18.2,
    delay_s=0.5, model="urban-sounds", model_version="0.1.0", clock="synced",
    overlapping=("siren", "car_horn"), reason="released",
)  # fmt: skip

FROZEN = (
    "schema", "event_id", "seq", "type", "node", "label", "start", "end", "start_s", "end_s", "duration_s",
    "score", "score_mean", "threshold", "level_dbfs", "over_background_db", "delay_s", "model",
    "model_version", "clock", "overlapping", "file", "clip", "delayed", "reason",
)  # fmt: skip
"""Keys of schema 1: new ones may come, these stay."""


def test_the_keys_of_schema_1_stay() -> None:
    assert SCHEMA == 1
    assert set(FROZEN) <= set(json.loads(RECORD.to_json()))
    assert {field.name for field in fields(EventRecord)} == set(json.loads(RECORD.to_json()))


def test_a_record_is_one_line_with_sorted_keys() -> None:
    text = RECORD.to_json()
    assert "\n" not in text
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert '"node": "Küche"' in text
    assert json.loads(text)["overlapping"] == ["siren", "car_horn"]


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_a_record_is_read_back_as_it_was(label: str, value: float, delayed: bool) -> None:
    record = replace(RECORD, label=label, score=value, end_s=None, delayed=delayed)
    assert EventRecord.from_json(record.to_json()) == record


def test_a_record_cannot_change() -> None:
    with pytest.raises(FrozenInstanceError):
        RECORD.score = 0.1  # type: ignore[misc]
