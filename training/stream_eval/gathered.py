"""Records of a streaming evaluation, grouped by system and profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.stream_eval.alarms import BackgroundFigures
from training.stream_eval.judge import SoundscapeFigures
from training.stream_eval.records import StreamRecord


@dataclass(frozen=True)
class SystemProfile:
    """One profile of one system: its figures on soundscapes by condition, and on backgrounds."""

    listener: str
    profile: str
    soundscapes: dict[str, SoundscapeFigures]
    backgrounds: tuple[BackgroundFigures, ...]

    @property
    def name(self) -> str:
        return f"{self.listener}, {self.profile}"


def systems_of(records: Sequence[StreamRecord]) -> list[SystemProfile]:
    """Group the records by system and profile, profiles ``quiet`` first."""
    found: dict[tuple[str, str], SystemProfile] = {}
    for record in records:
        for profile in (*record.scenes, *record.beds):
            system = found.setdefault(
                (record.listener, profile),
                SystemProfile(record.listener, profile, {}, record.beds.get(profile, ())),
            )
            if profile in record.scenes:
                system.soundscapes[record.condition] = record.scenes[profile]
            else:
                backgrounds = record.beds[profile]
                found[record.listener, profile] = SystemProfile(
                    record.listener, profile, system.soundscapes, backgrounds
                )
    return sorted(found.values(), key=lambda system: system.profile)
