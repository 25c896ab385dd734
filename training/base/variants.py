"""Models with changed settings, identified entirely by their names.

``compact~recipe.mask=0~rate=0.002`` is the model ``compact`` with two settings replaced. The name
alone identifies the variant on another machine, in a record and in the folder from which an
interrupted job resumes. Ablation and search run ordinary jobs with such names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from training.errors import DataError

Settings = TypeVar("Settings")

_CHANGE = "~"
_BETWEEN = ":"
"""Separates the values of a tuple; a comma separates models on the command line."""
_DIGITS = 3
"""Significant digits of a number in a name: settings that differ less are the same job."""


def base_of(model: str) -> str:
    """Return the name without its changes."""
    return model.split(_CHANGE)[0]


def changed(model: str, changes: Mapping[str, Any]) -> str:
    """Return the name of ``model`` with ``changes``, ordered by key.

    A dotted key addresses a nested setting. Values are numbers, strings, booleans, or tuples of these.
    A change already in the name of ``model`` is overridden.
    """
    base, *parts = model.split(_CHANGE)
    texts = dict(part.split("=", 1) for part in parts) | {key: _write(changes[key]) for key in changes}
    return _CHANGE.join([base, *(f"{key}={texts[key]}" for key in sorted(texts))])


def settings_of(model: str, table: Mapping[str, Settings]) -> Settings:
    """Return the settings of a name: those of its base in ``table``, with the changes applied.

    Raises
    ------
    DataError
        If the base or a key is unknown, or a value is invalid.
    """
    base, *changes = model.split(_CHANGE)
    if base not in table:
        raise DataError(f"no model {base!r}; there are {', '.join(sorted(table))}")
    settings: Any = table[base]
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals:
            raise DataError(f"{model}: {change!r} is not key=value")
        settings = _replaced(model, settings, key, _read(text))
    made: Settings = settings
    return made


def _replaced(model: str, settings: Any, key: str, value: Any) -> Any:
    name, dot, rest = key.partition(".")
    known = [field.name for field in fields(settings)]
    if name not in known:
        raise DataError(f"{model}: no setting {name!r}; there are {', '.join(known)}")
    old = getattr(settings, name)
    if dot:
        if not is_dataclass(old):
            raise DataError(f"{model}: {name} has no settings of its own")
        return replace(settings, **{name: _replaced(model, old, rest, value)})
    if not _fits(value, old):
        raise DataError(f"{model}: {key} cannot be {value!r}; it is {old!r} in {base_of(model)}")
    try:
        return replace(settings, **{name: value})
    except ValueError as error:
        raise DataError(f"{model}: {error}") from error


def _fits(value: Any, old: Any) -> bool:
    """Whether ``value`` has the type of ``old``; an integer is accepted for a float."""
    if isinstance(old, tuple):
        return isinstance(value, tuple) and len(value) == len(old)
    if isinstance(old, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(old)


def _write(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}"
    if isinstance(value, tuple | list):
        return _BETWEEN.join(map(_write, value))
    return value if isinstance(value, str) else json.dumps(value)


def _read(text: str) -> Any:
    if _BETWEEN in text:
        return tuple(_read(part) for part in text.split(_BETWEEN))
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
