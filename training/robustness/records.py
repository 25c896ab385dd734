"""Findings as records, from which tables, plots and pages are made without data or models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.base.provenance import machine, versions
from training.records.archive import texts
from training.records.envelope import CodeVersion, Envelope, Key, Origin, RunTime, is_envelope, plain
from training.records.store import Store

PARTS = ("features", "sound", "transfer", "alerts", "universal", "examples", "everyday")
"""Kinds of analyses, each with its own folder of records."""
SCHEMA = 2
_DIGITS = 5


@dataclass(frozen=True)
class FindingsRecord:
    """Findings of one kind as rows of plain values, with the settings that produced them.

    An undefined figure is None; ``time`` is None where an earlier version did not record it.
    """

    settings: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    time: RunTime | None


class FindingsCodec:
    """Findings as envelopes; their settings cover the recordings and the networks' weights."""

    kind = "findings"
    schema = SCHEMA

    def pack(self, record: FindingsRecord) -> Envelope:
        """See :class:`~training.records.store.Codec`."""
        key = Key(SCHEMA, plain(record.settings, _DIGITS))
        code = CodeVersion.of("training.robustness.analyses")
        origin = Origin(machine(), versions(), "sound-training robustness", record.time, code)
        return Envelope(self.kind, key, origin, {"findings": plain(record.rows, _DIGITS)})

    def unpack(self, envelope: Envelope) -> FindingsRecord:
        """See :class:`~training.records.store.Codec`."""
        return FindingsRecord(envelope.key.settings, envelope.content["findings"], envelope.origin.time)

    def upgrade(self, parts: Mapping[str, Any]) -> Envelope:
        """See :class:`~training.records.store.Codec`; the cost used to be a separate part."""
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


def read_all(folder: Path) -> dict[str, FindingsRecord]:
    """Return the findings under a folder by name, without those of an earlier version of the analyses.

    Raises
    ------
    DataError
        If one is damaged.
    """
    store = Store(folder, FINDINGS)
    return {name: store.read(name) for name, content in texts(folder).items() if _is_current(content)}


def _is_current(content: str) -> bool:
    try:
        parts = json.loads(content)
        if is_envelope(parts):
            return (parts["kind"], parts["schema"]) == (FINDINGS.kind, SCHEMA)
        return bool(parts["schema"] == SCHEMA)
    except (ValueError, KeyError, TypeError):
        return True  # damaged, which reading it reports
