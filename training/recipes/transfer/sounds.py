"""Thresholds of curated sounds for a trained package, from their alarms in backgrounds."""

from __future__ import annotations

from pathlib import Path

from monitor.model.card import MultiHeadCard
from monitor.model.load import ThirdParty, load_model
from monitor.model.package import read_package, write_package
from training.base.progress import Tick
from training.errors import ExportError
from training.recipes.sounds.figures import Judge
from training.recipes.sounds.fit import BUDGETS, levels_of, sound_cards
from training.recipes.sounds.groups import SOUNDS
from training.recipes.sounds.material import SoundMaterial
from training.recipes.sounds.scores import score_all


def add_sounds(path: Path, material: SoundMaterial, cache: Path, tick: Tick) -> None:
    """Fit thresholds of curated sounds on all backgrounds, and write them to a package's card.

    Raises
    ------
    ExportError
        If the package's schema is not 2.
    """
    package, model = read_package(path), load_model(path, ThirdParty())
    if not isinstance(package.card, MultiHeadCard):
        raise ExportError(f"{path}: its card is not of schema 2; only such a model has sounds")
    rows = score_all(model, material.backgrounds, cache, tick)
    fitted = Judge(SOUNDS, package.sounds).fit(rows, BUDGETS)
    card = package.card.model_copy(update={"sounds": sound_cards(SOUNDS, levels_of(fitted))})
    write_package(path, package.flatbuffer, package.labels, card, package.sounds)
