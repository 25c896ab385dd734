"""The model package: one .tflite file that contains its labels and card.

The files are appended to the flatbuffer as a zip archive, following the convention of TensorFlow Lite
metadata: interpreters read the file from the front, zip tools from the end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from monitor.errors import PackageError
from monitor.features.logmel import matrix_sha256, mel_matrix
from monitor.features.spec import MelSpec
from monitor.model.archive import read_entries, write_archive
from monitor.model.card import CARDS, Card, Document, MultiHeadCard

LABELS_FILE = "labels.txt"
SOUNDS_FILE = "sounds.txt"
CARD_FILE = "card.json"
_MAX_MODEL_BYTES = 512 << 20

AnyCard = TypeVar("AnyCard", bound=Document)


@dataclass(frozen=True)
class ModelPackage:
    """The contents of a package.

    Attributes
    ----------
    labels
        Labels of the scores, in order.
    sounds
        Labels of the ``sounds`` output, in order.
    """

    path: Path
    flatbuffer: bytes
    labels: tuple[str, ...]
    card: Card | None
    sounds: tuple[str, ...] = ()


def read_package(path: Path) -> ModelPackage:
    """Read and validate a package without running the model.

    Raises
    ------
    PackageError
        The file is missing, not a TFLite model, or an unsafe archive; the card is invalid; or labels
        contradict it.
    """
    data = _read_model(path)
    end, entries = read_entries(path, data)
    flatbuffer = data[:end]
    card = parse_card(path, entries[CARD_FILE], *CARDS.values()) if CARD_FILE in entries else None
    labels = labels_in(path, entries)
    sounds: tuple[str, ...] = ()
    if card is not None:
        sounds = _lines(path, entries, SOUNDS_FILE)
        check_labels(path, labels, card)
        _check_outputs(path, labels, sounds, card)
        _check_front_end(path, card)
        if card.model_sha256 not in (None, _sha256(flatbuffer)):
            raise PackageError(f"{path}: the model differs from the checksum in its card; copy it again")
    return ModelPackage(path, flatbuffer, labels, card, sounds)


def write_package(
    path: Path, flatbuffer: bytes, labels: Sequence[str], card: Card, sounds: Sequence[str] = ()
) -> None:
    """Write a package; the same input gives the same bytes.

    Parameters
    ----------
    labels
        Labels of the scores, in order.
    card
        Written with the checksum of ``flatbuffer``.
    sounds
        Labels of the ``sounds`` output, in order; only with a :class:`MultiHeadCard`.

    Raises
    ------
    PackageError
        Labels contradict the card or cannot be written as lines of text.
    """
    stamped = card.model_copy(update={"model_sha256": _sha256(flatbuffer)})
    write_archive(path, flatbuffer, card_files(path, labels, stamped, sounds))


def _sha256(flatbuffer: bytes) -> str:
    return hashlib.sha256(flatbuffer).hexdigest()


def card_files(path: Path, labels: Sequence[str], card: Card, sounds: Sequence[str] = ()) -> dict[str, str]:
    """Return the text files that describe a model.

    Raises
    ------
    PackageError
        See :func:`write_package`.
    """
    values = card.model_dump(mode="json", by_alias=True)
    if card.model_sha256 is None:
        del values["model_sha256"]  # a head has no model of its own
    files = {
        LABELS_FILE: label_lines(labels),
        **({SOUNDS_FILE: label_lines(sounds)} if sounds else {}),
        CARD_FILE: json.dumps(values, indent=1, ensure_ascii=False) + "\n",
    }
    if labels_in(path, files) != tuple(labels) or _lines(path, files, SOUNDS_FILE) != tuple(sounds):
        raise PackageError(f"{path}: a label must be one line of text, without space around it")
    check_labels(path, tuple(labels), card)
    _check_outputs(path, tuple(labels), tuple(sounds), card)
    return files


def read_file(path: Path, most_bytes: int, key: str, what: str) -> bytes:
    """Read a whole file that the configuration key ``key`` names.

    Parameters
    ----------
    what
        The expected kind of file, for error messages.

    Raises
    ------
    PackageError
        The file is missing, not a regular file, or too large.
    """
    try:
        # Opening a pipe would block until it has a writer.
        if path.exists() and not path.is_file():
            raise PackageError(f"{path}: is no regular file; {key} must name {what}")
        if path.stat().st_size > most_bytes:
            raise PackageError(f"{path}: larger than {most_bytes >> 20} MiB; {key} must name {what}")
        return path.read_bytes()
    except OSError as error:
        raise PackageError(f"{path}: cannot read the model ({error.strerror}); check {key}") from error


def _read_model(path: Path) -> bytes:
    data = read_file(path, _MAX_MODEL_BYTES, "model.path", "a .tflite file")
    if data[4:8] != b"TFL3":
        raise PackageError(f"{path}: not a TFLite model (no TFL3 mark); model.path must name a .tflite file")
    return data


def parse_card(path: Path, text: str, *kinds: type[AnyCard]) -> AnyCard:
    """Parse and validate a card; its schema determines which of ``kinds`` it is.

    Raises
    ------
    PackageError
        The text is not JSON, has a schema that none of them has, or is invalid.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PackageError(f"{path}: {CARD_FILE} is no JSON ({error})") from error
    schema = values.get("schema") if isinstance(values, dict) else None
    known = {kind.SCHEMA: kind for kind in kinds}
    if not isinstance(schema, int) or schema not in known:
        reads = " and ".join(map(str, known))
        raise PackageError(
            f"{path}: card schema {schema!r}, this version reads {reads}; use a package made for it"
        )
    try:
        return known[schema].model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise PackageError(f"{path}: {CARD_FILE}: {where}: {first['msg']}") from error


