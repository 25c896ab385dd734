"""Shared by the benchmarks: servers, monitor processes, and records of the measurements.

A benchmark is a command, not a test: it takes minutes and writes its figures under
docs/results/foundation, with its command line and machine.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results" / "foundation"
STREET = ROOT / "examples" / "street.wav"
MONITOR = (sys.executable, "-m", "monitor")

# The servers of the integration tests: no package, so that pytest can import them plainly.
sys.path.insert(0, str(ROOT / "tests" / "support"))


def circumstances(**facts: object) -> dict[str, object]:
    """Return command, commit, machine and everything else needed to reproduce a figure."""
    from monitor.bench.measure import machine

    script = Path(sys.argv[0]).resolve().relative_to(ROOT)
    return {
        "command": shlex.join(["python", str(script), *_without_folders(sys.argv[1:])]),
        "commit": _git("rev-parse", "--short=12", "HEAD"),
        "changed_files": len(
            _git("status", "--porcelain", "--", "monitor", "models", "config.yaml").splitlines()
        ),
        **facts,
        "machine": machine(),
    }


def write_record(name: str, values: Mapping[str, object]) -> Path:
    """Write ``docs/results/foundation/<name>.json``."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"wrote {path.relative_to(ROOT)}", file=sys.stderr)
    return path


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _without_folders(arguments: list[str]) -> list[str]:
    """Reduce paths outside the tree to their last component, as they may be private."""
    return [Path(word).name if word.startswith("/") else word for word in arguments]


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()
