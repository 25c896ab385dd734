"""Loads a trained network from its training folder: ``spec.json`` and ``state.npz``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from training.errors import DataError
from training.fit.loop import history_of
from training.fit.streaming import SPEC, StreamRun, load_trained
from training.networks.streaming import Form

T = TypeVar("T")


def trained(folder: Path) -> tuple[Form, Any]:
    """Return the form of the network, and its whole-sequence model for any length.

    Raises
    ------
    DataError
        If there is no run, or it is unfinished, damaged or of another version.
    """
    run = read_run(folder)
    return run.network, load_trained(run, folder)


def read_run(folder: Path) -> StreamRun:
    """Return the settings of a finished run.

    Raises
    ------
    DataError
        See :func:`trained`.
    """
    try:
        run = _rebuilt(StreamRun, json.loads((folder / SPEC).read_text(encoding="utf-8"))["run"])
        done = len(history_of(folder))
    except OSError as error:
        raise DataError(f"{folder}: no training is in it (spec.json, state.npz)") from error
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{folder}: its training is damaged or of another version ({error})") from error
    if done < run.epochs:
        raise DataError(f"{folder}: {done} of {run.epochs} epochs are trained; let the training finish")
    return run


def _rebuilt(kind: type[T], values: Mapping[str, Any]) -> T:
    """Rebuild a dataclass from the JSON of ``asdict``; every field must be present, and no other."""
    hints, names = get_type_hints(kind), {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if names != set(values):
        raise ValueError(f"{kind.__name__} has other fields: {', '.join(sorted(names ^ set(values)))}")
    given = dict(values)
    for name, value in values.items():
        choices = (hints[name], *get_args(hints[name]))
        records = [hint for hint in choices if isinstance(hint, type) and is_dataclass(hint)]
        if records:
            # Among several types, the one with these fields.
            matching = [hint for hint in records if {field.name for field in fields(hint)} == set(value)]
            given[name] = _rebuilt((matching or records)[0], value)
        elif isinstance(value, list):
            given[name] = tuple(value)
    return kind(**given)
