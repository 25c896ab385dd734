"""Calls the command line in this process, as a shell would."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import main

ROOT = Path(__file__).parents[3]
STREET = ROOT / "examples" / "street.wav"


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> list[dict[str, Any]]:
        """Each line of stdout."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def json_document(self) -> dict[str, Any]:
        """All of stdout."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def complaints(self) -> list[str]:
        """What was said in the program's name, without the log."""
        return [line for line in self.err.splitlines() if line.startswith("sound-monitor: ")]


Call = Callable[..., Result]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """Runs ``sound-monitor`` with arguments, in an empty directory and without a user's config."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["sound-monitor", *map(str, arguments)])
        capfd.readouterr()
        with _signals(), pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return Result(int(ended.value.code or 0), out, err)

    return run


@contextmanager
def _signals() -> Iterator[None]:
    kept = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    for number, handler in kept:
        signal.signal(number, handler)
