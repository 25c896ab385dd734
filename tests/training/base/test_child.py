"""A child process that fails is an error of one line, however it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from training.base.child import ChildError, run_forked

# That of the conversions: the first call of this process starts the server for all.
PRELOAD = ("training.export.preload",)


def test_a_function_runs_in_another_process(tmp_path: Path) -> None:
    run_forked(os.mkdir, tmp_path / "made", preload=PRELOAD)
    assert (tmp_path / "made").is_dir()


def test_a_crash_is_named_by_its_signal() -> None:
    with pytest.raises(ChildError, match="ended with code -6"):
        run_forked(os.abort, preload=PRELOAD)


def test_the_last_line_of_a_failure_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ChildError, match=r"ended with code 1: FileNotFoundError.*absent"):
        run_forked(os.rmdir, tmp_path / "absent", preload=PRELOAD)
    with pytest.raises(ChildError, match="ended with code 1: no room"):
        run_forked(sys.exit, "no room", preload=PRELOAD)
