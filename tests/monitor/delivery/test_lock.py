"""The lock of a history: one process, whatever lies in its folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.delivery.store.lock import ProcessLock
from monitor.errors import OutboxError


@pytest.mark.parametrize("what", ["link to a file", "link to nothing", "directory", "fifo"])
def test_what_is_no_file_of_ours_is_neither_followed_nor_changed(tmp_path: Path, what: str) -> None:
    other = tmp_path / "other"
    if what != "link to nothing":
        other.write_text("not ours")
    lock = tmp_path / "history.db.lock"
    if what.startswith("link"):
        lock.symlink_to(other)
    elif what == "fifo":
        os.mkfifo(lock)
    else:
        lock.mkdir()
    with pytest.raises(OutboxError, match=r"history\.db\.lock"):
        ProcessLock(tmp_path / "history.db")
    assert not other.exists() or other.read_text() == "not ours"


def test_only_its_owner_may_open_the_lock(tmp_path: Path) -> None:
    with ProcessLock(tmp_path / "history.db"):
        assert (tmp_path / "history.db.lock").stat().st_mode & 0o777 == 0o600
