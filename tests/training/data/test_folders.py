"""A folder per class: what is found in it, what is refused in one line, what is kept of each sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from corpora import sound, write_esc50, write_urbansound8k

from monitor.errors import EXIT_INPUT
from training.cli.data import data
from training.data.audio import read
from training.data.folders import (
    LEAST_RECORDINGS,
    find_classes,
    heard,
    label_counts,
    labelled_clips,
    link_folders,
    made_noises,
    read_folder,
)
from training.errors import DataError

RATE = 16_000
CLASSES = ("drill", "saw")


def write_sounds(folder: Path, *, files: int = LEAST_RECORDINGS, seconds: float = 0.8) -> Path:
    """Two classes of short tones, a file a recording, with half a second of silence after each."""
    for kind, label in enumerate(CLASSES):
        (folder / label).mkdir(parents=True)
        for number in range(files):
            samples = np.pad(sound(3 * kind, number, 0, seconds, RATE), (0, RATE // 2))
            soundfile.write(folder / label / f"{number}.wav", samples, RATE)
    return folder


def count(done: int) -> None:
    pass


def test_folders_are_classes_and_files_are_recordings(tmp_path: Path) -> None:
    sounds = read_folder(write_sounds(tmp_path / "mine"), None)
    assert sounds.labels == ("drill", "saw", "background")
    assert list(label_counts(sounds)) == [(label, 6, 6) for label in CLASSES]
    assert sounds.part.backgrounds == ()


def test_files_cut_from_one_recording_are_one(tmp_path: Path) -> None:
    folder = write_sounds(tmp_path / "mine", files=7)
    for number in (0, 1):
        (folder / "drill" / f"{number}.wav").rename(folder / "drill" / f"kitchen__{number}.wav")
    (folder / "saw" / "0.wav").rename(folder / "saw" / "kitchen__2.wav")
    sounds = read_folder(folder, None)
    assert list(label_counts(sounds)) == [("drill", 7, 6), ("saw", 7, 7)]
    assert "kitchen" in sounds.recordings("drill") & sounds.recordings("saw")


def test_backgrounds_are_found_in_the_folder_and_in_another_one(tmp_path: Path) -> None:
    folder = write_sounds(tmp_path / "mine")
    for place in (folder / "background", tmp_path / "more" / "street"):
        place.mkdir(parents=True)
        soundfile.write(place / "a.flac", np.zeros(RATE), RATE)
    beds = read_folder(folder, tmp_path / "more").part.backgrounds
    assert [(bed.label, bed.recording) for bed in beds] == [
        ("background", "background/a"),
        ("street", "street/a"),
    ]


def test_what_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        find_classes(tmp_path / "absent")
    with pytest.raises(DataError, match="no folders in it"):
        find_classes(tmp_path)
    folder = write_sounds(tmp_path / "mine", files=LEAST_RECORDINGS)
    (folder / "saw" / "0.wav").unlink()
    with pytest.raises(DataError, match=r"saw: 5 recordings; a class needs 6"):
        read_folder(folder, None)
    for path in (folder / "saw").iterdir():
        path.rename(path.with_suffix(".mp3"))
    with pytest.raises(DataError, match="saw: no audio in it"):
        read_folder(folder, None)
    (folder / "saw").rename(folder / "background")
    with pytest.raises(DataError, match=r"one class only \(drill\)"):
        read_folder(folder, None)
    with pytest.raises(DataError, match="background: no audio in it"):
        read_folder(write_sounds(tmp_path / "other"), folder / "background")
    with pytest.raises(DataError, match="drill: not a label of the model, which has siren"):
        labelled_clips(tmp_path / "other", ("siren",))


def test_a_sound_is_kept_without_its_silence_and_only_once(tmp_path: Path) -> None:
    sounds = read_folder(write_sounds(tmp_path / "mine", seconds=0.8), None)
    kept = heard(sounds, tmp_path / "kept", count)
    path = kept.part.events[0][0].path
    assert len(read(path, RATE)) == pytest.approx(0.8 * RATE, rel=0.02)
    assert kept.part.events[0][0].recording == sounds.part.events[0][0].recording
    before = path.stat().st_mtime_ns
    heard(sounds, tmp_path / "kept", count)
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize(("content", "said"), [(b"no sound", "cannot be decoded"), (None, "but silence")])
def test_a_file_that_is_no_sound_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    folder = write_sounds(tmp_path / "mine")
    bad = folder / "saw" / "3.wav"
    if content is None:
        soundfile.write(bad, np.zeros(RATE), RATE)
    else:
        bad.write_bytes(content)
    with pytest.raises(DataError, match=rf"3\.wav.*{said}"):
        heard(read_folder(folder, None), tmp_path / "kept", count)


def test_made_noises_are_the_same_each_time_and_unlike_each_other(tmp_path: Path) -> None:
    first, second = (made_noises(tmp_path / name) for name in ("first", "second"))
    sounds = [read(clip.path, RATE) for clip in first]
    for one, other in zip(sounds, second, strict=True):
        np.testing.assert_array_equal(one, read(other.path, RATE))
    likeness = np.corrcoef(np.stack(sounds)) - np.eye(len(sounds))
    assert np.abs(likeness).max() < 0.5


def test_a_corpus_becomes_folders_that_keep_recordings_together(tmp_path: Path) -> None:
    write_urbansound8k(tmp_path / "data")
    write_esc50(tmp_path / "data")
    arguments = ("--data", str(tmp_path / "data"))
    out = tmp_path / "fold2"
    done = CliRunner().invoke(data, ["folders", "urbansound8k", str(out), "--fold", "2", *arguments])
    assert done.output == f"{out}: 12 clips\n"
    clips = labelled_clips(out, ("dog_bark", "gun_shot", "siren"))
    assert {clip.recording[:1] for clip, _ in clips} == {"2"}
    assert len({clip.recording for clip, _ in clips}) == 6
    CliRunner().invoke(data, ["folders", "esc10", str(tmp_path / "esc10"), *arguments])
    assert {path.name for path in (tmp_path / "esc10").iterdir()} == {"dog", "rain"}


def test_a_corpus_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no clips of this corpus"):
        link_folders([], tmp_path)
    assert DataError("").exit_code == EXIT_INPUT
