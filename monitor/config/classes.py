"""The settings in force for each class: the card's profile with the config's overrides."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pydantic import ValidationError

from monitor.config.load import Config, nearest
from monitor.errors import ConfigError
from monitor.model.card import Card, ClassCard
from monitor.model.heads import Head
from monitor.settings import ClassSettings


def class_cards(card: Card, heads: Sequence[Head] = ()) -> dict[str, ClassCard]:
    """Return the card of each label that can make events, the model's own first, then the heads'."""
    return {**card.classes, **{label: one for head in heads for label, one in head.classes.items()}}


def resolve_classes(
    config: Config,
    card: Card,
    heads: Sequence[Head] = (),
    patterns: Mapping[str, ClassCard] | None = None,
) -> dict[str, ClassSettings]:
    """Return the settings of every label that makes events, in the order of :func:`class_cards`.

    Labels of ``heads`` and ``patterns`` were requested by name; ``events.enabled`` selects among
    the model's own. Patterns come last.

    Raises
    ------
    ConfigError
        If the model lacks a label, or a combination of settings is invalid.
    """
    events = config.settings.events
    known = {**class_cards(card, heads), **(patterns or {})}
    _check_known(config, ("events", "classes"), events.classes, known, card)
    enabled = set(card.classes)
    if events.enabled != "all":
        _check_known(config, ("events", "enabled"), events.enabled, card.classes, card)
        enabled = set(events.enabled)
    return {
        label: _resolve(config, one, label)
        for label, one in known.items()
        if label in enabled or label not in card.classes
    }


def card_settings(config: Config, card: ClassCard) -> ClassSettings:
    """Return the card's settings in the profile in force; ``quiet`` if the card lacks the profile."""
    return card.profiles.get(config.settings.events.profile, card.profiles["quiet"])


def _resolve(config: Config, card: ClassCard, label: str) -> ClassSettings:
    events = config.settings.events
    base = card_settings(config, card)
    overrides = [events.defaults, events.classes.get(label, events.defaults)]
    changes = {k: v for part in overrides for k, v in part.model_dump().items() if v is not None}
    # If only `enter` is lowered, the card's `exit` must not end up above it.
    if "exit" not in changes and changes.get("enter", base.enter) < base.exit:
        changes["exit"] = changes["enter"]
    try:
        return ClassSettings.model_validate({**base.model_dump(), **changes})
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{config.where('events', 'classes', label)}: {message}") from error


def _check_known(
    config: Config, key: tuple[str, ...], labels: Collection[str], known: Collection[str], card: Card
) -> None:
    for label in labels:
        if label not in known:
            what = (
                "is a negative label and makes no events" if label in card.negative_labels else "is no label"
            )
            hint = nearest(label, list(known))
            raise ConfigError(f"{config.where(*key, label)} {what} of model {card.name}{hint}")
