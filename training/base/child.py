"""Run code in a child process, so that a crash does not end this one."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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
    _check(child.returncode, child.stderr)


def run_forked(function: Callable[..., None], *arguments: Any, preload: Sequence[str]) -> None:
    """Call a function in a child process that has its libraries already, and wait for it.

    The child is a fork of a server process, which the first call starts and which ends with this process.
    That saves importing TensorFlow for each call.

    Parameters
    ----------
    function
        A function at the top of a module.
    arguments
        Its picklable arguments.
    preload
        Modules that the server imports; those of the first call count.

    Raises
    ------
    ChildError
        If the child ended with an exit code other than 0.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*preload])
    with tempfile.NamedTemporaryFile("r", errors="replace") as log:
        child = context.Process(target=_logged, args=(log.name, function, arguments))
        child.start()
        child.join()
        code = child.exitcode or 0
        child.close()
        _check(code, log.read())


def _logged(log: str, function: Callable[..., None], arguments: Sequence[Any]) -> None:
    """Call the function with standard output and error in a file."""
    with open(log, "a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    function(*arguments)


def _check(code: int, log: str) -> None:
    if code:
        last = (log.strip().splitlines() or ["no message"])[-1]
        raise ChildError(f"ended with code {code}: {last}")
