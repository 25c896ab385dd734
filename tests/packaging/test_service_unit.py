"""The service's unit is right for a clone in any folder."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGING = Path(__file__).parents[2] / "packaging"


def unit(folder: Path) -> dict[str, str]:
    """What install-service writes for a clone in ``folder``."""
    (folder / "packaging").mkdir(parents=True)
    for name in ("install-service", "sound-monitor.service"):
        shutil.copy(PACKAGING / name, folder / "packaging" / name)
    program = f"{folder}/.venv/bin/sound-monitor"
    printed = subprocess.run(
        [folder / "packaging/install-service", "--print", program], capture_output=True, text=True, check=True
    ).stdout
    return dict(line.split("=", 1) for line in printed.splitlines() if "=" in line and line[0] != "#")


@pytest.mark.parametrize("name", ["sound", "my projects", "100 % & more | less", 'a"b\\c'])
def test_paths_survive_systemds_quoting(tmp_path: Path, name: str) -> None:
    lines = unit(tmp_path / name)
    quoted, _, rest = lines["ExecStart"].rpartition('"')
    assert rest == " run --set audio.wait=true"
    path = quoted.removeprefix('"').replace("%%", "%").replace('\\"', '"').replace("\\\\", "\\")
    assert path == f"{tmp_path / name}/.venv/bin/sound-monitor"
    assert lines["WorkingDirectory"].replace("%%", "%") == str(tmp_path / name)
    assert "@" not in "".join(lines.values())


def test_the_makefile_hands_the_program_on_as_one_argument(tmp_path: Path) -> None:
    folder = tmp_path / "my projects"
    (folder / ".venv").mkdir(parents=True)
    (folder / ".venv/installed").touch()
    shutil.copy(PACKAGING.parent / "Makefile", folder)
    recipe = subprocess.run(
        ["make", "-n", "-o", ".venv/installed", "-o", ".system-audio", "service"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f'"{folder}/.venv/bin/sound-monitor"' in recipe
