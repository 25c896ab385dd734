"""A history whose file or disk fails: the process goes on, nothing readable is deleted, all is said."""

from __future__ import annotations

import logging
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from samples import record

from monitor.delivery.store import recovery
from monitor.delivery.store.lock import ProcessLock
from monitor.delivery.store.outbox import Outbox
from monitor.delivery.store.recovery import LastingDatabase
from monitor.errors import OutboxError, UsageError


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(clock: Clock) -> Iterator[Callable[[Path], Outbox]]:
    """Opens histories that last, and closes them after the test."""
    outboxes: list[Outbox] = []

    def open_(path: Path) -> Outbox:
        outboxes.append(Outbox(LastingDatabase(path, monotonic=clock, utc=clock)))
        return outboxes[-1]

    yield open_
    for outbox in outboxes:
        outbox.close()


def filled(path: Path, rows: int = 200) -> Path:
    with closing(Outbox(path)) as outbox:
        outbox.append_all(record(seq) for seq in range(1, rows + 1))
    return path


def of_random_bytes(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(20_000))


def with_a_header_of_random_bytes(path: Path) -> None:
    data = bytearray(filled(path).read_bytes())
    data[:100] = random.Random(2).randbytes(100)
    path.write_bytes(data)


def with_another_application(path: Path) -> None:
    data = bytearray(filled(path).read_bytes())
    data[68] ^= 0xFF
    path.write_bytes(data)


def of_a_newer_version(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def of_a_version_that_it_is_not(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1")


def cut_in_half(path: Path) -> None:
    data = filled(path).read_bytes()
    path.write_bytes(data[: len(data) // 2])


def without_a_table(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE events")


DAMAGES = (
    of_random_bytes,
    with_a_header_of_random_bytes,
    with_another_application,
    of_a_newer_version,
    of_a_version_that_it_is_not,
    cut_in_half,
    without_a_table,
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_history_is_kept_aside_and_a_new_one_is_begun(
    tmp_path: Path,
    opened: Callable[[Path], Outbox],
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], None],
) -> None:
    path = tmp_path / "history.db"
    damage(path)
    before = path.read_bytes()
    outbox = opened(path)
    for _ in range(2):  # what is found only by reading is an error once
        try:
            outbox.append(record(1))
            break
        except OutboxError:
            continue
    assert outbox.last_seq() == 1
    (kept,) = tmp_path.glob("history.db.damaged-19700101T001640Z")
    assert len(kept.read_bytes()) >= len(before) // 2
    assert outbox.damage is not None
    assert outbox.damage.startswith(f"history {path}: damaged (")
    assert outbox.damage.endswith(f"kept as {kept.name}, a new one was begun")
    assert caplog.messages.count(outbox.damage) == 1


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bytes_never_stop_the_history_for_long(
    tmp_path: Path, opened: Callable[[Path], Outbox], seed: int
) -> None:
    chance = random.Random(seed)
    path = tmp_path / "history.db"
    data = bytearray(filled(path).read_bytes())
    for _ in range(chance.choice((1, 30, 1000))):
        data[chance.randrange(len(data))] = chance.randrange(256)
    path.write_bytes(data)
    outbox = opened(path)
    for attempt in range(4):
        try:
            outbox.open_starts()
            outbox.query()
            outbox.append(record(1000))
            break
        except OutboxError:
            assert attempt < 3
    assert 1000 in [seq for seq, _ in outbox.pending(999, 10)]


def test_the_largest_damaged_files_are_kept_and_no_more_than_two(
    tmp_path: Path, opened: Callable[[Path], Outbox], clock: Clock
) -> None:
    path = tmp_path / "history.db"
    for size in (500, 40_000, 600, 700):
        path.write_bytes(b"x" * size)
        outbox = opened(path)
        outbox.close()
        path.unlink()
        clock.now += 1
    sizes = sorted(one.stat().st_size for one in tmp_path.glob("history.db.damaged-*"))
    assert sizes == [700, 40_000]


def test_the_database_of_another_program_is_never_touched(
    tmp_path: Path, opened: Callable[[Path], Outbox]
) -> None:
    path = tmp_path / "songs.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE songs (title)")
    before = path.read_bytes()
    outbox = opened(path)
    with pytest.raises(OutboxError, match="another program"):
        outbox.append(record(1))
    assert outbox.damage is not None
    assert "another program" in outbox.damage
    outbox.close()
    assert path.read_bytes() == before


def test_a_history_that_cannot_be_opened_at_the_start_is_opened_later(
    tmp_path: Path, opened: Callable[[Path], Outbox], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "usb"
    place.touch()  # not mounted
    outbox = opened(place / "history.db")
    assert "events are kept in memory until it can be written" in caplog.messages[0]
    with pytest.raises(OutboxError, match="lock file"):
        outbox.append(record(1))
    first = outbox.next_seq()
    assert first > 1 << 32
    assert outbox.damage is not None
    place.unlink()
    place.mkdir()
    filled(place / "history.db", 3)
    with pytest.raises(OutboxError):  # not tried again at once
        outbox.append(record(first))
    clock.now += 2 * recovery._REOPEN_S
    outbox.append(record(first))
    assert outbox.damage is None
    assert [seq for seq, _ in outbox.pending(0, 10)] == [1, 2, 3, first]


def test_what_is_done_at_each_opening_is_done_once_a_file(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "history.db"
    database = LastingDatabase(path, monotonic=clock, utc=clock)
    outbox, sizes = Outbox(database), []
    database.on_open(lambda: sizes.append(outbox.last_seq()))
    outbox.append(record(1))
    path.unlink()
    clock.now += 2
    outbox.append(record(2))
    outbox.close()
    assert sizes == [0, 0]


def test_a_deleted_history_is_begun_anew(tmp_path: Path, opened: Callable[[Path], Outbox]) -> None:
    path = tmp_path / "history.db"
    outbox = opened(path)
    outbox.append(record(1))
    for file in tmp_path.glob("history.db*"):
        file.unlink()
    outbox.append(record(2))
    with closing(Outbox(path, readonly=True)) as reader:
        assert [seq for seq, _ in reader.pending(0, 10)] == [2]


def test_a_full_disk_passes(
    tmp_path: Path, opened: Callable[[Path], Outbox], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = opened(filled(tmp_path / "history.db", 10))
    with outbox._database.using() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
    batch = [record(seq) for seq in range(11, 200)]
    with pytest.raises(OutboxError, match="full"):
        outbox.append_all(batch)
    assert outbox.last_seq() == 10
    with outbox._database.using() as connection:
        connection.execute("PRAGMA max_page_count = 100000")
    outbox.append_all(batch)
    assert outbox.last_seq() == 199
    assert outbox.damage is None


def test_a_second_process_is_refused_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with ProcessLock(path), pytest.raises(UsageError, match="another sound-monitor"):
        LastingDatabase(path)


def test_only_its_owner_reads_a_history(tmp_path: Path, opened: Callable[[Path], Outbox]) -> None:
    path = filled(tmp_path / "history.db")
    path.chmod(0o644)
    opened(path).append(record(1000))
    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()}
    names = ("history.db", "history.db-wal", "history.db-shm", "history.db.lock")
    assert modes == dict.fromkeys(names, "0o600")


def test_logs_are_one_line_while_a_history_cannot_be_opened(
    tmp_path: Path, opened: Callable[[Path], Outbox], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    outbox = opened(tmp_path / "file" / "history.db")
    with caplog.at_level(logging.INFO):
        for _ in range(50):
            with pytest.raises(OutboxError):
                outbox.pending_count()
            clock.now += 2
    assert len(caplog.records) == 1
