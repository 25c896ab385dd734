"""The folder of the clips: whole files or none, and limits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from monitor.clips.folder import ClipFolder
from monitor.clips.limits import ClipLimits, StoredClip, beyond
from monitor.clips.names import clip_name, label_of
from monitor.clips.spans import Mark
from monitor.clips.stream import MOST_SAMPLES, Clip
from monitor.clips.writer import _CAPACITY, ClipWriter
from monitor.errors import ClipError

RATE = 22050
UTC = 1_777_672_800.0
DAY_S = 86400.0
ROOMY = ClipLimits(days=1000.0, per_class=1000, size=10**9)


def clip(number: int = 1, label: str = "dog_bark", seconds: float = 0.5) -> Clip:
    samples = np.random.default_rng(number).integers(-32768, 32768, round(seconds * RATE), np.int16)
    marks = [Mark(1, label, f"id-{number}", 1000 + RATE // 4)]
    path = clip_name(UTC + number, label, f"id-{number}")
    return Clip(path, RATE, 1000, 1000 + len(samples), UTC + number, marks, [(1000, samples)])


def names(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_a_file_holds_the_samples_and_marks_the_onset(tmp_path: Path) -> None:
    one = clip()
    ClipFolder(tmp_path / "clips").write(one)
    with soundfile.SoundFile(tmp_path / "clips" / one.path) as file:
        assert (file.format, file.subtype, file.samplerate) == ("FLAC", "PCM_16", RATE)
        assert np.array_equal(file.read(dtype="int16"), one.pieces[0][1])
        assert json.loads(file.comment) == [{"onset_s": 0.25, "label": "dog_bark", "event_id": "id-1"}]
        assert file.title == "dog_bark"
        assert file.date == "2026-05-01T22:00:01.000Z"


def test_only_its_owner_reads_a_folder_that_was_made(tmp_path: Path) -> None:
    ClipFolder(tmp_path / "state" / "clips").write(clip())
    assert (tmp_path / "state" / "clips").stat().st_mode & 0o777 == 0o700


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = [{here!r}]
from test_folder import clip
from monitor.clips.folder import ClipFolder

def hang(descriptor):
    print("half", flush=True)
    signal.pause()

os.fsync = hang
ClipFolder(Path(sys.argv[1])).write(clip(2))
"""


def test_kill_9_while_writing_leaves_no_half_clip(tmp_path: Path) -> None:
    folder = ClipFolder(tmp_path)
    folder.write(clip(1))
    code = KILLED.format(here=str(Path(__file__).parent))
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        part = [name for name in names(tmp_path) if name.endswith(".part")]
        assert len(part) == 1
        assert Path(part[0]).name.startswith(".")
        folder.prepare()
        assert set(part) < set(names(tmp_path)), "a file that another process writes is no leftover"
        process.send_signal(signal.SIGKILL)
    assert [one.name for one in folder.stored()] == [clip(1).path]
    assert folder.find(clip(2).path) is None
    assert [name for name in names(tmp_path) if not Path(name).name.startswith(".")] == [clip(1).path]
    folder.prepare()
    assert names(tmp_path) == [clip(1).path]


def test_a_clip_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ClipError, match=r"No space left.*clips.path must be"):
        ClipFolder(tmp_path).write(clip())
    assert names(tmp_path) == []


def test_a_folder_that_is_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "clips").write_text("")
    with pytest.raises(ClipError, match=r"clips: File exists; clips.path must be"):
        ClipFolder(tmp_path / "clips").prepare()


@pytest.mark.parametrize(
    "name",
    [
        "../secret.flac", "/etc/passwd", "2026-05-01/../../secret.flac", "", ".",
        "2026-05-01/220001Z-dog_bark-id1.flac/..", "2026-05-01\n/220001Z-a-1.flac", "2026-05-01/secret.flac",
    ],
)  # fmt: skip
def test_a_name_leads_nowhere_but_to_a_clip(tmp_path: Path, name: str) -> None:
    folder = ClipFolder(tmp_path / "clips")
    folder.write(clip())
    (tmp_path / "secret.flac").write_text("secret")
    (tmp_path / "clips" / "2026-05-01" / "secret.flac").write_text("secret")
    assert folder.find(name) is None
    assert folder.find(clip().path) is not None


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.flac").write_text("secret")
    (tmp_path / "clips" / "2026-05-01").mkdir(parents=True)
    name = "2026-05-01/220001Z-dog-1.flac"
    (tmp_path / "clips" / name).symlink_to(tmp_path / "secret.flac")
    folder = ClipFolder(tmp_path / "clips")
    assert folder.find(name) is None
    assert folder.stored() == []


