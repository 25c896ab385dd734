"""Counts of trials as records; the page and its intervals are made from them alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from monitor.settings import ClassSettings
from training.base.provenance import machine, versions
from training.records.envelope import CodeVersion, Envelope, Key, Origin, plain
from training.records.store import Store
from training.stream_eval.peers.operating import (
    ENTERS,
    FITTED_AT,
    MOVES,
    BackgroundCounts,
    FalseCounts,
    SoundCounts,
    TrialCounts,
)
from training.stream_eval.peers.systems import Trial

_VERSION = 1


@dataclass(frozen=True)
class TrialRecord:
    """Counts of a trial, the digest of the scores they are of, and the command that made them."""

    counts: TrialCounts
    scores: str
    command: str
    code: CodeVersion


class TrialCodec:
    """Records of trials as envelopes."""

    kind = "peers"
    schema = _VERSION

    def pack(self, record: TrialRecord) -> Envelope:
        """See :class:`~training.records.store.Codec`."""
        counts = record.counts
        settings = {label: one.model_dump() for label, one in counts.settings.items()}
        content = {
            **{name: getattr(counts, name) for name in ("system", "fold", "seed", "temperature")},
            "settings": settings,
            **{name: [asdict(row) for row in getattr(counts, name)] for name in ("sounds", "false", "beds")},
        }
        origin = Origin(machine(), versions(), record.command, None, record.code)
        return Envelope(self.kind, key_of(record.scores), origin, plain(content))

    def unpack(self, envelope: Envelope) -> TrialRecord:
        """See :class:`~training.records.store.Codec`."""
        parts = envelope.content
        counts = TrialCounts(
            parts["system"],
            parts["fold"],
            parts["seed"],
            parts["temperature"],
            {label: ClassSettings(**one) for label, one in parts["settings"].items()},
            tuple(SoundCounts(**{**row, "found": tuple(row["found"])}) for row in parts["sounds"]),
            tuple(FalseCounts(**{**row, "events": tuple(row["events"])}) for row in parts["false"]),
            tuple(BackgroundCounts(**{**row, "alarms": tuple(row["alarms"])}) for row in parts["beds"]),
        )
        return TrialRecord(
            counts, envelope.key.settings["scores"], envelope.origin.command, envelope.origin.code
        )

    def upgrade(self, parts: Mapping[str, Any]) -> Envelope:
        """See :class:`~training.records.store.Codec`; there is no older layout."""
        raise ValueError("no envelope")

    def decisive(self, key: Key) -> Key:
        """See :class:`~training.records.store.Codec`."""
        return key


TRIALS = TrialCodec()


def key_of(scores: str) -> Key:
    """Return the key of counts of these scores: the rule, and the digest of the scores."""
    return Key(_VERSION, {"rule": plain([FITTED_AT, ENTERS.tolist(), MOVES]), "scores": scores})


def digest_of(trial: Trial) -> str:
    """Return a digest of all scores of a trial, development and test."""
    digest = hashlib.sha256()
    for streams in (trial.development, trial.test):
        for one in (*streams.scenes, *streams.beds, *streams.others):
            digest.update(one.name.encode() + one.scores.tobytes())
    return digest.hexdigest()[:16]


def name_of(system: str, fold: int, seed: int) -> str:
    """Return the name of a trial's record."""
    return f"{system.replace(' ', '-')}-fold{fold}-seed{seed}"


def read_counts(folder: Path) -> list[TrialRecord]:
    """Return every record under ``folder``.

    Raises
    ------
    DataError
        If a record is damaged.
    """
    return list(Store(folder, TRIALS).read_all().values())
