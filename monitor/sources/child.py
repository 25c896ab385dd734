"""A child process that writes PCM to its standard output and words to its standard error."""

from __future__ import annotations

import os
import select
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO

from monitor.errors import AudioError
from monitor.sources.pcm import PcmFormat, PcmReader
from monitor.sources.ring import CaptureRing

_POLL_S = 0.1
_LONGEST_LINE = 4096


class PcmProcess:
    """Runs a command in a session of its own: Ctrl-C reaches only the monitor, which ends open events first.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    on_line : callable
        Called from a thread with each line of standard error, read continuously since the process
        would block on a full pipe.

    Raises
    ------
    FileNotFoundError
        The program is not installed.
    AudioError
        The system has no room for it.
    """

    def __init__(self, command: Sequence[str], on_line: Callable[[str], None]) -> None:
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise
        except OSError as error:
            # No memory or no file descriptor left; there may be again.
            raise AudioError(f"{command[0]}: cannot be started ({error.strerror})") from error
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._audio = self._process.stdout
        self._reader: PcmReader | None = None
        self._listener = threading.Thread(
            target=_read_lines, args=(self._process.stderr, on_line), name="child's words", daemon=True
        )
        self._listener.start()

    def first_line(self, timeout_s: float, stop: threading.Event) -> str | None:
        """Return the line that precedes the PCM; None if it does not come, or when ``stop`` is set."""
        deadline, line = time.monotonic() + timeout_s, b""
        while not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
            if stop.is_set() or time.monotonic() > deadline:
                return None
            if select.select([self._audio], [], [], _POLL_S)[0]:
                byte = os.read(self._audio.fileno(), 1)
                if not byte:
                    return None
                line += byte
        return line.decode(errors="replace").rstrip("\n")

    def start_reading(self, pcm: PcmFormat, buffer_s: float) -> CaptureRing:
        """Read the PCM from here on into the ring that is returned; called once."""
        self._reader = PcmReader(self._audio.fileno(), pcm, buffer_s)
        return self._reader.ring

    def wait_for_words(self, timeout_s: float) -> None:
        """Wait until all of standard error was read, if the process ended."""
        self._listener.join(timeout_s)

    def close(self) -> None:
        """Kill the process and wait for it to exit; may be called twice."""
        self._process.kill()
        self._process.wait()
        if self._reader is not None:
            self._reader.close()
        self._listener.join()
        self._audio.close()


def _read_lines(words: IO[bytes], on_line: Callable[[str], None]) -> None:
    with words:
        for line in words:
            on_line(line.decode(errors="replace").strip())
