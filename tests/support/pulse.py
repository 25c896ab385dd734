"""A private PulseAudio server whose null sink is a microphone: what is played into it is heard.

Processes that shall hear it run with ``server.environment``; in the test's own process the
fixture sets it before PortAudio starts.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import soundfile

PATIENCE_S = 20.0
"""How long anything may take on a busy machine before a test fails."""

_ALSA = "pcm.!default { type pulse }\nctl.!default { type pulse }\n"


def _find(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.fail(
            f"{program} is not installed (apt-get install pulseaudio libportaudio2 libasound2-plugins)"
        )
    return path


class PulseServer:
    """A server in a folder of its own: sink ``vmic``, and its monitor as the default microphone."""

    def __init__(self, folder: Path) -> None:
        home, runtime = folder / "home", folder / "run"
        (home / ".config" / "pulse").mkdir(parents=True)
        runtime.mkdir(mode=0o700)
        (home / ".asoundrc").write_text(_ALSA)
        # A killed server must stay dead until the test starts it again.
        (home / ".config" / "pulse" / "client.conf").write_text("autospawn = no\n")
        self.folder = folder
        self.changes = {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime)}
        self._socket = runtime / "pulse" / "native"
        self._server: subprocess.Popen[bytes] | None = None
        self._keep_alive: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Environment of a process that hears and plays here."""
        foreign = ("PULSE_SERVER", "PULSE_SOURCE", "PULSE_SINK", "XDG_CONFIG_HOME", "DISPLAY")
        kept = {key: value for key, value in os.environ.items() if key not in foreign}
        return {**kept, **self.changes}

    def start(self) -> PulseServer:
        """Start the server, and a player of silence: without one sound comes half a second late."""
        with (self.folder / "pulse.log").open("ab") as log:
            self._server = subprocess.Popen(
                [
                    _find("pulseaudio"),
                    *(
                        "-n",
                        "--daemonize=no",
                        "--use-pid-file=no",
                        "--exit-idle-time=-1",
                        "--log-target=stderr",
                    ),
                    *("-L", "module-native-protocol-unix"),
                    *("-L", "module-null-sink sink_name=vmic rate=48000 channels=1"),
                ],
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + PATIENCE_S
        while self._pactl("info").returncode:
            if time.monotonic() > deadline or self._server.poll() is not None:
                pytest.fail(f"pulseaudio did not start: {(self.folder / 'pulse.log').read_text()[-500:]}")
            time.sleep(0.02)  # the server has no other sign of being ready
        self.control("set-default-source", "vmic.monitor")
        self.control("set-default-sink", "vmic")
        with open("/dev/zero", "rb") as zeros:
            self._keep_alive = subprocess.Popen(
                [_find("pacat"), "--playback", "--latency-msec=10", *_format(48000), "-d", "vmic"],
                env=self.environment,
                stdin=zeros,
                stderr=subprocess.DEVNULL,
            )
        return self

    def control(self, *words: str) -> str:
        """Run pactl; returns what it prints."""
        done = self._pactl(*words)
        assert done.returncode == 0, f"pactl {' '.join(words)}: {done.stderr}"
        return done.stdout

    def mute(self, on: bool) -> None:
        """Mute the microphone: it delivers exact zeros."""
        self.control("set-source-mute", "vmic.monitor", str(int(on)))

    def add_mute_source(self) -> None:
        """Make a source that never delivers anything the default one."""
        pipe = self.folder / "nobody-writes-here"
        self.control("load-module", "module-pipe-source", "source_name=stuck", f"file={pipe}")
        self.control("set-default-source", "stuck")

    def player(self, file: Path) -> subprocess.Popen[bytes]:
        """Start to play a recording into the microphone."""
        return subprocess.Popen(
            [_find("paplay"), "--latency-msec=20", "-d", "vmic", str(file)], env=self.environment
        )

    def play(self, file: Path) -> None:
        """Play a recording to its end."""
        assert self.player(file).wait(PATIENCE_S + soundfile.info(file).duration) == 0

    def freeze(self) -> None:
        """Stop the server without ending it; thaw before closing what it serves (libpulse waits a minute)."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the server at once, as a crash or an unplugged device would."""
        for process in (self._server, self._keep_alive):
            if process is not None:
                process.kill()
                process.wait(PATIENCE_S)
        self._server = self._keep_alive = None
        self._socket.unlink(missing_ok=True)

    def _pactl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [_find("pactl"), *words], env=self.environment, capture_output=True, text=True, timeout=PATIENCE_S
        )


def _format(rate: int) -> tuple[str, ...]:
    return (f"--rate={rate}", "--channels=1", "--format=s16le")


def write_tone(file: Path, *, hz: float, duration_s: float, rate: int = 48000) -> Path:
    """Write a sine at −12 dBFS."""
    time_s = np.arange(round(duration_s * rate)) / rate
    soundfile.write(file, 0.25 * np.sin(2 * np.pi * hz * time_s), rate, subtype="PCM_16")
    return file


@pytest.fixture
def pulse(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[PulseServer]:
    """A running server that this process hears too."""
    server = PulseServer(tmp_path_factory.mktemp("pulse"))
    for key, value in server.changes.items():
        monkeypatch.setenv(key, value)
    for key in ("PULSE_SERVER", "PULSE_SOURCE", "PULSE_SINK", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(key, raising=False)
    with ExitStack() as stack:
        stack.callback(server.kill)
        yield server.start()
