"""The systems under test of an evaluation, and whether the test sounds are held out from them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from monitor.model.card import Card
from monitor.model.package import read_package
from training.errors import DataError
from training.scoring.calibration import BUDGETS
from training.stream_eval.records import Listener


def panel(models: Sequence[Path], test_folds: Sequence[int]) -> tuple[list[Listener], list[str]]:
    """Return the systems under test, and a note for the page on each that may have heard the test sounds.

    Raises
    ------
    DataError
        If two packages have the same name, or a package has no card.
    PackageError
        If a package cannot be read.
    """
    listeners, notes = [own(path) for path in models], []
    names = [listener.name for listener in listeners]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"two models are named {name}; their records would be one: rename a file")
    for path in models:
        card = read_package(path).card
        if card is None:
            raise DataError(f"{path}: has no card; stream-eval needs a package with thresholds in it")
        if not set(test_folds) <= unheard_folds(card):
            notes.append(f"**{path.stem}: its card does not say that it never heard these recordings.**")
    return listeners, [line for note in notes for line in ("", note)]


def own(path: Path) -> Listener:
    """Return one of our packages, named by its file."""
    keys = (f"model.path={json.dumps(str(path))}",)
    overrides: dict[str, tuple[str, ...]] = {
        profile: (*keys, f"events.profile={profile}") for profile in BUDGETS
    }
    return Listener(path.stem, overrides, (path,))


def unheard_folds(card: Card) -> frozenset[int]:
    """Return the folds for which the card has figures of exactly these weights, so they are held out."""
    folds = [q.fold for q in card.quality if not q.recipe_cv]
    return frozenset(int(number) for text in folds for number in re.findall(r"\d+", text))
