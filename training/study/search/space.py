"""The search space of each model: settings and ranges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from training.errors import DataError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

Space = Mapping[str, "BaseDistribution"]
"""Key of a setting, as in :mod:`training.base.variants` → its distribution."""


def space_of(model: str) -> Space:
    """Return the search space of a model of the study.

    Raises
    ------
    DataError
        If the model does not exist or has nothing to search.
    """
    from training.base.variants import base_of
    from training.study.contenders import contender
    from training.study.trainers import augmented, plain

    base = base_of(contender(model).name)
    if base in plain.SETTINGS:
        return published_space()
    if base in augmented.SETTINGS:
        return windowed_space()
    raise DataError(f"{model} has no settings to search; it is fitted in closed form")


def published_space() -> Space:
    """Return the space of a published network: its optimiser; its layers are fixed."""
    from optuna.distributions import FloatDistribution

    return {
        "decay": FloatDistribution(1e-8, 1e-2, log=True),
        "rate": FloatDistribution(2e-4, 1e-2, log=True),
    }


def windowed_space() -> Space:
    """Return the space of a windowed network: its optimiser and the strength of each augmentation."""
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        "decay": FloatDistribution(1e-3, 0.3, log=True),
        "rate": FloatDistribution(5e-4, 1e-2, log=True),
        "recipe.background": FloatDistribution(0.0, 0.8),
        "recipe.bands": IntDistribution(0, 4),
        "recipe.equaliser_db": FloatDistribution(0.0, 10.0),
        "recipe.mask": FloatDistribution(0.0, 1.0),
        "recipe.mixstyle": FloatDistribution(0.0, 0.8),
        "recipe.second": FloatDistribution(0.0, 0.8),
        "recipe.smoothing": FloatDistribution(0.0, 0.2),
        "recipe.stretch": FloatDistribution(0.0, 0.3),
    }


def draw(trial: Trial, space: Space) -> dict[str, Any]:
    """Return a value for every setting, drawn by the study's sampler."""
    return {key: _suggest(trial, key, space[key]) for key in sorted(space)}


def _suggest(trial: Trial, key: str, where: BaseDistribution) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(where, FloatDistribution):
        return trial.suggest_float(key, where.low, where.high, log=where.log)
    if isinstance(where, IntDistribution):
        return trial.suggest_int(key, where.low, where.high, log=where.log)
    assert isinstance(where, CategoricalDistribution)
    return trial.suggest_categorical(key, where.choices)
