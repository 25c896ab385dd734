"""Follow the Containerfile step by step in chroots of a Debian, then run the result as a container would run.

    make check-container               or python3 packaging/check_container.py [FOLDER]

No engine is needed; the base image is a Debian of debootstrap with its own Python. What is run has no
capabilities, a read-only root and a network of its own. FOLDER keeps the base between calls (default:
build/container). Needs root, debootstrap, util-linux and iproute2. Prints one JSON object. Exit 0: it is
built, healthy while audio flows and not without; 1: it is not; 2: something is missing here.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from debian_root import HERE, PATH, PATIENCE_S, commit, make_root, put_commit, require, say, wait_for

FILE = HERE / "packaging" / "container" / "Containerfile"
STREET = HERE / "examples" / "street.wav"
NO_RIGHTS = ("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all")
CHUNK_S = 0.1
QUIET_S = 20.0
"""How long it is seen without a microphone."""


@dataclass
class Stage:
    """An image in the making, or made."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    folder: str = "/"
    user: str = "0"
    words: dict[str, list[str]] = field(default_factory=dict)
    """Entry point, command and health check."""


def main() -> int:
    require("debootstrap", "unshare", "nsenter", "setpriv", "ip")
    place = Path(sys.argv[1] if len(sys.argv) > 1 else HERE / "build" / "container").resolve()
    base = place / "base"
    make_root(base, ("python3-venv", "ca-certificates"))
    if not (base / "usr/bin/python").exists():
        (base / "usr/bin/python").symlink_to("python3")
    put_commit(place / "context")
    began = time.monotonic()
    stage = build(place, base)
    found: dict[str, object] = {"commit": commit(), "build_s": round(time.monotonic() - began, 1)}
    sizes = [int(subprocess.check_output(["du", "-sm", path]).split()[0]) for path in (stage.root, base)]
    found["added_mb"] = sizes[0] - sizes[1]
    holds = laws(stage)
    print(json.dumps({**found, "holds": holds}, indent=1))
    return 0 if all(holds.values()) else 1


