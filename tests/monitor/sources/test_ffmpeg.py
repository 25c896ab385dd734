"""A real ffmpeg: what it plays is heard, why it ended is said, and no password is."""

from __future__ import annotations

import io
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from monitor.errors import AudioError
from monitor.sources.base import SourceLost, SourceUnusable
from monitor.sources.ffmpeg import FfmpegSource, ffmpeg_command

RATE = 16000
FIRST_S = 8


@pytest.fixture
def ffmpeg() -> Iterator[Callable[..., FfmpegSource]]:
    """Opens sources and closes them at the end."""
    if shutil.which("ffmpeg") is None:
        pytest.fail("ffmpeg is not installed (apt-get install ffmpeg)")
    opened: list[FfmpegSource] = []

    def open_source(url: str, **changes: object) -> FfmpegSource:
        values: dict[str, object] = {
            "rate": RATE,
            "buffer_s": 2.0,
            "stall_s": 3.0,
            "silence_s": 10.0,
            "stop": threading.Event(),
        }
        opened.append(FfmpegSource(url, **{**values, **changes}))  # type: ignore[arg-type]
        return opened[-1]

    yield open_source
    for source in opened:
        source.close()


def listen(source: FfmpegSource) -> tuple[np.ndarray, str]:
    """All that is heard, and the reason of its end."""
    heard = [np.zeros(0, np.float32)]
    try:
        for block in source.blocks():
            assert block.position == sum(map(len, heard))
            heard.append(block.samples)
    except SourceLost as lost:
        return np.concatenate(heard), str(lost)
    pytest.fail("a live source ended without a word")


def test_a_file_of_another_rate_is_heard_whole_and_its_end_is_a_loss(
    ffmpeg: Callable[..., FfmpegSource], tmp_path: Path
) -> None:
    time_s = np.arange(20 * 44100) / 44100
    tone = 0.5 * np.sin(2 * np.pi * 440 * time_s)
    soundfile.write(tmp_path / "x.wav", np.stack([tone, tone], axis=1), 44100)
    source = ffmpeg(str(tmp_path / "x.wav"))
    heard, reason = listen(source)
    assert reason == "the stream ended"
    assert source.dropped == 0
    assert len(heard) == pytest.approx(20 * RATE, abs=100)
    spectrum = np.abs(np.fft.rfft(heard[:RATE]))
    assert np.argmax(spectrum) == 440
    assert np.abs(heard).max() == pytest.approx(0.5, abs=0.01)


def test_ffmpeg_s_last_words_are_the_reason(ffmpeg: Callable[..., FfmpegSource], tmp_path: Path) -> None:
    _, reason = listen(ffmpeg(str(tmp_path / "missing.wav")))
    assert reason == f"the stream ended: {tmp_path}/missing.wav: No such file or directory"


class Camera:
    """Sends a WAV stream over loopback TCP and goes on being connected after it.

    The seconds that ffmpeg looks at first are sent at once, the rest at its own pace.
    """

    def __init__(self, audio: np.ndarray) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self._audio = audio
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        header = io.BytesIO()
        soundfile.write(header, np.zeros(RATE * 3600, np.int16), RATE, format="WAV")
        connection, _ = self._server.accept()
        with connection:
            connection.sendall(header.getvalue()[:44] + self._audio[: FIRST_S * RATE].tobytes())
            for start in range(FIRST_S * RATE, len(self._audio), RATE // 20):
                connection.sendall(self._audio[start : start + RATE // 20].tobytes())
                if self._over.wait(1 / 20):
                    return
            self._over.wait()


@pytest.mark.parametrize(
    ("amplitude", "seconds", "reason"), [(9000, 8, "no audio for 0.5 s"), (0, 12, "digital silence for 1 s")]
)
def test_a_camera_that_stalls_or_falls_silent_is_lost_and_closes_at_once(
    ffmpeg: Callable[..., FfmpegSource], amplitude: int, seconds: int, reason: str
) -> None:
    camera = Camera(np.full(seconds * RATE, amplitude, "<i2"))
    source = ffmpeg(camera.url, stall_s=0.5, silence_s=1.0)
    heard, why = listen(source)
    began = time.monotonic()
    source.close()
    assert time.monotonic() - began < 2.0
    camera.close()
    assert why == reason
    assert len(heard) > 7.5 * RATE
    assert source.dropped == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://me:se%40cret@127.0.0.1:1/x",
        "rtsp://user:se/cret1@127.0.0.1:9/x",
        "rtsp://user:se cret1@127.0.0.1:9/x",
        "rtsp://127.0.0.1:9/user=admin&password=cret1&channel=1",
        "rtsp:/user:cret1@127.0.0.1:9/x",
    ],
)
def test_a_password_never_leaves_the_source(ffmpeg: Callable[..., FfmpegSource], url: str) -> None:
    source = ffmpeg(url)
    _, reason = listen(source)
    assert "***" in source.name
    assert reason
    assert "cret" not in f"{source.name} {reason}"


@pytest.mark.parametrize("url", ["nope:x", "rstp://me:cret1@camera/x", "C:\\sound.wav"])
def test_a_protocol_that_ffmpeg_does_not_know_is_not_waited_for(
    ffmpeg: Callable[..., FfmpegSource], url: str
) -> None:
    with pytest.raises(
        SourceUnusable, match=r"does not know the protocol '(nope|rstp|c)'; write rtsp://"
    ) as end:
        list(ffmpeg(url).blocks())
    assert "cret1" not in str(end.value)


def test_a_url_with_a_nul_is_refused(ffmpeg: Callable[..., FfmpegSource]) -> None:
    with pytest.raises(SourceUnusable, match="a URL holds no NUL"):
        ffmpeg("http://camera/\0")


def test_cameras_are_asked_for_sound_alone_over_tcp() -> None:
    options = " ".join(ffmpeg_command("rtsp://camera/stream", RATE))
    assert "-rtsp_transport tcp -allowed_media_types audio -i rtsp://camera/stream" in options
    assert "rtsp" not in " ".join(ffmpeg_command("http://radio/stream", RATE))


def test_a_missing_ffmpeg_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AudioError, match="needs ffmpeg, which is missing; install it with: sudo apt install"):
        FfmpegSource("rtsp://camera/x", rate=RATE, buffer_s=1, stall_s=1, silence_s=1, stop=threading.Event())
