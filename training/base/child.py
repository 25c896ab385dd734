"""A module run as a program of its own, in a child process that may crash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


class ChildError(Exception):
    """A child process failed; the message gives its exit code and the last line that it wrote to stderr."""


def run_child(
    module: str, *arguments: str | Path, python: str | Path = sys.executable, inherit_path: bool = True
) -> None:
    """Run ``python -m module arguments`` from this source tree and wait for it.

    Parameters
    ----------
    module : dotted name of a module of this tree
    arguments : what the module finds in ``sys.argv``
    python : the interpreter
    inherit_path : whether the child also sees this process's ``PYTHONPATH``; another interpreter
        must not, since it could find packages built for this one there

    Raises
    ------
    ChildError : the child ended with an exit code other than 0
    OSError : the interpreter cannot be started
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
