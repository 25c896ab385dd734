"""Recordings of every shape are read whole, and bad ones are named in one line."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from monitor.errors import AudioError
from monitor.sources.files import FileSource, find_audio


def noise(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    rng = np.random.default_rng(7)
    samples = rng.uniform(-0.5, 0.5, (round(seconds * rate), channels)).astype(np.float32)
    return samples[:, 0] if channels == 1 else samples


def write(path: Path, samples: np.ndarray, rate: int, **how: str) -> Path:
    soundfile.write(path, samples, rate, **how)
    return path


def read(path: Path) -> np.ndarray:
    source = FileSource(path)
    heard = list(source.blocks())
    source.close()
    ends = np.cumsum([len(block.samples) for block in heard])
    assert [block.position for block in heard] == [0, *ends[:-1]]
    assert all(block.samples.dtype == np.float32 and block.arrived is None for block in heard)
    assert all(len(block.samples) <= source.rate for block in heard)
    return np.concatenate([block.samples for block in heard])


def read_until_error(path: Path) -> tuple[int, str]:
    """Frames read, and the error that came after them."""
    source = FileSource(path)
    frames = 0
    try:
        for block in source.blocks():
            frames += len(block.samples)
    except AudioError as error:
        return frames, str(error)
    finally:
        source.close()
    pytest.fail("no error")


@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize("rate", [8000, 22050, 96000])
@pytest.mark.parametrize(
    ("how", "tolerance"),
    [
        ({"format": "WAV", "subtype": "PCM_U8"}, 1 / 64),
        ({"format": "WAV", "subtype": "PCM_16"}, 1e-4),
        ({"format": "WAV", "subtype": "PCM_24"}, 1e-6),
        ({"format": "WAV", "subtype": "PCM_32"}, 1e-6),
        ({"format": "WAV", "subtype": "FLOAT"}, 0),
        ({"format": "WAV", "subtype": "DOUBLE"}, 0),
        ({"format": "WAV", "subtype": "ULAW"}, 0.05),
        ({"format": "RF64", "subtype": "PCM_16"}, 1e-4),
        ({"format": "FLAC", "subtype": "PCM_16"}, 1e-4),
        ({"format": "FLAC", "subtype": "PCM_24"}, 1e-6),
    ],
)
def test_any_rate_channels_and_subtype_is_read_whole(
    tmp_path: Path, how: dict[str, str], tolerance: float, rate: int, channels: int
) -> None:
    samples = noise(2.3, rate, channels)
    path = write(tmp_path / "x.wav", samples, rate, **how)
    heard = read(path)
    assert heard.shape == samples.shape
    np.testing.assert_allclose(heard, samples, rtol=0, atol=tolerance)
    assert FileSource(path).rate == rate


def test_ogg_is_the_same_in_blocks_as_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "x.ogg", noise(3.7, 44100, 2), 44100)
    np.testing.assert_array_equal(read(path), soundfile.read(path, dtype="float32")[0])


def test_duration_and_begin_are_told(tmp_path: Path) -> None:
    path = write(tmp_path / "x.wav", noise(2.5, 8000), 8000)
    os.utime(path, (1000.0, 1000.0))
    source = FileSource(path)
    assert (source.name, source.duration_s, source.started_utc) == (str(path), 2.5, 997.5)


def test_blocks_do_not_change_when_the_next_is_read(tmp_path: Path) -> None:
    samples = noise(3, 8000)
    blocks = list(FileSource(write(tmp_path / "x.wav", samples, 8000, subtype="FLOAT")).blocks())
    np.testing.assert_array_equal(np.concatenate([block.samples for block in blocks]), samples)


def test_a_header_with_a_placeholder_for_the_size_promises_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "x.wav", noise(1, 8000), 8000)
    for placeholder in (0xFFFFFFFF, 0x80000024, 0x7FFFF024):
        content = bytearray(path.read_bytes())
        struct.pack_into("<I", content, 4, placeholder)
        struct.pack_into("<I", content, 40, placeholder - 36)
        path.write_bytes(content)
        assert len(read(path)) == 8000


def test_a_flac_stream_of_unknown_length_is_read_to_its_end(tmp_path: Path) -> None:
    path = write(tmp_path / "x.flac", noise(1.5, 8000), 8000)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # STREAMINFO: 36 bits of total samples, zero when a pipe was written to
    content[22:26] = bytes(4)
    path.write_bytes(content)
    assert FileSource(path).duration_s is None
    assert len(read(path)) == 12000


@pytest.mark.parametrize("how", [{"format": "WAV"}, {"format": "RF64"}])
def test_a_file_that_ends_early_gives_what_it_has_and_then_says_so(
    tmp_path: Path, how: dict[str, str]
) -> None:
    path = write(tmp_path / "x.wav", noise(4, 8000), 8000, **how)
    path.write_bytes(path.read_bytes()[:-16000])
    frames, error = read_until_error(path)
    assert frames == 24000
    assert error == (
        f"{path}: damaged (16000 bytes that the header promises are missing); "
        "the first 3.0 s were used; copy or record it again"
    )


@pytest.mark.parametrize("suffix", ["flac", "ogg"])
def test_a_file_damaged_in_the_middle_gives_what_comes_before_and_then_says_so(
    tmp_path: Path, suffix: str
) -> None:
    path = write(tmp_path / f"x.{suffix}", noise(8, 8000), 8000)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = b"\x5a" * 4000
    path.write_bytes(content)
    frames, error = read_until_error(path)
    assert 16000 <= frames < 64000
    assert error.startswith(f"{path}: damaged (")
    assert f"the first {frames / 8000:.1f} s were used" in error


def test_a_flac_that_is_all_header_says_that_nothing_could_be_used(tmp_path: Path) -> None:
    path = write(tmp_path / "x.flac", noise(1, 8000), 8000)
    path.write_bytes(path.read_bytes()[:44])
    with pytest.raises(AudioError, match="nothing could be used"):
        list(FileSource(path).blocks())


def test_bad_files_are_named_with_the_reason_in_one_line(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no audio at all\n" * 100)
    empty = tmp_path / "empty.wav"
    empty.touch()
    cut = tmp_path / "cut.wav"
    cut.write_bytes(write(tmp_path / "x.wav", noise(1, 8000), 8000).read_bytes()[:20])
    silent = write(tmp_path / "silent.wav", np.zeros(0, np.float32), 8000)
    rate = write(tmp_path / "rate.wav", noise(1, 8000), 8000)
    content = bytearray(rate.read_bytes())
    struct.pack_into("<I", content, 24, 0x7FFFFFFF)
    rate.write_bytes(content)
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    for path, reason in [
        (tmp_path / "missing.wav", r"cannot be read \(No such file or directory\); check the path"),
        (tmp_path, "not a regular file"),
        (pipe, "not a regular file"),
        (text, r"cannot be read as audio \(Format not recognised\); convert it: ffmpeg -i"),
        (empty, r"holds no audio \(the file is empty\)"),
        (cut, "cannot be read as audio"),
        (silent, r"holds no audio \(0 samples\)"),
        (rate, "the header states 2147483647 Hz"),
    ]:
        with pytest.raises(AudioError, match=reason) as refused:
            FileSource(path)
        assert str(refused.value).startswith(f"{path}: ")
        assert "\n" not in str(refused.value)


def test_a_file_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.wav", noise(1, 8000), 8000)

    def refuse(*_: object) -> None:  # root, who runs many a test, may read everything
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(AudioError, match=r"x\.wav: cannot be read \(Permission denied\); check the path"):
        FileSource(path)


def test_directories_are_searched_and_sorted_and_files_are_taken_as_given(tmp_path: Path) -> None:
    taken = ("c.mp3", "d.opus", "e.aiff", "f.aif", "g.w64", "h.oga", "i.au", "j.caf")
    names = ["b/2.WAV", "b/1.flac", "a.ogg", "b/._1.flac", "notes.txt", "b/x.wav.json", *taken]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    given = tmp_path / "notes.txt"
    found = find_audio([given, tmp_path, Path("missing.wav")])
    expected = [tmp_path / name for name in ("a.ogg", "b/1.flac", "b/2.WAV", *taken)]
    assert found == [given, *expected, Path("missing.wav")]


def test_linked_directories_are_searched_once(tmp_path: Path) -> None:
    for name in ("card/2024/a.wav", "elsewhere/b.wav"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "card/again").symlink_to(tmp_path / "card/2024")
    (tmp_path / "card/loop").symlink_to(tmp_path / "card")
    (tmp_path / "card/other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "card/gone").symlink_to(tmp_path / "missing")
    found = find_audio([tmp_path / "card"])
    assert found == [tmp_path / "card/2024/a.wav", tmp_path / "card/other/b.wav"]


def test_a_directory_that_cannot_be_searched_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "locked").mkdir()
    scan = os.scandir

    def refuse(folder: str) -> object:
        if Path(folder).name == "locked":  # root, who runs many a test, may read everything
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert find_audio([tmp_path]) == [tmp_path / "a.wav"]
    assert f"{tmp_path / 'locked'}: cannot be searched (Permission denied)" in caplog.text


@pytest.mark.parametrize(
    ("name", "shown"), [(b"caf\xe9.wav", "caf\\xe9.wav"), (b"a\x1b[31m\n.wav", "a\\x1b[31m\\n.wav")]
)
def test_any_name_is_opened_and_shown_without_control_characters(
    tmp_path: Path, name: bytes, shown: str
) -> None:
    path = tmp_path / os.fsdecode(name)
    soundfile.write(tmp_path / "plain.wav", noise(1, 8000), 8000)
    (tmp_path / "plain.wav").rename(path)
    source = FileSource(path)
    assert source.name == str(tmp_path / shown)
    assert sum(len(block.samples) for block in source.blocks()) == 8000


def test_a_name_with_a_nul_is_no_file() -> None:
    with pytest.raises(AudioError, match="no file has such a name"):
        FileSource(Path("a\0b"))


def test_a_directory_without_audio_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(AudioError, match=r"no audio in this directory; looked for \.aif .*\.flac .*\.wav"):
        find_audio([tmp_path])
