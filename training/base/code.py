"""Which code computed a record: the commit, and a digest of the modules that can have affected it."""

from __future__ import annotations

import ast
import hashlib
import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("training", "monitor")


@lru_cache(maxsize=1)
def commit() -> str:
    """Return the commit of this source tree, with ``+`` if tracked files differ; "" outside a repository."""
    found = _git("rev-parse", "--short=12", "HEAD")
    return f"{found}+" if found and _git("status", "--porcelain", "--untracked-files=no") else found


def _git(*arguments: str) -> str:
    try:
        ended = subprocess.run(
            ["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""


@lru_cache(maxsize=8)
def code_digest(module: str) -> str:
    """Return a digest of a module and of everything of this program that it imports, directly or not.

    Comments, docstrings and layout do not count, so rewording keeps the digest.
    """
    digest = hashlib.sha256()
    for name in sorted(_reachable(module)):
        digest.update(f"{name}\n{_statements(_parsed(name))}\n".encode())
    return digest.hexdigest()[:12]


def _reachable(module: str) -> set[str]:
    found, left = set[str](), [module]
    while left:
        name = left.pop()
        if name not in found and _file(name) is not None:
            found.add(name)
            left += _imported(_parsed(name))
    return found


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield the modules of this program that a module imports, at its top or later."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # An imported name may itself be a module.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in _PACKAGES)


def _file(name: str) -> Path | None:
    path = _ROOT.joinpath(*name.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


def _parsed(name: str) -> ast.Module:
    file = _file(name)
    assert file is not None
    return ast.parse(file.read_text(encoding="utf-8"))


def _statements(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            # Docstrings, also of attributes.
            kept = [one for one in body if not _is_text(one)]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
