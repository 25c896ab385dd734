"""The one rule for what is done: same schema, same settings, same data; and records of before are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scored import random_record

from training.errors import DataError
from training.records.archive import texts
from training.records.envelope import Key, plain
from training.records.jobs import JOBS, JobRecord, job_key
from training.records.store import Codec, Store, envelope_of
from training.robustness.records import FINDINGS
from training.stream_eval.records import STREAMS

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def key_of(record: JobRecord) -> Key:
    return job_key(record.provenance.settings, record.data, record.clips.clip)


@pytest.fixture
def record() -> JobRecord:
    return random_record("net", 0.7)


def test_a_record_of_the_same_settings_and_data_is_found(record: JobRecord, tmp_path: Path) -> None:
    store = Store(tmp_path, JOBS)
    assert store.find(str(record.job), key_of(record)) is None
    store.write(str(record.job), record)
    again = store.find(str(record.job), key_of(record))
    assert again is not None
    assert again.to_json() == record.to_json()


def test_a_record_of_fewer_epochs_of_other_clips_or_of_another_schema_is_made_again(
    record: JobRecord, tmp_path: Path
) -> None:
    store, wanted = Store(tmp_path, JOBS), key_of(record)
    store.write(str(record.job), record)
    settings = {**record.provenance.settings, "epochs": 2}
    others = (
        job_key(settings, record.data, record.clips.clip),
        job_key(record.provenance.settings, replace(record.data, train_clips=99), record.clips.clip),
        job_key(record.provenance.settings, record.data, record.clips.clip[1:]),
        replace(wanted, schema=wanted.schema + 1),
    )
    assert [store.find(str(record.job), other) for other in others] == [None] * 4


def test_a_damaged_record_is_made_again_and_named_when_it_is_read(record: JobRecord, tmp_path: Path) -> None:
    store = Store(tmp_path, JOBS)
    path = store.write(str(record.job), record)
    path.write_text(path.read_text()[:-40])
    assert store.find(str(record.job), key_of(record)) is None
    with pytest.raises(DataError, match="not a job record of schema 1"):
        store.read(str(record.job))


def test_a_setting_that_came_later_has_the_value_that_changes_nothing() -> None:
    windows = {"recipe": {"mask": 0.5}, "epochs": 60}
    later = {
        "recipe": {"mask": 0.5, "room": 0.0, "room_frames": [10.0, 75.0], "room_db": [-5.0, 10.0]},
        "epochs": 60,
        "hardening": {"beta": 0.0, "epsilon_db": 1.0, "steps": 2},
    }
    hardened = {**later, "hardening": {"beta": 1.0, "epsilon_db": 1.0, "steps": 2}}
    keys = [JOBS.decisive(Key(1, settings, {})) for settings in (windows, later, hardened)]
    assert keys[0] == keys[1] != keys[2]


def test_a_measured_value_decides_nothing() -> None:
    keys = [JOBS.decisive(Key(1, {"epochs": 2, "deviation_db": value}, {})) for value in (18.0, 18.1)]
    assert keys[0] == keys[1]


def test_plain_values_are_those_that_json_gives_back() -> None:
    value = {"a": (1, 2.0), "b": Path("x"), "c": {"d": None, "e": True}}
    assert plain(value) == json.loads(json.dumps(value, default=str))
    assert plain({"figure": float("nan"), "other": 0.123456}, digits=3) == {"figure": None, "other": 0.123}


KINDS: Mapping[Path, Codec[Any]] = {
    RESULTS / "study" / "records": JOBS,
    RESULTS / "robustness" / "records" / "alerts": FINDINGS,
    Path(__file__).parent / "stream-eval" / "records": STREAMS,
}


@pytest.mark.parametrize("folder", KINDS, ids=lambda folder: folder.parent.name)
def test_a_record_of_before_the_envelope_says_the_same_once_it_has_one(folder: Path) -> None:
    codec = KINDS[folder]
    found = list(texts(folder).values())[:6]
    assert found
    for content in found:
        before = envelope_of(content, codec)
        written = codec.pack(codec.unpack(before)).to_json()
        after = envelope_of(written, codec)
        assert codec.decisive(after.key) == codec.decisive(before.key)
        assert codec.pack(codec.unpack(after)).to_json() == written
