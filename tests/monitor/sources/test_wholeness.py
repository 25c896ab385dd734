"""A header that tells the wrong length, and files joined or cut, never shorten a recording silently."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from monitor.errors import AudioError
from monitor.sources.files import FileSource, find_audio
from monitor.sources.wholeness import unread

RATE = 8000
PCM = (np.random.default_rng(3).uniform(-0.5, 0.5, 4 * RATE) * 32767).astype("<i2").tobytes()
LENGTH = len(PCM)
LIST = b"LIST\x0e\0\0\0INFOIART\x02\0\0\0ab"


def wav(riff: int, data: int, *, before: bytes = b"", after: bytes = b"", pcm: bytes = PCM) -> bytes:
    """A WAV whose header says what the caller likes."""
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    head = b"RIFF" + struct.pack("<I", riff) + b"WAVE" + form + before
    return head + b"data" + struct.pack("<I", data) + pcm + after


def heard(path: Path) -> tuple[float, str]:
    """Seconds read, and what was said of the file."""
    try:
        source = FileSource(path)
    except AudioError as error:
        return 0.0, str(error)
    frames = 0
    try:
        for block in source.blocks():
            frames += len(block.samples)
    except AudioError as error:
        return frames / source.rate, str(error)
    finally:
        source.close()
    return frames / source.rate, ""


@pytest.mark.parametrize(
    ("riff", "data", "before", "after"),
    [
        (LENGTH + 36, LENGTH, b"", b""),
        (LENGTH + 36 + len(LIST), LENGTH, b"", LIST),
        (LENGTH + 36, LENGTH, b"", bytes(2000)),
        (0, 0, b"", b""),
        (36, 0, b"", b""),
        (LENGTH + 36, 0, b"", b""),
        (0xFFFFFFFF, 0, b"", b""),
        (0, 0xFFFFFFFF, b"", b""),
        (0xFFFFFFFF, 0xFFFFFFFF, b"", b""),
        (4088, 0, b"JUNK" + struct.pack("<I", 4000) + bytes(4000), b""),
    ],
)
def test_a_header_that_promises_nothing_or_tells_the_truth_gives_the_whole_file(
    tmp_path: Path, riff: int, data: int, before: bytes, after: bytes
) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(wav(riff, data, before=before, after=after))
    assert heard(path) == (4.0, "")
    source = FileSource(path)
    samples = np.concatenate([block.samples for block in source.blocks()])
    source.close()
    np.testing.assert_array_equal(samples, np.frombuffer(PCM, "<i2") / np.float32(32768))


@pytest.mark.parametrize("declared", [LENGTH // 2, 16000, 2])
@pytest.mark.parametrize("true_riff", [True, False])
def test_audio_behind_the_declared_length_is_reported(tmp_path: Path, declared: int, true_riff: bool) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(wav((LENGTH if true_riff else declared) + 36, declared))
    seconds, error = heard(path)
    assert seconds == declared / 2 / RATE
    assert f"{LENGTH - declared} bytes lie behind what the header says" in error
    assert "\n" not in error


def test_a_recording_that_really_is_empty_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(
        wav(36 + len(LIST), 0, pcm=b"", after=LIST + b"JUNK" + struct.pack("<I", 9000) + bytes(9000))
    )
    seconds, error = heard(path)
    assert not seconds
    assert "holds no audio (0 samples)" in error


def test_samples_that_are_promised_and_missing_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(wav(0xFFFFFFFF, LENGTH + 5000))
    assert "5000 bytes that the header promises are missing" in heard(path)[1]


def encoded(path: Path, seconds: float = 2.0, seed: int = 1, **how: str) -> bytes:
    """A recording of noise, as bytes."""
    samples = np.random.default_rng(seed).uniform(-0.3, 0.3, round(seconds * 16000))
    soundfile.write(path, samples, 16000, **how)
    return path.read_bytes()


FORMS = {
    "vorbis": {"format": "OGG", "subtype": "VORBIS"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "flac": {"format": "FLAC"},
    "mp3": {"format": "MP3", "subtype": "MPEG_LAYER_III"},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("same", [True, False])
def test_files_that_were_joined_are_reported(tmp_path: Path, form: str, same: bool) -> None:
    path = tmp_path / "x.ogg"
    first = encoded(path, **FORMS[form])
    assert unread(path, len(first)) is None
    second = first if same else encoded(path, 3.0, 2, **FORMS[form])
    path.write_bytes(first + second)
    seconds, error = heard(path)
    assert seconds == pytest.approx(2.0, abs=0.2)
    assert "of 2 parts" in error or "of another part" in error
    assert "ffmpeg" in error


@pytest.mark.parametrize("form", ["vorbis", "opus", "mp3"])
def test_a_file_cut_anywhere_is_reported(tmp_path: Path, form: str) -> None:
    path = tmp_path / "x.ogg"
    whole = encoded(path, **FORMS[form])
    for kept in np.linspace(0.4 * len(whole), len(whole) - 20, 9).astype(int):
        path.write_bytes(whole[:kept])
        assert heard(path)[1], kept


def test_an_ogg_cut_between_two_pages_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "x.ogg"
    whole = encoded(path, **FORMS["vorbis"])
    path.write_bytes(whole[: whole.rindex(b"OggS")])
    assert "the end of the stream is missing" in heard(path)[1]


@pytest.mark.parametrize("tag", [b"TAG" + bytes(125), b"APETAGEX" + bytes(600)])
def test_tags_behind_an_mp3_are_no_audio(tmp_path: Path, tag: bytes) -> None:
    path = tmp_path / "x.mp3"
    path.write_bytes(encoded(path, **FORMS["mp3"]) + tag)
    assert unread(path, path.stat().st_size) is None


def test_what_libsndfile_cannot_read_is_not_looked_for(tmp_path: Path) -> None:
    (tmp_path / "x.oga").write_bytes(b"OggS\0\x02" + bytes(21) + b"\x7fFLAC")
    with pytest.raises(AudioError, match="no audio in this directory"):
        find_audio([tmp_path])
