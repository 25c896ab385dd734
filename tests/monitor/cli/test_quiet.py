"""What C libraries print on their own stays out of a terminal, and nothing else does."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from calling import ROOT

PROGRAM = """
import os, sys, threading
from monitor.cli.quiet import keep_native_noise_out
keep_native_noise_out()
os.write(2, b"Expression 'ret' failed in 'src/hostapi/alsa/pa_linux_alsa.c', line: 1736\\n")
os.write(2, b"ALSA lib pcm.c:2722:(snd_pcm_open_noupdate) Unknown PCM\\nfree(): invalid pointer\\n")
os.close(2)
for thread in threading.enumerate():
    if thread.name == "native stderr":
        thread.join()
print("python itself", file=sys.stderr)
"""


def test_noise_alone_is_kept_from_a_terminal_and_nothing_from_a_file() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", PROGRAM]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, stderr=theirs, check=True, env=environment)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert shown.split("\r\n") == ["free(): invalid pointer", "python itself", ""]


def test_a_file_gets_everything() -> None:
    program = PROGRAM.replace("os.close(2)\n", "")
    kept = subprocess.run(
        [sys.executable, "-c", program],
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ).stderr
    assert kept.count("\n") == 4
    assert "Expression" in kept
