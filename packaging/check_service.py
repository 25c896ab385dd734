"""Boot a Debian under its own systemd, install the service in it with install.sh, and see how it is kept.

    make check-service                 or python3 packaging/check_service.py [FOLDER]

Twice, as the system's service and as one of an ordinary user: READY, a kill, a hang until the watchdog, a
stop, a reboot. FOLDER keeps the root between calls (default: build/service). Needs root, debootstrap and
systemd-nspawn. Prints one JSON object. Exit 0: all is as the unit promises; 1: something is not; 2: something
is missing here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from debian_root import HERE, PATIENCE_S, commit, make_root, put_commit, require, say, wait_for

PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "polkitd"),
    *("python3-venv", "ca-certificates", "libportaudio2"),
)
USER = "listener"
WATCHDOG_S = 10
"""Instead of the unit's two minutes."""

REBOOT = 133
"""Exit status of systemd-nspawn when what it boots wants to boot again."""

ENVIRONMENT = ("env", "-i", "LANG=C.UTF-8", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin")


def main() -> int:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else HERE / "build" / "service").resolve()
    require("debootstrap", "systemd-nspawn", "nsenter")
    make_root(root, PACKAGES)
    for clone in (root / "opt/clone", root / "home" / USER / "clone"):
        put_commit(clone)
    (root / "var/log/journal").mkdir(exist_ok=True)  # kept over the reboot
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    found: dict[str, Any] = {"commit": commit()}
    with booted(root) as machine:
        found["systemd"] = machine.run("systemctl", "--version").splitlines()[0]
        services = [Service(machine, user=False), Service(machine, user=True)]
        for service in services:
            found[service.name] = service.check()
        say("rebooting")
        machine.reboot()
        for service in services:
            found[service.name] |= service.check_boot()
    failed = [
        f"{service.name}: {law}"
        for service in services
        for law, holds in found[service.name]["holds"].items()
        if not holds
    ]
    print(json.dumps({**found, "failed": failed}, indent=1))
    return 1 if failed else 0


