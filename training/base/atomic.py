"""Files that are there whole or not at all, whoever else writes them at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a new file's path beside ``path``; it takes that name when the block ends without an error.

    Its name is its own: two processes that lack the same cached features both compute them, and the
    later one replaces what the earlier one wrote.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid4().hex[:12]}.part")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
