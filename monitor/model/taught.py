"""Heads taught on this machine: files beside the history; the newest version of each label is used."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from monitor.errors import PackageError
from monitor.model.linear import LinearHead, probe_embedding, read_linear_head, write_linear_head
from monitor.model.load import LoadedModel

log = logging.getLogger(__name__)

LABEL = re.compile(r"[A-Za-z0-9_-]{1,60}")
"""What a taught label may be: it is a file name and a topic too."""

_FILE = re.compile(rf"({LABEL.pattern})\.v([1-9][0-9]{{0,5}})\.npz")


def heads_folder(history: Path) -> Path:
    """Return the folder with the heads that belong to a history."""
    return history.parent / "heads"


def versions(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each label, oldest first, with labels in order."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in folder.glob("*.npz") if folder.is_dir() else ():
        match = _FILE.fullmatch(path.name)
        if match is not None:
            found.setdefault(match[1], []).append((int(match[2]), path))
    return {label: [path for _, path in sorted(found[label])] for label in sorted(found)}


def keep(folder: Path, label: str, head: LinearHead) -> LinearHead:
    """Write a head as the next version of its label; return it as written.

    Raises
    ------
    PackageError
        The head contradicts its card, or the folder cannot be written.
    """
    before = versions(folder).get(label, [])
    match = _FILE.fullmatch(before[-1].name) if before else None
    number = 1 if match is None else int(match[2]) + 1
    written = replace(
        head,
        path=folder / f"{label}.v{number}.npz",
        card=head.card.model_copy(update={"version": str(number)}),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PackageError(f"{folder}: cannot keep a head there ({error.strerror})") from error
    write_linear_head(written)
    return written


def remove(folder: Path, label: str) -> int:
    """Delete all versions of a label; return how many there were."""
    files = versions(folder).get(label, [])
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)


def load_taught(folder: Path, model: LoadedModel, taken: Sequence[str] = ()) -> tuple[LinearHead, ...]:
    """Return the newest head of each label that fits the model; others are logged and skipped.

    Parameters
    ----------
    taken : sequence of str
        Labels beside the model's own that are scored already.
    """
    files = [paths[-1] for paths in versions(folder).values()]
    if not files:
        return ()
    embedding = probe_embedding(model.card, model.classifier())
    heads: list[LinearHead] = []
    for path in files:
        try:
            head = read_linear_head(path)
            head.check_model(embedding, f"{model.card.name} {model.card.version}")
        except PackageError as error:
            log.warning("%s; it is not used", error)
            continue
        if set(head.labels) & {*model.labels, *taken, *(label for one in heads for label in one.labels)}:
            log.warning("%s: its label is taken by the model or by events.sounds; it is not used", path)
            continue
        heads.append(head)
    return tuple(heads)
