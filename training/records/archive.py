"""All records of a subject in one file, as stored in the repository.

Runs write one file per record under ``records/``, so that parallel jobs never share a file.
:func:`collect` gathers them into ``records.jsonl`` beside that folder: a compact line per record, sorted
by name, with long columns packed. Readers see both; a loose file takes precedence over the archived line.
"""

from __future__ import annotations

import base64
import json
import shutil
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from training.base.atomic import atomic_write

_SUFFIX = ".jsonl"
_FEWEST_BITS = 8
_FEWEST_ROWS = 4
"""Packing shorter lists saves nothing over plain JSON."""
_FEWEST_NUMBERS = 16
_BITS, _COLUMNS, _NUMBERS = "#bits", "#columns", "#numbers"


def texts(folder: Path) -> dict[str, str]:
    """Return the JSON text of every record under a folder, sorted by name.

    A name is the record's path below ``folder`` without ``.json``.
    """
    found = dict(_archived(folder))
    for path in folder.rglob("*.json"):
        found[str(path.relative_to(folder).with_suffix(""))] = path.read_text(encoding="utf-8")
    return dict(sorted(found.items()))


def text(folder: Path, name: str) -> str:
    """Return the JSON text of one record.

    Raises
    ------
    FileNotFoundError
        If there is no record of that name.
    """
    path = folder / f"{name}.json"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    for found, content in _archived(folder):
        if found == name:
            return content
    raise FileNotFoundError(f"{path}: no such record")


def collect(folder: Path) -> Path:
    """Move the loose records under a folder into its archive and return the archive's path.

    The folder is removed once the archive is complete.
    """
    path = folder.with_name(folder.name + _SUFFIX)
    lines = [_line(name, json.loads(content)) for name, content in texts(folder).items()]
    with atomic_write(path) as partial:
        partial.write_text("".join(lines), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    return path


def _line(name: str, parts: Any) -> str:
    line = {"name": name, "record": _packed(parts)}
    return json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n"


def _archived(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield name and text of the records in the archive of the folder or of a parent."""
    for base in (folder, *folder.parents):
        path = base.with_name(base.name + _SUFFIX) if base.name else base
        if path.is_file():
            below = "" if base == folder else f"{folder.relative_to(base)}/"
            records = _read(path, path.stat().st_mtime_ns)
            return (
                (name.removeprefix(below), record)
                for name, record in records.items()
                if name.startswith(below)
            )
    return iter(())


@lru_cache(maxsize=8)
def _read(path: Path, _changed_ns: int) -> Mapping[str, str]:
    with path.open(encoding="utf-8") as file:
        lines = (json.loads(line) for line in file)
        return {line["name"]: json.dumps(_unpacked(line["record"])) for line in lines}


def _packed(value: Any) -> Any:
    """Pack rows with equal keys into columns, booleans into hexadecimal digits, and compress numbers."""
    if isinstance(value, dict):
        return {key: _packed(one) for key, one in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) >= _FEWEST_BITS and all(isinstance(one, bool) for one in value):
        bits = "1" + "".join("01"[one] for one in value)
        return {_BITS: f"{int(bits, 2):x}"}
    if len(value) >= _FEWEST_ROWS and all(
        isinstance(one, dict) and list(one) == list(value[0]) for one in value
    ):
        return (
            {_COLUMNS: {key: _packed([row[key] for row in value]) for key in value[0]}} if value[0] else value
        )
    if len(value) >= _FEWEST_NUMBERS and all(_is_number(one) for one in value):
        text_of = json.dumps(value, separators=(",", ":")).encode()
        return {_NUMBERS: base64.b64encode(zlib.compress(text_of, 9)).decode()}
    return [_packed(one) for one in value]


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _unpacked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpacked(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_BITS}:
        return [bit == "1" for bit in f"{int(value[_BITS], 16):b}"[1:]]
    if value.keys() == {_COLUMNS}:
        columns = {key: _unpacked(column) for key, column in value[_COLUMNS].items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if value.keys() == {_NUMBERS}:
        return json.loads(zlib.decompress(base64.b64decode(value[_NUMBERS])))
    return {key: _unpacked(one) for key, one in value.items()}
