"""The Containerfile names what is there, and check_container.py knows its every step."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging"))
from check_container import Stage, build, instructions  # noqa: E402


def test_what_is_copied_is_in_the_repository() -> None:
    copied = [shlex.split(rest)[:-1] for name, rest in instructions() if name == "COPY"]
    sources = [word for words in copied if not words[0].startswith("--from=") for word in words]
    assert "setup.cfg" in sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_last_stage_has_the_program_the_health_check_and_no_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its steps are left out, which need root."""
    (tmp_path / "base").mkdir()
    monkeypatch.setattr("check_container.run", lambda stage, script: None)
    monkeypatch.setattr("check_container.copy", lambda *_: None)
    stage: Stage = build(tmp_path, tmp_path / "base")
    assert stage.user == "1000"
    assert stage.folder == "/data"
    assert stage.words["ENTRYPOINT"] == ["sound-monitor"]
    assert stage.words["HEALTHCHECK"][0] == "python"
    assert stage.env["PATH"].startswith("/opt/sound-monitor/bin:")
