"""The service's unit is right for a clone in any folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGING = Path(__file__).parents[2] / "packaging"


HOSTILE_TO_USERS = {
    "CapabilityBoundingSet",
    "ProtectClock",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "PrivateUsers",
}
"""A user's manager cannot start a service with one of these."""


def unit(folder: Path, uid: int = 0) -> dict[str, str]:
    """What install-service writes for a clone in ``folder``, called by the user ``uid``."""
    (folder / "packaging").mkdir(parents=True)
    for name in ("install-service", "sound-monitor.service"):
        shutil.copy(PACKAGING / name, folder / "packaging" / name)
    (folder / "bin").mkdir()
    (folder / "bin/id").write_text(f"#!/bin/sh\necho {uid}\n")
    (folder / "bin/id").chmod(0o755)
    program = f"{folder}/.venv/bin/sound-monitor"
    environment = {**os.environ, "HOME": "/nowhere", "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    printed = subprocess.run(
        [folder / "packaging/install-service", "--print", program],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    ).stdout
    (folder / "printed.service").write_text(printed)
    return dict(line.split("=", 1) for line in printed.splitlines() if "=" in line and line[0] != "#")


@pytest.mark.parametrize("name", ["sound", "my projects", "100 % & more | less", 'a"b\\c'])
def test_paths_survive_systemds_quoting(tmp_path: Path, name: str) -> None:
    lines = unit(tmp_path / name)
    quoted, _, rest = lines["ExecStart"].rpartition('"')
    assert rest == " run --set audio.wait=true"
    path = quoted.removeprefix('"').replace("%%", "%").replace('\\"', '"').replace("\\\\", "\\")
    assert path == f"{tmp_path / name}/.venv/bin/sound-monitor"
    assert lines["WorkingDirectory"].replace("%%", "%") == str(tmp_path / name)
    assert not re.search("@[A-Z]+@", "".join(lines.values()))


@pytest.mark.parametrize(("uid", "exposure"), [(0, 4.0), (1000, 6.5)])
def test_the_service_may_do_little_but_listen(tmp_path: Path, uid: int, exposure: float) -> None:
    lines = unit(tmp_path / "clone", uid)
    assert lines["NoNewPrivileges"] == "true"
    assert lines["SystemCallErrorNumber"] == "EPERM"
    assert "#system" not in "".join(f"\n{key}" for key in lines)
    if uid:
        assert not HOSTILE_TO_USERS & set(lines)
    else:
        assert lines["DeviceAllow"] == "char-alsa rw"
    if shutil.which("systemd-analyze"):
        security = ["systemd-analyze", "security", "--offline=true", "--threshold", str(round(10 * exposure))]
        subprocess.run([*security, tmp_path / "clone/printed.service"], capture_output=True, check=True)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
@pytest.mark.parametrize("uid", [0, 1000])
def test_systemd_finds_nothing_odd_in_the_unit(tmp_path: Path, uid: int) -> None:
    folder = tmp_path / "my clone"
    unit(folder, uid)
    program = folder / ".venv/bin/sound-monitor"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    verify = ["systemd-analyze", "verify", folder / "printed.service"]
    verified = subprocess.run(verify, capture_output=True, text=True, check=True)
    assert verified.stderr == ""


def test_an_upgrade_of_a_large_history_is_not_killed(tmp_path: Path) -> None:
    # A minute of CPU for a million rows on a PC; killed, it would begin anew at each start.
    assert unit(tmp_path / "clone")["TimeoutStartSec"] == "30min"


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