@pytest.mark.parametrize(
    "label", ["dog_bark", "Smoke detector, smoke alarm", "a-b", "Größe/..", "x" * 300, "猫"]
)
def test_the_name_of_any_label_is_one_of_ours(label: str) -> None:
    assert label_of(clip_name(UTC, label, "0198a0f0-0000-7000-8000-0123456789ab")) is not None


def stored(number: int, label: str = "dog", age_days: float = 0.0, size: int = 10) -> StoredClip:
    return StoredClip(f"clip-{number}", label, UTC - age_days * DAY_S, size)


def gone(clips: list[StoredClip], limits: ClipLimits, in_use: tuple[str, ...] = ()) -> list[str]:
    return [one.name for one in beyond(clips, limits, UTC, in_use)]


def test_the_oldest_go_first_by_age_class_and_size() -> None:
    clips = [stored(1, age_days=1), stored(2, "horn", 4), stored(3, age_days=3), stored(4, age_days=2)]
    assert gone(clips, ROOMY) == []
    assert gone(clips, ClipLimits(2.5, 10, 1000)) == ["clip-2", "clip-3"]
    assert gone(clips, ClipLimits(10, 1, 1000)) == ["clip-3", "clip-4"], "a class of its own is not touched"
    assert gone(clips, ClipLimits(10, 10, 25)) == ["clip-2", "clip-3"]


def test_a_clip_in_use_is_never_deleted() -> None:
    clips = [stored(1, age_days=9), stored(2, age_days=8), stored(3, age_days=7)]
    assert gone(clips, ClipLimits(1, 1, 1), ("clip-1",)) == ["clip-2", "clip-3"]
    assert gone(clips, ClipLimits(100, 2, 1000), ("clip-1",)) == ["clip-2"]


def test_the_folder_deletes_all_but_what_is_being_played(tmp_path: Path) -> None:
    folder = ClipFolder(tmp_path, utc=lambda: 4e9)
    for number in (1, 2):
        folder.write(clip(number))
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    with folder.held(clip(1).path) as file:
        folder.tidy(ClipLimits(1.0, 100, 10**9))
        assert file is not None
        assert file.exists()
        assert names(tmp_path) == sorted([clip(1).path, "notes.txt"])
    folder.tidy(ClipLimits(1.0, 100, 10**9))
    assert names(tmp_path) == ["notes.txt"]
    assert not (tmp_path / "2026-05-01").exists()


def test_a_clip_from_before_the_clock_was_set_ages_from_then_on(tmp_path: Path) -> None:
    now = [UTC]
    folder = ClipFolder(tmp_path, utc=lambda: now[0])
    folder.write(clip())
    os.utime(tmp_path / clip().path, (60.0, 60.0))
    folder.tidy(ClipLimits(2.0, 100, 10**9))
    assert names(tmp_path) == [clip().path]
    now[0] += 3 * DAY_S
    folder.tidy(ClipLimits(2.0, 100, 10**9))
    assert names(tmp_path) == []


def test_all_that_was_queued_is_written(tmp_path: Path) -> None:
    writer = ClipWriter(ClipFolder(tmp_path), ROOMY)
    for number in range(5):
        writer.put(clip(number))
    writer.close()
    assert writer.dropped == 0
    assert len(names(tmp_path)) == 5


class Stuck(ClipFolder):
    """A folder on a disk that does not answer until the test lets it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.read, self.write_end = os.pipe()

    def prepare(self) -> None:
        os.read(self.read, 1)


def test_a_stuck_disk_never_holds_up_the_audio_path(tmp_path: Path) -> None:
    folder = Stuck(tmp_path)
    writer = ClipWriter(folder, ROOMY)
    for number in range(_CAPACITY + 3):
        writer.put(clip(number))
    assert writer.dropped == 3
    os.write(folder.write_end, b"x")
    writer.close()
    assert len(names(tmp_path)) == _CAPACITY
    os.close(folder.read)
    os.close(folder.write_end)


def test_few_long_clips_fill_the_queue(tmp_path: Path) -> None:
    folder = Stuck(tmp_path)
    writer = ClipWriter(folder, ROOMY)
    for number in range(3):
        writer.put(Clip(f"{number}", RATE, 0, MOST_SAMPLES, UTC, [], []))
    assert writer.dropped == 1
    writer._queue.clear()
    os.write(folder.write_end, b"x")
    writer.close()
    os.close(folder.read)
    os.close(folder.write_end)


def test_a_replay_learns_that_its_clips_were_not_written(tmp_path: Path) -> None:
    (tmp_path / "clips").write_text("")
    writer = ClipWriter(ClipFolder(tmp_path / "clips"), ROOMY, wait=True)
    writer.put(clip())
    with pytest.raises(ClipError, match="File exists"):
        writer.close()
