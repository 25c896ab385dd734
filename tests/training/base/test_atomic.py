"""A file is whole or not there, with two writers as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.base.atomic import atomic_write


def test_two_writers_at_once_both_succeed(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "mel.npz"
    with atomic_write(path) as ours:
        ours.write_text("ours")
        with atomic_write(path) as theirs:
            theirs.write_text("theirs")
        assert path.read_text() == "theirs"
    assert path.read_text() == "ours"
    assert list(path.parent.iterdir()) == [path]


def test_what_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text("before")

    def interrupted() -> None:
        with atomic_write(path) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