class Machine:
    """A root with its own systemd; commands run in its namespaces."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._boot()

    def run(self, *command: str, check: bool = True) -> str:
        entry = ("nsenter", "--target", str(self._first), "--all", *ENVIRONMENT)
        done = subprocess.run([*entry, *command], capture_output=True, text=True)
        if check and done.returncode:
            raise SystemExit(f"check_service: {' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def reboot(self) -> None:
        self._end("reboot")
        if self._process.returncode != REBOOT:
            raise SystemExit(f"check_service: the reboot ended with {self._process.returncode}")
        self._boot()

    def power_off(self) -> None:
        self._end("poweroff")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _end(self, how: str) -> None:
        self.run("systemctl", "--no-block", how)
        self._process.wait(PATIENCE_S)

    def _boot(self) -> None:
        options = ("--quiet", "--register=no", "--keep-unit", "--link-journal=no", "--resolv-conf=copy-host")
        command = ["systemd-nspawn", "--boot", f"--directory={self._root}", *options, "--console=pipe"]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if not wait_for(self._is_up):
            self.kill()
            raise SystemExit(f"check_service: the system is not up within {PATIENCE_S:.0f} s")

    def _is_up(self) -> bool:
        found = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        if not found:
            return False
        self._first = int(found[0])
        return self.run("systemctl", "is-system-running", check=False) in ("running", "degraded")


@contextmanager
def booted(root: Path) -> Iterator[Machine]:
    say("booting")
    machine = Machine(root)
    try:
        yield machine
        machine.power_off()
    finally:
        machine.kill()


class Service:
    """The service in one of its two forms."""

    def __init__(self, machine: Machine, *, user: bool) -> None:
        self.name = "user" if user else "system"
        self._machine = machine
        self._user = user
        self._found: dict[str, object] = {}
        self._holds: dict[str, bool] = {}

    def check(self) -> dict[str, object]:
        """Install it; kill, hang and stop it."""
        say(f"installing the service of the {self.name}")
        began = time.monotonic()
        if self._user:
            self._machine.run("sh", "-c", f"id {USER} >/dev/null 2>&1 || useradd --shell /bin/bash {USER}")
            self._machine.run("chown", "-R", f"{USER}:", f"/home/{USER}")
            self._log_in_and_run(f"/home/{USER}/clone/packaging/install.sh")
        else:
            self._machine.run("/opt/clone/packaging/install.sh")
        self._found["install_s"] = round(time.monotonic() - began, 1)
        self._law("READY ends the start", self._wait_active() and self._show("Type") == "notify")
        self._found["status"] = self._show("StatusText")
        self._found["ready_s"] = self._since_start()
        self._check_kill()
        self._check_hang()
        self._check_stop()
        return self._report()

    def check_boot(self) -> dict[str, object]:
        """See how it ended at the reboot, and that it runs again without anybody's doing."""
        self._law("runs after a boot", self._wait_active())
        self._found["ready_after_boot_s"] = self._since_start()
        last = "\n".join(self._journal("-b", "-1")).rpartition("Stopping")[2]
        clean = "Stopped" in last and not re.search("Failed|timed out|Killing", last)
        self._law("ends by itself at a shutdown", clean)
        if not self._user:
            order = self._machine.run("systemctl", "show", "--property=After", "multi-user.target")
            self._law("the boot waits for it", "sound-monitor.service" in order)
        return self._report()

    def _check_kill(self) -> None:
        self._control("kill", "--signal=KILL")
        self._law("is started again when killed", self._wait_restarts(1))

    def _check_hang(self) -> None:
        """Stop its process: it tells the watchdog nothing more."""
        self._limit_watchdog(f"[Service]\nWatchdogSec={WATCHDOG_S}\n")
        self._control("restart")
        before, began = int(self._show("NRestarts")), time.monotonic()
        self._control("kill", "--signal=STOP")
        again = self._wait_restarts(before + 1)
        self._found["hung_until_ready_s"] = round(time.monotonic() - began, 1)
        told = any("Watchdog timeout" in line for line in self._journal("-b"))
        self._law("is started again by the watchdog when it hangs", again and told)
        self._limit_watchdog("")

    def _check_stop(self) -> None:
        began = time.monotonic()
        self._control("stop")
        self._found["stop_s"] = round(time.monotonic() - began, 1)
        self._law("stops cleanly", (self._show("Result"), self._show("ExecMainStatus")) == ("success", "0"))
        self._control("start")

    def _log_in_and_run(self, command: str) -> None:
        """Run it in a session of the user, as after a login."""
        session = ("systemd-run", "--quiet", "--wait", "--pipe", f"--uid={USER}", "--property=PAMName=login")
        self._machine.run(*session, "--setenv=LANG=C.UTF-8", "bash", "-lc", command)

    def _control(self, word: str, *options: str) -> str:
        return self._systemctl(word, *options, "sound-monitor.service")

    def _systemctl(self, *words: str) -> str:
        if not self._user:
            return self._machine.run("systemctl", *words)
        uid = self._machine.run("id", "-u", USER)
        entry = ("runuser", "-u", USER, "--", "env", f"XDG_RUNTIME_DIR=/run/user/{uid}")
        return self._machine.run(*entry, "systemctl", "--user", *words)

    def _limit_watchdog(self, lines: str) -> None:
        base = f"/home/{USER}/.config/systemd/user" if self._user else "/etc/systemd/system"
        folder = f"{base}/sound-monitor.service.d"
        script = f'mkdir -p {folder} && printf %s "$1" >{folder}/watchdog.conf'
        self._machine.run("sh", "-c", script, "sh", lines)
        self._systemctl("daemon-reload")

    def _show(self, name: str) -> str:
        return self._control("show", "--value", f"--property={name}")

    def _since_start(self) -> float:
        """Return the seconds from the start of its process until READY."""
        names = ("ActiveEnterTimestampMonotonic", "ExecMainStartTimestampMonotonic")
        ready, started = (int(self._show(name)) for name in names)
        return round((ready - started) / 1e6, 2)

    def _wait_active(self) -> bool:
        return wait_for(lambda: self._show("ActiveState") == "active")

    def _wait_restarts(self, count: int) -> bool:
        return wait_for(
            lambda: int(self._show("NRestarts")) >= count and self._show("ActiveState") == "active"
        )

    def _journal(self, *which: str) -> list[str]:
        """Return what the service, and its manager about it, wrote."""
        kinds = ("_SYSTEMD_USER_UNIT", "USER_UNIT") if self._user else ("_SYSTEMD_UNIT", "UNIT")
        fields = [f"{kind}=sound-monitor.service" for kind in kinds]
        return self._machine.run("journalctl", "--output=cat", *which, fields[0], "+", fields[1]).splitlines()

    def _law(self, name: str, holds: bool) -> None:
        self._holds[name] = holds

    def _report(self) -> dict[str, object]:
        return {**self._found, "holds": dict(self._holds)}


if __name__ == "__main__":
    sys.exit(main())
