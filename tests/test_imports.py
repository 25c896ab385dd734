"""Imports point down the route, edges stand in one file each, start-up stays light, parts stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from tree import PACKAGES, Module, circles, folder_sizes, length, modules, parameters, parts
from tree import graph as module_graph

from monitor.model.runtime import RUNTIMES

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "monitor").rglob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").rglob("*.py"))

BELOW: dict[str, set[str]] = {
    "records": set(),
    "errors": set(),
    "settings": set(),
    "listeners": {"level", "records"},
    "clock": {"records"},
    "features": {"records"},
    "level": {"errors", "records"},
    "patterns": {"records"},
    "events": {"level", "records", "settings"},
    "model": {"errors", "features", "records", "settings"},
    "pipeline": {"events", "features", "level", "model", "patterns", "records", "settings"},
    "config": {"errors", "events", "model", "patterns", "settings"},
    "health": {"clock", "errors", "records"},
    "tuning": {"errors", "events", "records", "settings"},
    "sources": {"errors", "health", "records"},
    "delivery": {"clock", "errors", "health", "level", "listeners", "records", "settings"},
    "clips": {"clock", "delivery", "errors", "features", "records"},
    "stream": {
        "clips", "clock", "config", "delivery", "errors", "events", "health", "level", "listeners", "model",
        "patterns", "pipeline", "records", "settings", "sources",
    },
    "history": {"clock", "delivery", "errors", "level", "listeners", "records", "settings", "tuning"},
    "web": {"clips", "clock", "delivery", "errors", "events", "history", "listeners", "records", "settings"},
    "teaching": {"clock", "model", "settings", "tuning"},
    "control": {"clock", "config", "delivery", "errors", "events", "model", "stream"},
    "service": {
        "clips", "clock", "config", "control", "delivery", "errors", "events", "features", "health",
        "history", "level", "listeners", "model", "patterns", "records", "settings", "stream",
        "teaching", "web",
    },
}  # fmt: skip
"""What each part may import of the others; parts that are not named here wire these together."""

NEVER = {"training", "tensorflow", "librosa", "scipy", "sklearn", "matplotlib", "pandas"}
IN_ONE_FILE = {
    "paho": "delivery/mqtt/link.py",
    "sounddevice": "sources/microphone.py",
    "wyoming": "sources/wyoming.py",
}
LIGHT = {
    "numpy", "soxr", "soundfile", "_soundfile", "_soundfile_data", "_cffi_backend", "yaml", "_yaml",
    "pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection",
    "click", "ai_edge_litert", "monitor",
}  # fmt: skip
"""What a replay of a file may load beside the standard library."""


LADDER = (
    "errors", "base", "data", "features", "mixing", "networks", "fit", "records", "scoring", "export",
    "study", "recipes", "stream_eval", "robustness", "explore", "cli",
)  # fmt: skip
"""Parts of training; each may import those before it."""

MOST_LINES, MOST_FUNCTION_LINES, MOST_MODULES, MOST_PARAMETERS = 300, 40, 14, 8


@lru_cache
def tree_of(package: str) -> tuple[Module, ...]:
    return tuple(modules(package))


def imports(path: Path) -> Iterator[str]:
    """Full names of all that a file of the monitor imports, at its top or later."""
    return next(m for m in tree_of("monitor") if ROOT / m.path == path).imports()


def graph() -> dict[str, set[str]]:
    """Each part of the monitor and the other parts that it imports."""
    return {own: below for own, below in parts(tree_of("monitor")).items() if own}


def public(module: Module) -> Iterator[tuple[str, ast.AST]]:
    """Names without an underscore that a module defines at its top."""
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found = [node.name]
        elif isinstance(node, ast.Assign):
            found = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found = [node.target.id]
        else:
            found = []
        yield from ((name, node) for name in found if not name.startswith("_"))


def used(found: Iterable[Module]) -> set[str]:
    """Names that are read, imported or written as a text somewhere."""
    names: set[str] = set()
    for node in (node for module in found for node in ast.walk(module.tree)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
    return names


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


def test_paho_sounddevice_and_wyoming_stand_in_one_file_each() -> None:
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


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles(module_graph([*tree_of("monitor"), *tree_of("training")])) == []


def test_training_imports_only_what_lies_below() -> None:
    found = {part: below for part, below in parts(tree_of("training")).items() if part}
    up = {
        (own, other)
        for own, below in found.items()
        for other in below
        if LADDER.index(other) >= LADDER.index(own)
    }
    assert up == set()


def test_nothing_is_loose_in_training_but_its_errors() -> None:
    files = [p.name for p in (ROOT / "training").iterdir() if p.is_file() and p.name != "__init__.py"]
    assert files == ["errors.py"]


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_and_functions_are_short(package: str) -> None:
    found = tree_of(package)
    long = {module.path for module in found if module.lines > MOST_LINES}
    functions = [(f"{module.name}.{f.name}", f) for module in found for f in module.functions()]
    long |= {name for name, f in functions if length(f) > MOST_FUNCTION_LINES}
    assert long == set()
    many = {name for name, f in functions if parameters(f) > MOST_PARAMETERS and ".cli" not in name}
    assert many == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_folder_holds_few_modules(package: str) -> None:
    sizes = folder_sizes(tree_of(package))
    assert {folder: count for folder, count in sizes.items() if count > MOST_MODULES} == {}


def test_public_classes_of_training_have_names_of_their_own() -> None:
    classes = Counter(
        name
        for module in tree_of("training")
        for name, node in public(module)
        if isinstance(node, ast.ClassDef)
    )
    assert {name: count for name, count in classes.items() if count > 1} == {}


def test_every_public_name_of_training_is_used() -> None:
    benchmarks = [Module(p.stem, str(p), p.read_text(encoding="utf-8")) for p in BENCHMARKS]
    names = used([*tree_of("training"), *benchmarks])
    assert [
        f"{module.name}.{name}"
        for module in tree_of("training")
        for name, _ in public(module)
        if name not in names
    ] == []


def test_no_two_test_modules_share_a_name() -> None:
    names = sorted(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert names == sorted(set(names)), "pytest imports test modules by name"
