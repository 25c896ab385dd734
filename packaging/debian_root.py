"""A Debian in a folder, made by debootstrap, in which ways to install are followed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
SUITE = os.environ.get("SUITE", "bookworm")
MIRROR = os.environ.get("MIRROR", "http://deb.debian.org/debian")
SHARED = (Path("/etc/pip.conf"), Path("/etc/xdg/pip"), Path("/etc/ssl/certs/ca-certificates.crt"))
"""What pip needs to reach its index from here."""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE_S = 180.0


def say(text: str) -> None:
    print(f"{Path(sys.argv[0]).stem}: {text}", file=sys.stderr, flush=True)


def require(*tools: str) -> None:
    """Exit 2 unless this is root's and the tools are here."""
    absent = [tool for tool in tools if shutil.which(tool) is None]
    if os.getuid() or absent:
        say(f"{absent[0]} is missing" if absent else "must run as root: it makes a root file system")
        raise SystemExit(2)


def make_root(root: Path, packages: Sequence[str]) -> None:
    """Make a Debian with these packages, unless it is there."""
    if not (root / ".made").exists():
        say(f"making a {SUITE} root in {root} (some minutes)")
        shutil.rmtree(root, ignore_errors=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        options = ["--variant=minbase", "--include=" + ",".join(packages)]
        subprocess.run(["debootstrap", *options, SUITE, str(root), MIRROR], check=True, stdout=sys.stderr)
        (root / ".made").touch()
    for place in filter(Path.exists, SHARED):
        target = root / place.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir():
            shutil.copytree(place, target, dirs_exist_ok=True)
        else:
            shutil.copy(place, target)


def put_commit(folder: Path) -> None:
    """Put the files of the last commit into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = subprocess.run(["git", "-C", str(HERE), "archive", "HEAD"], check=True, capture_output=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)


def commit() -> str:
    """Return the name of the last commit."""
    command = ["git", "-C", str(HERE), "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def wait_for(condition: Callable[[], bool]) -> bool:
    """Wait until it holds; return False if it does not in time."""
    deadline = time.monotonic() + PATIENCE_S
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return holds
