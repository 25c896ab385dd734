"""``events.sounds``: which sounds beside the model's classes are reported."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from monitor.config.load import Config
from monitor.errors import ConfigError
from monitor.model.card import MultiHeadCard
from monitor.model.heads import SoundsHead
from monitor.model.load import LoadedModel

_NEAREST = 3
"""Names that are suggested for one that is not known."""


def resolve_sounds(config: Config, model: LoadedModel) -> SoundsHead | None:
    """Return the head of the sounds that config asks for; None if it asks for none.

    Raises
    ------
    ConfigError
        The model gives no sounds, has none of that name, or one is named twice.
    """
    names = config.settings.events.sounds
    if not names:
        return None
    where = config.where("events", "sounds")
    card, sounds = model.card, model.package.sounds
    if not isinstance(card, MultiHeadCard) or not sounds:
        raise ConfigError(f"{where}: model {card.name} has no sounds beside its classes; leave it empty")
    for name in names:
        if name in card.classes:
            raise ConfigError(f"{where}: {name} is a class of the model; it is reported without being listed")
        if name not in card.sounds and name not in sounds:
            hint = _hint(name, card, sounds)
            raise ConfigError(f"{where}: {name!r} is no sound of model {card.name}; {hint}")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"{where}: {twice} is listed twice; delete one")
    return SoundsHead(card, sounds, names)


def _hint(name: str, card: MultiHeadCard, sounds: Sequence[str]) -> str:
    """The nearest names, those that contain the word first; the curated ones where nothing is near."""
    known = {label.lower(): label for label in (*sounds, *card.sounds)}
    word = name.lower()
    within = [lower for lower in known if word in lower]
    near = dict.fromkeys([*within, *difflib.get_close_matches(word, known, _NEAREST, 0.5)])
    if near:
        return "nearest are: " + "; ".join(known[lower] for lower in list(near)[:_NEAREST])
    return f"there are {', '.join(card.sounds)} and every label of AudioSet (sound-monitor model show)"