def instructions() -> Iterator[tuple[str, str]]:
    """Yield the instructions of the file: name and the rest, continued lines joined."""
    lines = [line for line in FILE.read_text().splitlines() if not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name, rest.strip()


def build(place: Path, base: Path) -> Stage:
    """Follow the instructions; return the last stage."""
    stages: dict[str, Stage] = {}
    stage = Stage(base)
    for number, (name, rest) in enumerate(instructions()):
        say(f"{name} {rest[:70]}")
        if name == "FROM":
            stage = Stage(place / f"stage{number}")
            shutil.rmtree(stage.root, ignore_errors=True)
            subprocess.run(["cp", "-a", base, stage.root], check=True)
            stages[rest.partition(" AS ")[2]] = stage
        elif name == "COPY":
            copy(stage, stages, place / "context", shlex.split(rest))
        elif name == "RUN":
            run(stage, rest)
        elif name == "ENV":
            pairs = (word.partition("=")[::2] for word in shlex.split(rest))
            stage.env |= {key: value.replace("$PATH", stage.env["PATH"]) for key, value in pairs}
        elif name == "WORKDIR":
            stage.folder = rest
            inside(stage, rest).mkdir(parents=True, exist_ok=True)
        elif name == "USER":
            stage.user = rest
        elif name in ("ENTRYPOINT", "CMD", "HEALTHCHECK"):
            stage.words[name] = json.loads(rest[rest.index("[") :])
        elif name not in ("LABEL", "VOLUME", "EXPOSE"):
            raise SystemExit(f"check_container: {name} is not known here")
    return stage


def inside(stage: Stage, path: str) -> Path:
    return stage.root / os.path.join(stage.folder, path).lstrip("/")


def copy(stage: Stage, stages: dict[str, Stage], context: Path, words: list[str]) -> None:
    if words[0].startswith("--from="):
        context = stages[words.pop(0).removeprefix("--from=")].root
    *sources, target = words
    for source in sources:
        path = context / source.lstrip("/")
        if path.is_dir():
            # Only the content of a folder is copied.
            shutil.copytree(path, inside(stage, target), symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy(path, inside(stage, target))


def entered(stage: Stage, user: str, words: Sequence[str]) -> list[str]:
    """Return the command that runs ``words`` in the stage's root."""
    rights: list[str] = []
    if user != "0":
        rights = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *NO_RIGHTS]
    env = [f"{key}={value}" for key, value in stage.env.items()]
    return ["chroot", str(stage.root), *rights, "env", "-i", f"--chdir={stage.folder}", *env, *words]


def run(stage: Stage, script: str) -> None:
    """Run a step as root, with the network of this machine."""
    prepare = "mount -t proc proc $1/proc; mount --rbind /dev $1/dev; cp /etc/resolv.conf $1/etc/"
    command = ["unshare", "--mount", "sh", "-ec", f'{prepare}; shift; exec "$@"', "sh", str(stage.root)]
    subprocess.run([*command, *entered(stage, "0", ["sh", "-ec", script])], check=True, stdout=sys.stderr)


class Container:
    """The program as the container runs it, until the end of the context."""

    def __init__(self, stage: Stage, words: Sequence[str], audio: bool) -> None:
        self._stage = stage
        prepare = (
            "ip link set lo up; mount --bind $1 $1; cd $1; mount -t proc proc proc; mount --rbind /dev dev;"
            "mount -t tmpfs tmpfs tmp; mount --bind data data; mount -o remount,bind,ro $1"
        )
        spaces = ("unshare", "--mount", "--net", "--pid", "--fork")
        command = [*spaces, "sh", "-ec", f'{prepare}; shift; exec "$@"', "sh", str(stage.root)]
        program = entered(stage, stage.user, [*stage.words["ENTRYPOINT"], *words])
        self._process = subprocess.Popen([*command, *program], stdin=subprocess.PIPE, stdout=sys.stderr)
        self._ended = threading.Event()
        self._feeder = threading.Thread(target=self._feed if audio else self._ended.wait)

    def __enter__(self) -> Container:
        self._feeder.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._feeder.join()
        # Killing unshare is not enough: its hold on what it began ends where that changes its user.
        self._signal(signal.SIGKILL)
        self._process.wait()

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def healthy(self) -> bool:
        """Ask as the engine would."""
        if (first := self._first()) is None:
            return False
        check = entered(self._stage, self._stage.user, self._stage.words["HEALTHCHECK"])
        entry = ["nsenter", f"--target={first}", "--mount", "--net", "--pid"]
        return subprocess.run([*entry, *check], capture_output=True).returncode == 0

    def stop(self) -> int:
        """End it as the engine would; return its exit status."""
        self._signal(signal.SIGTERM)
        return self._process.wait(PATIENCE_S)

    def _signal(self, number: int) -> None:
        if self.runs and (first := self._first()) is not None:
            os.kill(first, number)

    def _first(self) -> int | None:
        """Return the process that is the first in there; None before it has begun."""
        pid = self._process.pid
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(found[0]) if found else None

    def _feed(self) -> None:
        """Write the street in real time."""
        with wave.open(str(STREET)) as street:
            samples = street.readframes(street.getnframes())
            step = 2 * round(CHUNK_S * street.getframerate())
        pieces = cycle(samples[at : at + step] for at in range(0, len(samples) - step, step))
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            while not self._ended.wait(CHUNK_S):
                self._process.stdin.write(next(pieces))
                self._process.stdin.flush()


def laws(stage: Stage) -> dict[str, bool]:
    """Run what was built, with audio and as it comes; return what holds."""
    holds = {}
    listening = ["run", "--set", "audio.source='-'", "--set", "web.enabled=true"]
    with Container(stage, listening, audio=True) as container:
        holds["healthy while audio flows"] = wait_for(container.healthy)
        holds["ends when it is told to"] = container.stop() == 0
    with Container(stage, stage.words["CMD"], audio=False) as container:
        time.sleep(QUIET_S)
        holds["waits for a microphone"] = container.runs
        holds["not healthy without one"] = not container.healthy()
    holds["keeps its history in /data"] = any((stage.root / "data").rglob("history.db"))
    return holds


if __name__ == "__main__":
    sys.exit(main())
