"""The system under test: sound server, broker, proxy, disk, and a daemon that is restarted like a service."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from campaign import MONITOR, ROOT
from mosquitto import Mosquitto, free_port
from player import Player
from proxy import Proxy
from pulse import PulseServer
from subscriber import Subscriber

NODE = "trust"
KEEPALIVE_S = 5
DISK = "16m"
_RESTART_S = 2.0
_TICKS = os.sysconf("SC_CLK_TCK")
_SETTINGS = (
    f"node={NODE}", "mqtt.host=127.0.0.1", f"mqtt.keepalive_s={KEEPALIVE_S}", "mqtt.level_interval_s=0",
    "audio.wait=true", "events.profile=sensitive", "events.loud.enabled=true",
)  # fmt: skip


@dataclass(frozen=True)
class Exit:
    """An end of the daemon that nobody asked for."""

    at: float
    code: int
    last_line: str


class Rig:
    """All processes of one campaign, in a folder of its own; the history is on a small file system.

    Needs root (for the file system), mosquitto, PulseAudio and a C compiler (for the clock).
    """

    def __init__(self, folder: Path, seed: int) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.disk = folder / "disk"
        self.history = self.disk / "history.db"
        self.log = folder / "daemon.log"
        self._clock = folder / "clock"
        self._clock_library = folder / "clock.so"
        self.pulse = PulseServer(folder)
        place = folder / "broker"
        place.mkdir()
        self.broker = Mosquitto(
            place,
            ("allow_anonymous true", "persistence true", f"persistence_location {place}/",
             "autosave_interval 1", "autosave_on_changes true", "max_queued_messages 0"),
        )  # fmt: skip
        self._seed = seed
        self.exits: list[Exit] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False
        self._lock = threading.RLock()
        self._closed = threading.Event()

    def start(self) -> Rig:
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", self.disk], check=True)
        source = Path(__file__).with_name("clock.c")
        command = ("cc", "-O2", "-shared", "-fPIC", "-o", self._clock_library, source, "-ldl")
        subprocess.run(command, check=True)
        self._clock.write_bytes(bytes(8))
        self.pulse.start()
        self.broker.start()
        self.proxy = Proxy(free_port(), self.broker.port, self._seed)
        self.subscriber = Subscriber(self.broker.port, f"sound-monitor/{NODE}/#")
        self.player = Player(self.pulse, self._seed)
        self.launch()
        threading.Thread(target=self._keep, daemon=True).start()
        return self

    def close(self) -> None:
        self._closed.set()
        self._wanted = False
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        self.player.close()
        self.subscriber.close(self.folder / "messages.txt")
        self.proxy.close()
        self.broker.send_signal(signal.SIGCONT)
        self.broker.stop()
        self.pulse.kill()
        shutil.copytree(self.disk, self.folder / "kept", ignore=shutil.ignore_patterns("filler"))
        subprocess.run(["umount", self.disk], check=False)

    def set_clock(self, offset_s: float) -> None:
        """Set the daemon's system clock; its monotonic clock goes on."""
        with self._clock.open("r+b") as shared:  # the daemon has mapped it
            shared.write(struct.pack("=q", round(offset_s)))

    def launch(self) -> None:
        """Start the daemon; from now on it is started again when it ends."""
        values = [*_SETTINGS, f"mqtt.port={self.proxy.port}", f"history.path={self.history}"]
        command = [*MONITOR, "run", *(word for value in values for word in ("--set", value))]
        environment = {
            **self.pulse.environment,
            "PYTHONPATH": str(ROOT),
            "LD_PRELOAD": str(self._clock_library),
            "CLOCK_OFFSET": str(self._clock),
        }
        with self._lock, self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            self._wanted = True

    def signal(self, number: int) -> None:
        with self._lock:
            if self._process is not None:
                self._process.send_signal(number)

    def end(self, number: int, limit_s: float) -> int | None:
        """Send a signal, wait, and leave the daemon ended; return its exit code, None if it hung."""
        with self._lock:
            self._wanted = False
            process = self._process
        assert process is not None
        process.send_signal(number)
        try:
            return process.wait(limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def cpu(self) -> tuple[int, float] | None:
        """Return the daemon's process id and CPU seconds; None if it does not run."""
        process = self._process
        with suppress(OSError):
            if process is not None and process.poll() is None:
                fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
                return process.pid, (int(fields[11]) + int(fields[12])) / _TICKS
        return None

    def log_lines(self) -> int:
        return self.log.read_bytes().count(b"\n")

    def _keep(self) -> None:
        """Start the daemon again when it ended by itself, as a service manager does."""
        while not self._closed.wait(0.1):
            with self._lock:
                process = self._process
                fallen = self._wanted and process is not None and process.poll() is not None
            if not fallen:
                continue
            assert process is not None
            last = self.log.read_text(errors="replace").splitlines()[-1:]
            self.exits.append(Exit(time.time(), int(process.returncode), "".join(last)))
            self._closed.wait(_RESTART_S)
            with self._lock:
                if self._wanted and self._process is process and not self._closed.is_set():
                    self.launch()
