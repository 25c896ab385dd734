"""An archive holds exactly what the loose records held, for every reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training.records.archive import collect, text, texts

NAMES = st.sampled_from(["a", "b", "part/a", "part/b~x=1.5", "part/deep/c"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    LEAVES
    | st.lists(st.booleans(), min_size=6, max_size=20)
    | st.lists(st.none() | st.integers() | st.floats(allow_nan=False), min_size=14, max_size=20)
    | st.lists(st.fixed_dictionaries({"a": st.booleans(), "b": st.integers()}), min_size=3, max_size=9),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def fill(folder: Path, records: dict[str, Any]) -> None:
    for name, record in records.items():
        path = folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record), encoding="utf-8")


def loaded(folder: Path) -> dict[str, Any]:
    return {name: json.loads(content) for name, content in texts(folder).items()}


@given(records=st.dictionaries(NAMES, VALUES, min_size=1))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_collected_records_are_read_as_the_loose_ones_were(
    records: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("subject") / "records"
    fill(folder, records)
    before = loaded(folder)
    archive = collect(folder)
    assert loaded(folder) == before == records
    assert list(before) == sorted(before)
    assert not folder.exists()
    assert archive.read_bytes().count(b"\n") == len(records)
    below = {name.removeprefix("part/"): one for name, one in records.items() if name.startswith("part/")}
    assert loaded(folder / "part") == below


def test_collecting_again_changes_no_byte(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    fill(folder, {"b": {"clips": [True, False] * 8}, "a": 1.25})
    first = collect(folder).read_bytes()
    assert collect(folder).read_bytes() == first
    assert b'"#bits"' in first


def test_a_loose_record_takes_precedence_and_replaces_its_line(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    fill(folder, {"part/a": 1, "part/b": 2})
    collect(folder)
    fill(folder, {"part/a": 3})
    assert loaded(folder) == {"part/a": 3, "part/b": 2}
    assert (text(folder, "part/a"), text(folder / "part", "b")) == ("3", "2")
    collect(folder)
    assert loaded(folder) == {"part/a": 3, "part/b": 2}


def test_a_record_that_is_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.json"):
        text(tmp_path, "nothing")