def label_lines(labels: Sequence[str]) -> str:
    """Return the labels, one per line."""
    return "".join(f"{label}\n" for label in labels)


def labels_in(path: Path, entries: dict[str, str]) -> tuple[str, ...]:
    """Return the labels in output order; third parties may give their only text file any name."""
    names = [LABELS_FILE] if LABELS_FILE in entries else [n for n in entries if n.endswith(".txt")]
    return _lines(path, entries, names[0]) if len(names) == 1 else ()


def _lines(path: Path, entries: Mapping[str, str], name: str) -> tuple[str, ...]:
    labels = tuple(line.strip() for line in entries.get(name, "").splitlines() if line.strip())
    if len(set(labels)) != len(labels) and CARD_FILE in entries:
        raise PackageError(f"{path}: {name} names a label twice")
    return labels


def check_labels(path: Path, labels: tuple[str, ...], card: Card) -> None:
    """Check that the labels are exactly the card's classes and negative labels."""
    known = set(card.classes) | set(card.negative_labels)
    if set(labels) != known:
        odd = ", ".join(sorted(set(labels) ^ known))
        raise PackageError(f"{path}: {LABELS_FILE} and the card disagree on: {odd}")


def _check_outputs(path: Path, labels: tuple[str, ...], sounds: tuple[str, ...], card: Card) -> None:
    """Check that output sizes match their labels and that all labels referred to exist."""
    if not isinstance(card, MultiHeadCard):
        if sounds:
            raise PackageError(f"{path}: {SOUNDS_FILE} needs a card of schema 2")
        return
    outputs = card.outputs
    for key, size, file, names in (
        ("classes", outputs.classes, LABELS_FILE, labels),
        ("sounds", outputs.sounds, SOUNDS_FILE, sounds),
    ):
        if size != len(names) and not (key == "classes" and size is None):
            raise PackageError(f"{path}: outputs.{key} is {size or 'absent'}, {file} has {len(names)} labels")
    both = [label for label in sounds if label in card.sounds or label in labels]
    if both:
        raise PackageError(f"{path}: {both[0]!r} is both in {SOUNDS_FILE} and a name in the card")
    for key, entries in (("support", card.support), ("sounds", card.sounds)):
        for name, entry in entries.items():
            odd = [label for label in entry.labels if label not in sounds]
            if odd:
                raise PackageError(f"{path}: {CARD_FILE}: {key}.{name}: {SOUNDS_FILE} has no {odd[0]!r}")


def _check_front_end(path: Path, card: Card) -> None:
    front_end = card.front_end
    if not isinstance(front_end, MelSpec):
        return
    try:
        matrix = mel_matrix(front_end, card.sample_rate)
    except ValueError as error:
        raise PackageError(f"{path}: {CARD_FILE}: front_end: {error}") from error
    if front_end.matrix_sha256 not in (None, matrix_sha256(matrix)):
        raise PackageError(f"{path}: computes another mel matrix here than in training")
