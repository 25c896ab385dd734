"""Broken inputs by a seed, and the command line on many of them in a process with limits.

The limits are for what no exception tells: a parser that takes the machine's memory, or never ends.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

LONGEST_S = 10.0
"""CPU time of one command; a few hundredths are usual."""
MOST_MB = 600
"""Resident, of all commands; the model and its runtime take 110."""
_CODES = {0, 1, 2, 3, 4}
_LONGEST_LINE = 1000


@dataclass(frozen=True)
class Outcome:
    """What one command did."""

    arguments: list[str]
    code: int | str
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("sound-monitor: ")]

    def broken_laws(self) -> list[str]:
        """Return what this outcome does that no input may cause."""
        laws = {
            f"exit code {self.code}": self.code not in _CODES,
            "traceback": "Traceback" in self.err,
            "unexpected error": "sound-monitor: unexpected " in self.err,
            "failed without saying why": self.code in (2, 3, 4) and not self.err.strip(),
            "more lines than files": len(self.complaints) > max(1, len(self.arguments) - 1),
            "a line that nobody reads": any(len(line) > _LONGEST_LINE for line in self.err.splitlines()),
        }
        return [law for law, broken in laws.items() if broken]


def run_all(commands: Sequence[Sequence[str]], folder: Path) -> list[Outcome]:
    """Run the commands one after another in one child; it must survive all of them."""
    child = subprocess.run(
        [sys.executable, __file__],
        input="".join(json.dumps(list(command)) + "\n" for command in commands),
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "XDG_CONFIG_HOME": str(folder),
            "XDG_STATE_HOME": str(folder),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    outcomes = [Outcome(**json.loads(line)) for line in child.stdout.splitlines()]
    if len(outcomes) < len(commands) or child.returncode:
        culprit = list(commands[min(len(outcomes), len(commands) - 1)])
        raise AssertionError(f"exit {child.returncode} in {culprit}: {child.stderr[-2000:]}")
    return outcomes


def check(outcomes: Sequence[Outcome]) -> set[int | str]:
    """Raise if an outcome breaks a law; return the exit codes."""
    bad = [
        f"{', '.join(laws)}: {str(outcome.arguments)[:200]}: {outcome.err[-400:]}"
        for outcome in outcomes
        if (laws := outcome.broken_laws())
    ]
    if bad:
        raise AssertionError(f"{len(bad)} of {len(outcomes)}:\n" + "\n".join(bad))
    return {outcome.code for outcome in outcomes}


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Flip, insert, delete, repeat or cut some bytes."""
    broken = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(len(broken) + 1)
        size = chance.choice((1, 1, 4, 64))
        match chance.randrange(6):
            case 0 | 1:
                broken[at : at + size] = chance.randbytes(len(broken[at : at + size]))
            case 2:
                broken[at:at] = chance.choice((b"\xff", b"\0", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f"))
            case 3:
                del broken[at : at + size]
            case 4:
                broken[at:at] = broken[at : at + 64]
            case 5 if chance.random() < 0.3:
                del broken[at:]
    return bytes(broken)


def _child() -> None:
    import contextlib
    import faulthandler
    import io
    import resource
    import signal

    from monitor.cli import main

    results = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Its default action ends the process, also within C code.
    faulthandler.register(signal.SIGPROF, chain=True, file=sys.__stderr__)
    for line in sys.stdin:
        sys.argv = ["sound-monitor", *json.loads(line)]
        out, err = io.StringIO(), io.StringIO()
        code: Any = "none"
        signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as end:
                code = end.code or 0
            except BaseException as error:
                code = f"{type(error).__name__}: {error}"
        outcome = Outcome(sys.argv[1:], code, out.getvalue(), err.getvalue())
        print(json.dumps(outcome.__dict__), file=results, flush=True)
        peak_mb = _peak_mb()
        if peak_mb > MOST_MB:
            sys.exit(f"{peak_mb:.0f} MB resident after {sys.argv[1:]}")


def _peak_mb() -> float:
    """Highest resident memory; getrusage would count what the test process held when it forked."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    sys.path[0] = str(ROOT)
    _child()
