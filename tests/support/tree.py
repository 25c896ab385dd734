"""Measure the tree of a package: folders, floors, circles, arrows up, the longest module and function.

    python tests/support/tree.py 4f0a21a

compares a revision with the working tree, as a Markdown table.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("monitor", "training")

Graph = Mapping[str, set[str]]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python file; ``name`` is its dotted name, that of its folder for an ``__init__``."""

    name: str
    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @property
    def folder(self) -> str:
        return str(Path(self.path).parent)

    @property
    def part(self) -> str:
        """``features`` of ``monitor.features.logmel``; empty for the package itself."""
        return self.name.partition(".")[2].split(".")[0]

    def functions(self) -> Iterator[Function]:
        """Yield all functions and methods, nested ones as well."""
        yield from (node for node in ast.walk(self.tree) if isinstance(node, Function))

    def imports(self) -> Iterator[str]:
        """Yield the full names of all that is imported, at the top or later, modules or what is in them."""
        package = ".".join(Path(self.path).parent.parts)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = resolve_name("." * node.level + (node.module or ""), package)
                yield from (f"{base}.{alias.name}" for alias in node.names)


def modules(package: str, revision: str | None = None) -> list[Module]:
    """Return the modules of a package in the working tree, or at a Git revision."""
    if revision is None:
        paths = [str(path.relative_to(ROOT)) for path in sorted((ROOT / package).rglob("*.py"))]
        texts = [(ROOT / path).read_text(encoding="utf-8") for path in paths]
    else:
        listed = _git("ls-tree", "-r", "--name-only", revision, package)
        paths = [path for path in listed.splitlines() if path.endswith(".py")]
        texts = [_git("show", f"{revision}:{path}") for path in paths]
    return [Module(_dotted(path), path, text) for path, text in zip(paths, texts, strict=True)]


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def _dotted(path: str) -> str:
    parts = Path(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def graph(found: Iterable[Module]) -> dict[str, set[str]]:
    """Return each module with the modules among ``found`` that it imports."""
    by_name = {module.name: module for module in found}
    edges: dict[str, set[str]] = {}
    for name, module in by_name.items():
        named = {own if own in by_name else own.rpartition(".")[0] for own in module.imports()}
        edges[name] = (named & set(by_name)) - {name}
    return edges


def parts(found: Iterable[Module]) -> dict[str, set[str]]:
    """Return each folder or loose module of a package with those that it imports."""
    part = {module.name: module.part for module in found}
    edges: dict[str, set[str]] = defaultdict(set)
    for name, below in graph(found).items():
        edges[part[name]] |= {part[other] for other in below} - {part[name]}
    return {own: below - {""} for own, below in edges.items()}


def circles(edges: Graph) -> list[set[str]]:
    """Return the sets of nodes that import each other, directly or not."""
    reach = {node: _reached(edges, node) for node in edges}
    found = {frozenset({other for other in reach[node] if node in reach[other]}) for node in edges}
    return [set(circle) for circle in found if circle]


def _reached(edges: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    stack = list(edges[start])
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack += edges[node]
    return seen


def arrows_up(found: Iterable[Module]) -> list[tuple[str, str]]:
    """Return the imports between parts of the package that import each other in a circle."""
    part = {module.name: module.part for module in found}
    circle_of = {name: number for number, circle in enumerate(circles(parts(found))) for name in circle}
    return [
        (name, other)
        for name, below in graph(found).items()
        for other in sorted(below)
        if part[name] != part[other] and circle_of.get(part[name], -1) == circle_of.get(part[other], -2)
    ]


def floors(edges: Graph) -> int:
    """Return the number of modules on the longest chain of imports, a circle counted as one."""
    circle_of = {name: f"circle {n}" for n, circle in enumerate(circles(edges)) for name in circle}
    merged: dict[str, set[str]] = defaultdict(set)
    for name, below in edges.items():
        own = circle_of.get(name, name)
        merged[own] |= {circle_of.get(other, other) for other in below} - {own}
    height: dict[str, int] = {}
    for node in TopologicalSorter(merged).static_order():
        height[node] = 1 + max((height[other] for other in merged[node]), default=0)
    return max(height.values(), default=0)


def length(function: Function) -> int:
    """Return the lines of a function, its docstring apart."""
    first = function.body[0]
    docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    hidden = (first.end_lineno or 0) - first.lineno + 1 if docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - hidden


def parameters(function: Function) -> int:
    """Return how many parameters a function takes, ``self`` and ``cls`` apart."""
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def folder_sizes(found: Iterable[Module]) -> Counter[str]:
    """Return the number of modules in each folder, ``__init__`` apart."""
    return Counter(module.folder for module in found if not module.path.endswith("__init__.py"))


def figures(found: list[Module]) -> dict[str, str]:
    """Return the figures of one package at one time, as cells of the table."""
    edges, sizes = graph(found), folder_sizes(found)
    package = found[0].name.split(".")[0]
    folder, most = max(sizes.items(), key=lambda item: item[1])
    longest = max(found, key=lambda module: module.lines)
    lines, name = max((length(f), f"{m.name}.{f.name}") for m in found for f in m.functions())
    return {
        "modules": str(sum(sizes.values())),
        "of these loose in the package": str(sizes[package]),
        "folders": str(len(sizes)),
        "most modules in a folder": f"{most} ({folder}/)",
        "floors": str(floors(edges)),
        "circles of modules": str(len(circles(edges))),
        "imports between parts that import each other": str(len(arrows_up(found))),
        "longest module, lines": f"{longest.lines} ({longest.path})",
        "longest function, lines": f"{lines} ({name})",
    }


def table(revisions: Iterable[str | None]) -> str:
    """Return a Markdown table with a column per package and revision; None is the working tree."""
    columns = {
        f"`{package}`, {revision or 'now'}": figures(modules(package, revision))
        for package in PACKAGES
        for revision in revisions
    }
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    names = next(iter(columns.values()))
    lines += [
        "| " + " | ".join([name, *(column[name] for column in columns.values())]) + " |" for name in names
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table([*sys.argv[1:], None]))
