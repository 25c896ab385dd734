"""The systems under test of an evaluation, and whether the test sounds are held out from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.model.adapter import read_adapter
from monitor.model.card import Card
from monitor.model.package import read_package
from training.base.progress import Progress
from training.data.corpora import TEACHER_FILE
from training.data.splits import Part
from training.errors import DataError
from training.stream_eval.peers import YAMNET_FILE, own, unheard_folds, yamnet, yamnet_head
from training.stream_eval.records import Listener


@dataclass(frozen=True)
class SystemsUnderTest:
    """The systems of an evaluation.

    Parameters
    ----------
    models
        Own packages.
    yamnet
        Folder of both of YAMNet's files; None evaluates no peers.
    head
        Our head on YAMNet's embedding.
    """

    models: tuple[Path, ...]
    yamnet: Path | None
    head: Path
    seed: int


def panel(
    who: SystemsUnderTest, train: Part, test_folds: Sequence[int], folder: Path, say: Progress
) -> tuple[list[Listener], list[str]]:
    """Return the systems under test, and a note for the page on each whose comparison is not fair.

    Raises
    ------
    DataError
        If two packages have the same name, or a package has no card.
    PackageError
        If a package or an adapter cannot be read.
    """
    listeners, notes = [own(path) for path in who.models], []
    names = [listener.name for listener in listeners]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"two models are named {name}; their records would be one: rename a file")
    for path in who.models:
        card = read_package(path).card
        if card is None:
            raise DataError(f"{path}: has no card; stream-eval needs a package with thresholds in it")
        if not _fair(card, test_folds):
            notes.append(f"**{path.stem}: its card does not say that it never heard these recordings.**")
    if who.yamnet is not None:
        say("fitting YAMNet's thresholds, unless they are kept")
        listeners.append(yamnet(who.yamnet / YAMNET_FILE, train, who.seed, folder))
        notes.append(
            "YAMNet's classes are mapped to ours, its thresholds fitted on the training folds by the same "
            "rule."
        )
        if who.head.is_file() and _fair(read_adapter(who.head).card, test_folds):
            listeners.append(yamnet_head(who.yamnet / TEACHER_FILE, who.head))
        else:
            notes.append(f"{who.head.name} is left out: absent, or it may have heard these recordings.")
    return listeners, [line for note in notes for line in ("", note)]


def _fair(card: Card, test_folds: Sequence[int]) -> bool:
    return set(test_folds) <= unheard_folds(card)
