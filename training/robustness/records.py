"""Findings as records, from which tables, pictures and pages are made without data or models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.base.provenance import machine, versions
from training.records.envelope import Envelope, Key, Origin, RunTime, is_envelope, plain
from training.records.store import Store

SCHEMA = 2
_DIGITS = 5


@dataclass(frozen=True)
class FindingsRecord:
    """Findings of one kind, as rows of plain values, with the settings that they came from.

    A figure that could not be is None; ``time`` is None where an earlier version did not say it.
    """

    settings: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    time: RunTime | None


class FindingsCodec:
    """Findings as envelopes; their settings name the recordings and the networks' weights as well."""

    kind = "findings"
    schema = SCHEMA

    def pack(self, record: FindingsRecord) -> Envelope:
        """See :class:`~training.records.store.Codec`."""
        key = Key(SCHEMA, plain(record.settings, _DIGITS))
        origin = Origin(machine(), versions(), "sound-training robustness", record.time)
        return Envelope(self.kind, key, origin, {"findings": plain(record.rows, _DIGITS)})

    def unpack(self, envelope: Envelope) -> FindingsRecord:
        """See :class:`~training.records.store.Codec`."""
        return FindingsRecord(envelope.key.settings, envelope.content["findings"], envelope.origin.time)

    def upgrade(self, parts: Mapping[str, Any]) -> Envelope:
        """See :class:`~training.records.store.Codec`; the cost was a part of its own."""
        cost = parts.get("cost")
        time = None if cost is None else RunTime(**cost)
        origin = Origin(parts.get("machine", ""), parts.get("versions", {}), "", time)
        return Envelope(
            self.kind, Key(parts["schema"], parts["settings"]), origin, {"findings": parts["findings"]}
        )

    def decisive(self, key: Key) -> Key:
        """See :class:`~training.records.store.Codec`."""
        return Key(key.schema, plain(key.settings, _DIGITS), key.data)


FINDINGS = FindingsCodec()


def read(path: Path) -> FindingsRecord:
    """Return the findings of a file.

    Raises
    ------
    DataError : the file is no such record
    """
    return Store(path.parent, FINDINGS).read(path)


def is_current(path: Path) -> bool:
    """Whether the file is of this version of the analyses; one of an earlier version is not read any more."""
    try:
        parts = json.loads(path.read_text(encoding="utf-8"))
        current: bool = not is_envelope(parts) and parts["schema"] == SCHEMA
        return current or (is_envelope(parts) and (parts["kind"], parts["schema"]) == (FINDINGS.kind, SCHEMA))
    except (ValueError, KeyError, TypeError):
        return True  # damaged, which reading it says
