"""A header that tells the wrong length, and files joined or cut, never shorten a recording silently."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from monitor.errors import AudioError
from monitor.sources.files import FileSource
from monitor.sources.formats.wholeness import unread

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
    assert unread(path, len(first), 32000) is None
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
    assert unread(path, path.stat().st_size, 32000) is None


FFMPEG = ("ffmpeg", "-nostdin", "-v", "error", "-y")


def by_ffmpeg(path: Path, *options: str, seconds: float = 2.0) -> bytes:
    """A recording of noise that ffmpeg encoded."""
    source = ("-f", "lavfi", "-i", f"anoisesrc=d={seconds}:r=16000:a=0.3")
    subprocess.run([*FFMPEG, *source, *options, path], check=True)
    return path.read_bytes()


def test_flac_in_ogg_is_the_same_as_flac(tmp_path: Path) -> None:
    by_ffmpeg(tmp_path / "x.flac")
    joined = by_ffmpeg(tmp_path / "x.oga", "-c:a", "flac", "-f", "ogg")
    plain, packed = (FileSource(tmp_path / name) for name in ("x.flac", "x.oga"))
    for expected, block in zip(plain.blocks(), packed.blocks(), strict=True):
        assert len(block.samples) == len(expected.samples)
    plain.close()
    packed.close()
    assert heard(tmp_path / "x.oga") == (2.0, "")
    (tmp_path / "x.oga").write_bytes(2 * joined)
    assert "only the first of 2 parts" in heard(tmp_path / "x.oga")[1]
    (tmp_path / "x.oga").write_bytes(joined[:-1000])
    assert "the last page is truncated" in heard(tmp_path / "x.oga")[1]


@pytest.mark.parametrize(
    "options", [("-f", "mp3"), ("-write_xing", "0", "-f", "mp3"), ("-c:a", "libmp3lame", "-f", "wav")]
)
def test_an_mp3_without_a_length_and_one_in_a_wav_are_not_called_damaged(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    content = by_ffmpeg(tmp_path / "x", *options)
    seconds, error = heard(tmp_path / "x")
    assert (seconds, error) == (pytest.approx(2.0, abs=0.15), "")
    if "wav" in options:
        (tmp_path / "x").write_bytes(content[:-3000])
        assert "bytes that the header promises are missing" in heard(tmp_path / "x")[1]


def test_an_mp3_of_varying_bit_rate_without_a_length_is_not_shortened_silently(tmp_path: Path) -> None:
    sources = ("anoisesrc=d=3:r=44100", "anullsrc=r=44100:d=40")
    joined = f"{sources[0]}[a];{sources[1]}[b];[a][b]concat=n=2:v=0:a=1"
    how = ("-f", "lavfi", "-i", joined, "-c:a", "libmp3lame", "-q:a", "4", "-write_xing", "0")
    subprocess.run([*FFMPEG, *how, tmp_path / "x.mp3"], check=True)
    seconds, error = heard(tmp_path / "x.mp3")
    assert seconds < 20
    behind_s = float(error.split("damaged (")[1].split(" s lie behind")[0])
    assert seconds + behind_s == pytest.approx(43, abs=0.2)


@pytest.mark.parametrize("form", ["AIFF", "AU", "W64"])
def test_other_containers_cut_or_joined_are_reported(tmp_path: Path, form: str) -> None:
    path = tmp_path / "x"
    whole = encoded(path, format=form, subtype="PCM_16")
    assert heard(path) == (2.0, "")
    path.write_bytes(whole[: len(whole) * 6 // 10])
    assert "bytes that the header promises are missing" in heard(path)[1]
    path.write_bytes(2 * whole)
    assert heard(path)[1]
    path.write_bytes(whole + bytes(100))
    assert heard(path)[1] == ""


def test_caf_files_joined_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(2 * encoded(path, format="CAF", subtype="PCM_16"))
    assert "bytes lie behind what the header says" in heard(path)[1]


def test_audio_behind_a_length_of_zero_is_not_called_empty(tmp_path: Path) -> None:
    path = tmp_path / "x.au"
    content = bytearray(encoded(path, format="AU", subtype="PCM_16"))
    content[8:12] = bytes(4)
    path.write_bytes(content)
    assert "the header says 0 samples, yet 64000 bytes lie behind" in heard(path)[1]


@pytest.mark.parametrize(("first", "second"), [("vorbis", "opus"), ("mp3", "flac"), ("mp3", "vorbis")])
def test_files_of_two_kinds_joined_are_reported(tmp_path: Path, first: str, second: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(encoded(path, **FORMS[first]) + encoded(path, **FORMS[second]))
    assert "ffmpeg -i OLD" in heard(path)[1]


def test_a_flac_of_unknown_length_joined_to_another_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    content = bytearray(encoded(path, format="FLAC"))
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(2 * bytes(content))
    assert "ffmpeg -i OLD" in heard(path)[1] or "lost sync" in heard(path)[1]
