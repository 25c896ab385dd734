"""Imports point down the route, edges stand in one file each, and start-up stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

from monitor.model.runtime import RUNTIMES

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "monitor").rglob("*.py"))

BELOW: dict[str, set[str]] = {
    "records": set(),
    "errors": set(),
    "settings": set(),
    "listeners": {"level", "records"},
    "clock": {"records"},
    "features": {"records"},
    "level": {"errors", "records"},
    "events": {"level", "records", "settings"},
    "model": {"errors", "features", "records", "settings"},
    "pipeline": {"events", "features", "level", "model", "records", "settings"},
    "config": {"errors", "events", "model", "settings"},
    "health": {"clock", "errors", "records"},
    "tuning": {"errors", "events", "records", "settings"},
    "sources": {"errors", "health", "records"},
    "delivery": {"clock", "errors", "health", "level", "listeners", "records", "settings"},
    "stream": {
        "clock", "config", "delivery", "errors", "events", "health", "level", "listeners", "model",
        "pipeline", "records", "settings", "sources",
    },
    "history": {"clock", "delivery", "errors", "level", "listeners", "records", "settings", "tuning"},
    "web": {"clock", "delivery", "errors", "events", "history", "listeners", "records", "settings"},
    "control": {"clock", "config", "errors", "events", "model", "stream"},
    "service": {
        "config", "control", "delivery", "errors", "health", "history", "level", "listeners", "records",
        "stream", "web",
    },
}  # fmt: skip
"""What each part may import of the others; parts that are not named here wire these together."""

NEVER = {"training", "tensorflow", "librosa", "scipy", "sklearn", "matplotlib", "pandas"}
IN_ONE_FILE = {"paho": "delivery/link.py", "sounddevice": "sources/microphone.py"}
LIGHT = {
    "numpy", "soxr", "soundfile", "_soundfile", "_soundfile_data", "_cffi_backend", "yaml", "_yaml",
    "pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection",
    "click", "ai_edge_litert", "monitor",
}  # fmt: skip
"""What a replay of a file may load beside the standard library."""


def imports(path: Path) -> Iterator[str]:
    """Full names of all that a file imports, modules or what is in them, at its top or later."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def part(module: str) -> str:
    """``features`` of ``monitor.features.logmel``; empty for the package itself."""
    return module.partition(".")[2].split(".")[0]


def graph() -> dict[str, set[str]]:
    """Each part of the monitor and the other parts that it imports."""
    parts: dict[str, set[str]] = defaultdict(set)
    for path in MODULES:
        own = path.relative_to(ROOT / "monitor").with_suffix("").parts[0]
        found = {part(name) for name in imports(path) if name.split(".")[0] == "monitor"}
        parts[own] |= found - {own}
    return {own: below & set(parts) for own, below in parts.items()}


@pytest.mark.parametrize("name", BELOW)
def test_a_part_imports_only_what_lies_below_it(name: str) -> None:
    assert graph()[name] <= BELOW[name]


def test_no_parts_import_each_other_in_a_circle() -> None:
    order = list(TopologicalSorter(graph()).static_order())
    assert order.index("records") < order.index("pipeline") < order.index("daemon") < order.index("cli")


def test_nothing_reaches_up_to_the_command_line_or_the_daemon() -> None:
    importers = {name: {own for own, below in graph().items() if name in below} for name in ("cli", "daemon")}
    assert importers == {"cli": {"__main__"}, "daemon": {"cli"}}


def test_the_monitor_never_imports_training_or_what_training_needs() -> None:
    heavy = {(name.split(".")[0], path.name) for path in MODULES for name in imports(path)}
    assert {pair for pair in heavy if pair[0] in NEVER} == set()


def test_paho_and_sounddevice_stand_in_one_file_each() -> None:
    for edge, file in IN_ONE_FILE.items():
        found = {
            str(p.relative_to(ROOT / "monitor"))
            for p in MODULES
            for n in imports(p)
            if n.split(".")[0] == edge
        }
        assert found == {file}


def test_runtimes_are_named_in_one_file_and_imported_when_a_model_is_loaded() -> None:
    for module in RUNTIMES.values():
        name = f'"{module}"'
        holders = [path.name for path in MODULES if name in path.read_text(encoding="utf-8")]
        assert holders == ["runtime.py"]
        importers = [
            path for path in MODULES for n in imports(path) if n.split(".")[0] == module.split(".")[0]
        ]
        assert importers == []


def loaded(*arguments: str) -> set[str]:
    """Top-level modules that a command loads, the standard library's left out."""
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*{m.split('.')[0] for m in sys.modules}, file=sys.stderr))\n"
        "from monitor.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    names = set(done.stderr.splitlines()[-1].split()) - set(sys.stdlib_module_names)
    return {name for name in names if not name.startswith(("_cython_", "_sysconfigdata", "__"))}


def test_a_replay_loads_the_light_set_alone() -> None:
    found = loaded("replay", "examples/street.wav", "--json", "--config", "config.yaml")
    assert found - LIGHT - {"cython_runtime", "_distutils_hack"} == set()
    assert {"numpy", "ai_edge_litert"} <= found


def test_help_loads_next_to_nothing() -> None:
    assert loaded("--help") - {"_distutils_hack"} == {"click", "monitor"}
