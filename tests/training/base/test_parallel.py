"""Laws of work in processes: every piece comes back, whatever becomes of the processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from training.base.parallel import in_processes

_GROWING = """
import sys, time
from training.base.parallel import in_processes

def grow(number):
    sys.__dict__.setdefault("kept", []).append(b"x" * (400_000_000 + number))
    time.sleep(1.1)  # joblib weighs a worker once a second
    return number

print(sorted(in_processes(grow, range(5), 2, ordered=False)))
"""


@pytest.mark.parametrize("ordered", [True, False])
def test_every_piece_comes_back_from_another_process(ordered: bool) -> None:
    found = list(in_processes(_square_and_process, range(20), 2, ordered=ordered, threads=1))
    squares = [square for square, _ in found]
    assert (squares if ordered else sorted(squares)) == [n * n for n in range(20)]
    assert os.getpid() not in {process for _, process in found}


def _square_and_process(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


def test_a_worker_that_grew_too_large_is_replaced_where_warnings_are_errors() -> None:
    """It hung for ever: the thread that starts the next worker died of joblib's own warning."""
    root = Path(__file__).parents[3]
    command = [sys.executable, "-W", "error", "-c", _GROWING]
    done = subprocess.run(command, cwd=root, timeout=60, capture_output=True, text=True, check=False)
    assert done.stdout == "[0, 1, 2, 3, 4]\n", done.stderr
