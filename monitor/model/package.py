"""The model package: one .tflite file with its labels and its card inside.

The files are appended to the flatbuffer as a zip archive, the convention of
TensorFlow Lite metadata: interpreters read the front of the file, zip tools its end.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from monitor.errors import PackageError
from monitor.features.logmel import matrix_sha256, mel_matrix
from monitor.model.card import CARD_SCHEMA, Card

LABELS_FILE = "labels.txt"
CARD_FILE = "card.json"
_MAX_MODEL_BYTES = 512 << 20
_MAX_ENTRY_BYTES = 1 << 20
_MAX_ENTRIES = 16


@dataclass(frozen=True)
class ModelPackage:
    """A read package: the flatbuffer, a label per output, and the card if there is one."""

    path: Path
    flatbuffer: bytes
    labels: tuple[str, ...]
    card: Card | None


def read_package(path: Path) -> ModelPackage:
    """Read and check a package without running it.

    Raises
    ------
    PackageError : missing, no TFLite model, an unsafe archive, an invalid card, labels
        that contradict the card
    """
    data = _read_model(path)
    entries = _read_entries(path, data)
    card = _parse_card(path, entries[CARD_FILE]) if CARD_FILE in entries else None
    labels = _labels(path, entries)
    if card is not None:
        _check_labels(path, labels, card)
        _check_front_end(path, card)
    return ModelPackage(path, data, labels, card)


def write_package(path: Path, flatbuffer: bytes, labels: Sequence[str], card: Card) -> None:
    """Write a package; the same input gives the same bytes."""
    _check_labels(path, tuple(labels), card)
    content = io.BytesIO(flatbuffer)
    files = {
        LABELS_FILE: "".join(f"{label}\n" for label in labels),
        CARD_FILE: json.dumps(card.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False)
        + "\n",
    }
    with zipfile.ZipFile(content, "a", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(content.getvalue())
    partial.replace(path)


def _read_model(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_MODEL_BYTES:
            raise PackageError(f"{path}: larger than {_MAX_MODEL_BYTES >> 20} MiB; is it a TFLite model?")
        data = path.read_bytes()
    except OSError as error:
        raise PackageError(f"{path}: cannot read the model ({error.strerror}); check model.path") from error
    if data[4:8] != b"TFL3":
        raise PackageError(f"{path}: not a TFLite model (no TFL3 mark); model.path must name a .tflite file")
    return data


def _read_entries(path: Path, data: bytes) -> dict[str, str]:
    """Return the appended text files; {} where nothing is appended."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            if len(infos) > _MAX_ENTRIES or any(info.file_size > _MAX_ENTRY_BYTES for info in infos):
                raise PackageError(
                    f"{path}: its archive holds more than {_MAX_ENTRIES} files or one over "
                    f"{_MAX_ENTRY_BYTES >> 20} MiB; not a package of ours"
                )
            return {info.filename: archive.read(info).decode("utf-8") for info in infos}
    except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError, RuntimeError) as error:
        raise PackageError(f"{path}: the archive with labels and card is damaged ({error})") from error


def _parse_card(path: Path, text: str) -> Card:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise PackageError(f"{path}: {CARD_FILE} is no JSON ({error})") from error
    schema = values.get("schema") if isinstance(values, dict) else None
    if schema != CARD_SCHEMA:
        raise PackageError(
            f"{path}: card schema {schema!r}, this version reads {CARD_SCHEMA}; use a package made for it"
        )
    try:
        return Card.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise PackageError(f"{path}: {CARD_FILE}: {where}: {first['msg']}") from error


def _labels(path: Path, entries: dict[str, str]) -> tuple[str, ...]:
    """Labels in output order; third parties name their one text file as they like."""
    names = [LABELS_FILE] if LABELS_FILE in entries else [n for n in entries if n.endswith(".txt")]
    if len(names) != 1:
        return ()
    labels = tuple(line.strip() for line in entries[names[0]].splitlines() if line.strip())
    if len(set(labels)) != len(labels) and CARD_FILE in entries:
        raise PackageError(f"{path}: {names[0]} names a label twice")
    return labels


def _check_labels(path: Path, labels: tuple[str, ...], card: Card) -> None:
    known = set(card.classes) | set(card.negative_labels)
    if set(labels) != known:
        odd = ", ".join(sorted(set(labels) ^ known))
        raise PackageError(f"{path}: {LABELS_FILE} and the card disagree on: {odd}")


def _check_front_end(path: Path, card: Card) -> None:
    front_end = card.front_end
    if front_end.kind != "log-mel":
        return
    try:
        matrix = mel_matrix(front_end, card.sample_rate)
    except ValueError as error:
        raise PackageError(f"{path}: {CARD_FILE}: front_end: {error}") from error
    if front_end.matrix_sha256 not in (None, matrix_sha256(matrix)):
        raise PackageError(f"{path}: computes another mel matrix here than in training")
