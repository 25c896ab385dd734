"""The settings that hold for each class: the card's profile, then config's overrides."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from monitor.config.load import Config, nearest
from monitor.errors import ConfigError
from monitor.model.card import Card
from monitor.settings import ClassSettings


def resolve_classes(config: Config, card: Card) -> dict[str, ClassSettings]:
    """Return the settings of every class that makes events, in the card's order.

    Raises
    ------
    ConfigError : a label that the model does not have, or a combination out of range
    """
    events = config.settings.events
    _check_known(config, ("events", "classes"), events.classes, card)
    if events.enabled != "all":
        _check_known(config, ("events", "enabled"), events.enabled, card)
    enabled = card.classes if events.enabled == "all" else events.enabled
    return {label: _resolve(config, card, label) for label in card.classes if label in enabled}


def card_settings(config: Config, card: Card, label: str) -> ClassSettings:
    """What the card says of a label in the profile in force; a profile it lacks is ``quiet``."""
    profiles = card.classes[label].profiles
    return profiles.get(config.settings.events.profile, profiles["quiet"])


def _resolve(config: Config, card: Card, label: str) -> ClassSettings:
    events = config.settings.events
    base = card_settings(config, card, label)
    overrides = [events.defaults, events.classes.get(label, events.defaults)]
    changes = {k: v for part in overrides for k, v in part.model_dump().items() if v is not None}
    # A lowered `enter` alone must not stumble over the card's `exit`.
    if "exit" not in changes and changes.get("enter", base.enter) < base.exit:
        changes["exit"] = changes["enter"]
    try:
        return ClassSettings.model_validate({**base.model_dump(), **changes})
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{config.where('events', 'classes', label)}: {message}") from error


def _check_known(config: Config, key: tuple[str, ...], labels: Iterable[str], card: Card) -> None:
    for label in labels:
        if label not in card.classes:
            what = (
                "is a negative label and makes no events" if label in card.negative_labels else "is no label"
            )
            hint = nearest(label, list(card.classes))
            raise ConfigError(f"{config.where(*key, label)} {what} of model {card.name}{hint}")
