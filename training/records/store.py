"""Records of one kind in a folder, and the single rule for when a record is up to date."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from training.base.atomic import atomic_write
from training.errors import DataError
from training.records.archive import text, texts
from training.records.envelope import Envelope, Key, is_envelope

Kind = TypeVar("Kind")
Kind_co = TypeVar("Kind_co")

_DAMAGE = (OSError, ValueError, KeyError, TypeError, zlib.error)


class Codec(Protocol[Kind]):
    """Conversion of records of one kind to and from envelopes."""

    @property
    def kind(self) -> str: ...
    @property
    def schema(self) -> int: ...

    def pack(self, record: Kind) -> Envelope:
        """Return the record in its envelope."""

    def unpack(self, envelope: Envelope) -> Kind:
        """Return the record of an envelope; ValueError, KeyError or TypeError if it is invalid."""

    def upgrade(self, parts: Mapping[str, Any]) -> Envelope:
        """Return the envelope of a record in the kind's layout from before envelopes were introduced."""

    def decisive(self, key: Key) -> Key:
        """Return the parts of a key that determine the content, in the current form."""


class Store(Generic[Kind]):
    """The records of one kind under a folder; a record's name is its path there without ``.json``."""

    def __init__(self, folder: Path, codec: Codec[Kind]) -> None:
        self._folder, self._codec = folder, codec

    def path(self, name: str) -> Path:
        """Return the path of a record by name."""
        return self._folder / f"{name}.json"

    def write(self, name: str, record: Kind) -> Path:
        """Write a record atomically; return its path."""
        path = self.path(name)
        with atomic_write(path) as partial:
            partial.write_text(self._codec.pack(record).to_json(), encoding="utf-8")
        return path

    def find(self, name: str, key: Key) -> Kind | None:
        """Return the record if it is up to date: same schema, settings and data.

        A missing, damaged or outdated record gives None.
        """
        try:
            envelope = self._envelope(text(self._folder, name))
            if self._codec.decisive(envelope.key) != self._codec.decisive(key):
                return None
            return self._codec.unpack(envelope)
        except _DAMAGE:
            return None

    def read(self, name: str) -> Kind:
        """Read one record.

        Raises
        ------
        DataError
            If there is no record of that name, or it is of another kind or schema.
        """
        try:
            return self._unpacked(name, text(self._folder, name))
        except OSError as error:
            raise DataError(f"{self.path(name)}: no such record; run its job first") from error

    def read_all(self) -> dict[str, Kind]:
        """Return every record under the folder, sorted by name.

        Raises
        ------
        DataError
            If a record is of another kind or schema.
        """
        return {name: self._unpacked(name, content) for name, content in texts(self._folder).items()}

    def _unpacked(self, name: str, content: str) -> Kind:
        try:
            return self._codec.unpack(self._envelope(content))
        except _DAMAGE as error:
            raise DataError(
                f"{self.path(name)}: not a {self._codec.kind} record of schema {self._codec.schema} "
                f"({error!r}); delete it and run its job again"
            ) from error

    def _envelope(self, text: str) -> Envelope:
        return envelope_of(text, self._codec)


def envelope_of(text: str, codec: Codec[Any]) -> Envelope:
    """Return the envelope of a stored record, in the current layout or an older one.

    Raises
    ------
    ValueError, KeyError, TypeError
        If the text is not a record of the codec's kind and schema.
    """
    parts = json.loads(text)
    envelope = Envelope.of(parts) if is_envelope(parts) else codec.upgrade(parts)
    if envelope.kind != codec.kind:
        raise ValueError(f"kind {envelope.kind} is not {codec.kind}")
    if envelope.key.schema != codec.schema:
        raise ValueError(f"schema {envelope.key.schema} is not {codec.schema}")
    return envelope
