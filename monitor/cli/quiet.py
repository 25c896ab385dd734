"""Keep what C libraries print on their own out of the terminal."""

from __future__ import annotations

import os
import re
import sys
import threading

_NOISE = re.compile(
    rb"Expression '.*' failed in '|ALSA lib |Cannot connect to server|jack server is not running|"
    rb"JackShmReadWritePtr|Warning: Xing stream size"
)
"""What PortAudio, ALSA, JACK and mpg123 print; the errors that matter reach us as exceptions as well."""


def keep_native_noise_out() -> None:
    """Filter what reaches the terminal through file descriptor 2 from now on; Python itself writes past it.

    Elsewhere, such as in a journal, everything is kept: it may be the last word of a crash.
    """
    if sys.stderr is None or not sys.stderr.isatty() or sys.stderr.fileno() != 2:
        return
    terminal = os.dup(2)
    read, write = os.pipe()
    sys.stderr = os.fdopen(terminal, "w", buffering=1, errors="backslashreplace")
    os.dup2(write, 2)
    os.close(write)
    threading.Thread(target=_filter, args=(read, terminal), name="native stderr", daemon=True).start()


def _filter(source: int, terminal: int) -> None:
    with os.fdopen(source, "rb") as lines:
        for line in lines:
            if not _NOISE.match(line):
                os.write(terminal, line)
