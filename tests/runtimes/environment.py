"""A virtual environment with tflite-runtime and numpy 1, made once and kept."""

from __future__ import annotations

import configparser
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from replaying import ROOT

PYTHON = (3, 11)
"""The newest that tflite-runtime has wheels for."""


def tflite_python() -> Path | None:
    """The environment's interpreter; None where there is no Python 3.11 to make it with.

    It lies in ``.cache/venv-tflite``, or where ``TFLITE_VENV`` says, and is brought up to
    date when the requirements in setup.cfg change.
    """
    base = sys.executable if sys.version_info[:2] == PYTHON else shutil.which("python3.11")
    if base is None:
        return None
    folder = Path(os.environ.get("TFLITE_VENV") or ROOT / ".cache" / "venv-tflite")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:  # tests may run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        _bring_up_to_date(base, folder)
    return folder / "bin" / "python"


def _bring_up_to_date(base: str, folder: Path) -> None:
    installed = folder / "requirements.txt"
    wanted = "\n".join(requirements()) + "\n"
    if not installed.is_file() or installed.read_text(encoding="utf-8") != wanted:
        subprocess.run([base, "-m", "venv", "--clear", folder], check=True)
        asked = folder / "asked.txt"
        asked.write_text(wanted, encoding="utf-8")
        subprocess.run(
            [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "-r", asked], check=True
        )
        asked.rename(installed)


def requirements() -> list[str]:
    """What setup.cfg asks for, with the extra ``tflite-runtime`` in the place of ai-edge-litert."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = config["options"]["install_requires"].splitlines()
    lines += config["options.extras_require"]["tflite-runtime"].splitlines()
    return [line for line in lines if line and not line.startswith(("#", "ai-edge-litert"))]
