"""Findings as small JSON files, from which tables, pictures and pages are made without data or models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from training.base.atomic import atomic_write
from training.base.provenance import machine, versions
from training.errors import DataError

SCHEMA = 2
_DIGITS = 5


@dataclass(frozen=True)
class Cost:
    """What an analysis took: by the clock, and of processors."""

    seconds: float
    cpu_seconds: float


def write(path: Path, settings: Mapping[str, Any], findings: Sequence[Any], cost: Cost) -> None:
    """Write findings of one kind (frozen records) with the settings that they came from."""
    rows = [_rounded(asdict(finding)) for finding in findings]
    content = {
        "schema": SCHEMA,
        "settings": _rounded(dict(settings)),
        "machine": machine(),
        "versions": versions(),
        "cost": {name: round(value, 1) for name, value in asdict(cost).items()},
        "findings": rows,
    }
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def holds(path: Path, settings: Mapping[str, Any]) -> bool:
    """Whether the file holds findings that came from these very settings."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        kept: bool = (content["schema"], content["settings"]) == (SCHEMA, _plain(settings))
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return kept


def _plain(settings: Mapping[str, Any]) -> Any:
    """Settings as they come back from JSON."""
    return json.loads(json.dumps(_rounded(dict(settings))))


def read(path: Path) -> list[dict[str, Any]]:
    """Return the findings of a file as rows of plain values; a figure that could not be is None.

    Raises
    ------
    DataError : the file is no such record
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise ValueError(f"schema {content['schema']} is not {SCHEMA}")
        rows: list[dict[str, Any]] = content["findings"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: no record of findings ({error!r}); make it again") from error
    return rows


def is_current(path: Path) -> bool:
    """Whether the file is of this version of the analyses; one of an earlier version is not read any more."""
    try:
        current: bool = json.loads(path.read_text(encoding="utf-8"))["schema"] == SCHEMA
    except (ValueError, KeyError, TypeError):
        return True  # damaged, which reading it says
    return current


def cost(path: Path) -> Cost | None:
    """Return what a record says that it took; None where an earlier version did not say."""
    kept = json.loads(path.read_text(encoding="utf-8")).get("cost")
    return None if kept is None else Cost(**kept)


def _rounded(value: Any) -> Any:
    """Plain values with figures to five places; JSON has no word for what is not a number."""
    if is_dataclass(value) and not isinstance(value, type):
        return _rounded(asdict(value))
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    if isinstance(value, float):
        return round(value, _DIGITS) if abs(value) < float("inf") else None
    return str(value) if isinstance(value, Path) else value
