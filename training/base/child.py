"""Run a module in a child process, so that a crash does not end this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


class ChildError(Exception):
    """A child process failed; the message gives its exit code and the last line of its stderr."""


def run_child(
    module: str, *arguments: str | Path, python: str | Path = sys.executable, inherit_path: bool = True
) -> None:
    """Run ``python -m module arguments`` from this source tree and wait for it.

    Parameters
    ----------
    module
        Dotted name of a module of this tree.
    arguments
        Command-line arguments of the module.
    python
        The interpreter.
    inherit_path
        Whether the child inherits this process's ``PYTHONPATH``; a different interpreter must not, since the
        path may contain packages built for this one.

    Raises
    ------
    ChildError
        If the child ended with an exit code other than 0.
    OSError
        If the interpreter cannot be started.
    """
    inherited = os.environ.get("PYTHONPATH") if inherit_path else None
    path = os.pathsep.join([str(_ROOT), *([inherited] if inherited else [])])
    child = subprocess.run(
        [python, "-m", module, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )
    if child.returncode:
        last = (child.stderr.strip().splitlines() or ["no message"])[-1]
        raise ChildError(f"ended with code {child.returncode}: {last}")
