"""Records of a streaming evaluation, grouped by system and profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.stream_eval.alarms import Bed
from training.stream_eval.judge import SceneFigures
from training.stream_eval.records import StreamRecord


@dataclass(frozen=True)
class SystemProfile:
    """One profile of one system: its figures on soundscapes by condition, and on backgrounds."""

    listener: str
    profile: str
    scenes: dict[str, SceneFigures]
    beds: tuple[Bed, ...]

    @property
    def name(self) -> str:
        return f"{self.listener}, {self.profile}"


def voices(records: Sequence[StreamRecord]) -> list[SystemProfile]:
    """Group the records by system and profile, profiles ``quiet`` first."""
    found: dict[tuple[str, str], SystemProfile] = {}
    for record in records:
        for profile in (*record.scenes, *record.beds):
            voice = found.setdefault(
                (record.listener, profile),
                SystemProfile(record.listener, profile, {}, record.beds.get(profile, ())),
            )
            if profile in record.scenes:
                voice.scenes[record.condition] = record.scenes[profile]
            else:
                beds = record.beds[profile]
                found[record.listener, profile] = SystemProfile(record.listener, profile, voice.scenes, beds)
    return sorted(found.values(), key=lambda voice: voice.profile)
