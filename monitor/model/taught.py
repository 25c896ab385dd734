"""Heads taught on this machine: files beside the history; the newest version of each name is used.

A head that scores a sound has the sound's label as its name; one that rejects false alarms of a
class has the class's name with ``not-`` before it.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from monitor.errors import PackageError
from monitor.model.linear import LinearHead, read_linear_head, write_linear_head
from monitor.model.load import LoadedModel

log = logging.getLogger(__name__)

LABEL = re.compile(r"[A-Za-z0-9_-]{1,60}")
"""What a taught label may be: it is a file name and a topic too."""

REJECTS = "not-"
"""Begins the names of rejecting heads, and of no label."""

_FILE = re.compile(rf"({LABEL.pattern})\.v([1-9][0-9]{{0,5}})\.npz")


@dataclass(frozen=True)
class TaughtHeads:
    """The heads in use.

    Attributes
    ----------
    sounds
        Heads that score labels of their own.
    rejects
        Heads that keep labels from making events, by label.
    """

    sounds: tuple[LinearHead, ...] = ()
    rejects: dict[str, list[LinearHead]] = field(default_factory=dict)


def heads_folder(history: Path) -> Path:
    """Return the folder with the heads that belong to a history."""
    return history.parent / "heads"


def versions(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each label, oldest first, with labels in order."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in folder.glob("*.npz") if os.path.isdir(folder) else ():
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


def remove(folder: Path, name: str, *, newest: bool = False) -> int:
    """Delete all versions of a head, or the newest alone; return how many were deleted."""
    files = versions(folder).get(name, [])
    if newest:
        files = files[-1:]
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)


def rejecting_name(label: str) -> str:
    """Return the name of the head that rejects false alarms of a label."""
    return REJECTS + re.sub(r"[^A-Za-z0-9_-]+", "_", label)[:50]


def load_taught(folder: Path, model: LoadedModel, taken: Sequence[str] = ()) -> TaughtHeads:
    """Return the newest head of each name that fits the model; others are logged and skipped.

    Parameters
    ----------
    taken : sequence of str
        Labels beside the model's own that are scored already.
    """
    embedding = model.probe
    heads: list[LinearHead] = []
    rejects: dict[str, list[LinearHead]] = {}
    for path in (paths[-1] for paths in versions(folder).values()):
        try:
            head = read_linear_head(path)
            head.check_model(embedding, model.card.title)
        except PackageError as error:
            log.warning("%s; it is not used", error)
            continue
        if head.card.rejects:
            for label in head.card.rejects:
                rejects.setdefault(label, []).append(head)
            continue
        if set(head.labels) & {*model.labels, *taken, *(label for one in heads for label in one.labels)}:
            log.warning("%s: its label is taken by the model or by events.sounds; it is not used", path)
            continue
        heads.append(head)
    return TaughtHeads(tuple(heads), rejects)
