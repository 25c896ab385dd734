"""The model package: one .tflite file with its labels and its card inside.

The files are appended to the flatbuffer as a zip archive, the convention of
TensorFlow Lite metadata: interpreters read the front of the file, zip tools its end.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
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
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    UnicodeDecodeError,
    NotImplementedError,
    RuntimeError,
)
"""What reading an entry raises: a broken archive, a method or a password of other people's."""


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
    end, entries = _read_entries(path, data)
    card = _parse_card(path, entries[CARD_FILE]) if CARD_FILE in entries else None
    labels = _labels(path, entries)
    if card is not None:
        _check_labels(path, labels, card)
        _check_front_end(path, card)
    return ModelPackage(path, data[:end], labels, card)


def write_package(path: Path, flatbuffer: bytes, labels: Sequence[str], card: Card) -> None:
    """Write a package; the same input gives the same bytes.

    Raises
    ------
    PackageError : labels that contradict the card, or that a list of lines cannot carry
    """
    files = {
        LABELS_FILE: "".join(f"{label}\n" for label in labels),
        CARD_FILE: json.dumps(card.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False)
        + "\n",
    }
    if _labels(path, files) != tuple(labels):
        raise PackageError(f"{path}: a label must be one line of text, without space around it")
    _check_labels(path, tuple(labels), card)
    content = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(content, "a", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(content.getvalue())
    partial.replace(path)


def _read_model(path: Path) -> bytes:
    try:
        # A pipe would block until somebody writes to it.
        if path.exists() and not path.is_file():
            raise PackageError(f"{path}: is no regular file; model.path must name a .tflite file")
        if path.stat().st_size > _MAX_MODEL_BYTES:
            raise PackageError(f"{path}: larger than {_MAX_MODEL_BYTES >> 20} MiB; is it a TFLite model?")
        data = path.read_bytes()
    except OSError as error:
        raise PackageError(f"{path}: cannot read the model ({error.strerror}); check model.path") from error
    if data[4:8] != b"TFL3":
        raise PackageError(f"{path}: not a TFLite model (no TFL3 mark); model.path must name a .tflite file")
    return data


def _read_entries(path: Path, data: bytes) -> tuple[int, dict[str, str]]:
    """Return where the flatbuffer ends, and the appended text files by name."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return len(data), {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            if len(infos) > _MAX_ENTRIES or any(info.file_size > _MAX_ENTRY_BYTES for info in infos):
                raise PackageError(
                    f"{path}: its archive holds more than {_MAX_ENTRIES} files or one over "
                    f"{_MAX_ENTRY_BYTES >> 20} MiB; not a package of ours"
                )
            texts = [info for info in infos if info.filename.endswith((".txt", ".json"))]
            if len({info.filename for info in texts}) != len(texts):
                raise PackageError(f"{path}: its archive holds a file twice; package it again")
            end = min((info.header_offset for info in infos), default=len(data))
            return end, {info.filename: archive.read(info).decode("utf-8-sig") for info in texts}
    except _DAMAGE as error:
        raise PackageError(f"{path}: the archive with labels and card is damaged ({error})") from error


def _parse_card(path: Path, text: str) -> Card:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
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
