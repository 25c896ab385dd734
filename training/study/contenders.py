"""The models of the study by name: description, trainer and precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from training.base.variants import base_of, settings_of
from training.errors import DataError
from training.networks.catalogue import ARCHITECTURES
from training.records.jobs import Job, Protocol
from training.study.folds import Validation
from training.study.task import Fitted, Precision, Task
from training.study.trainers import augmented, embedding, plain


@dataclass(frozen=True)
class Contender:
    """A model of the study.

    Attributes
    ----------
    epochs
        Planned epochs; 0 if it is fitted in closed form.
    fit
        Trains it.
    decided
        Returns all settings that determine the weights besides the clips, without training.
    """

    name: str
    about: str
    epochs: int
    fit: Callable[[Task], Fitted]
    decided: Callable[[Task], dict[str, Any]]
    precision: Precision = "float32"


_HALF: Precision = "mixed_bfloat16"
"""Measured faster for convolutions of many channels, but not for small matrix products."""

_SIXTEEN_BITS = {"cnn", "cnn-proper", "crnn", "compact", "compact-wide", "compact-plain"}

CONTENDERS = {
    name: Contender(
        name,
        about,
        settings.epochs,
        trainer.fit,
        trainer.decided,
        _HALF if name in _SIXTEEN_BITS else "float32",
    )
    for trainer in (plain, augmented)
    for name, settings in trainer.SETTINGS.items()
    for about in [ARCHITECTURES[name.removesuffix("-plain")].about]
} | {
    "yamnet-lr": Contender(
        "yamnet-lr", "logistic regression on YAMNet's mean embedding", 0, embedding.fit, embedding.decided
    ),
}


def contender(name: str) -> Contender:
    """Return a model by name; the name may change settings (:mod:`training.base.variants`).

    Raises
    ------
    DataError
        If the model or a changed setting does not exist.
    """
    base = base_of(name)
    if base not in CONTENDERS:
        raise DataError(f"unknown model {base!r}; choose from {', '.join(CONTENDERS)}")
    if name == base:
        return CONTENDERS[name]
    tables: dict[str, Any] = {**plain.SETTINGS, **augmented.SETTINGS}
    return replace(CONTENDERS[base], name=name, epochs=settings_of(name, tables).epochs)


def validation_of(job: Job) -> Validation:
    """Return the validation rule of the job's protocol for its model."""
    if job.protocol == "honest":
        return "recordings"
    return plain.validation_of(job.model)


def models_of(protocol: Protocol) -> tuple[str, ...]:
    """Return the models that a protocol is defined for."""
    return tuple(plain.SETTINGS) if protocol == "seed" else tuple(CONTENDERS)
