"""The sections that say what is listened to and what makes an event: ``audio``, ``events``, ``sources``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, field_validator

from monitor.config.base import Section
from monitor.events.loud import LoudSettings
from monitor.settings import LevelDbfs, RiseSeconds, Score, Seconds, ShiftSeconds

PatternSeconds = Annotated[float, Field(ge=0.06, le=30)]


class Input(Section):
    """Where audio comes from, and when it counts as lost."""

    source: str = Field(
        "microphone",
        description="microphone, - for raw PCM on stdin, wyoming://host:port, or a URL for ffmpeg",
    )
    device: int | str | None = Field(
        None, description="microphone by index or part of its name; null = default"
    )
    buffer_s: Annotated[float, Field(ge=0.5, le=60)] = Field(
        5.0, description="seconds of audio kept when the machine is too slow; the oldest goes first"
    )
    stall_s: Annotated[float, Field(ge=0.5, le=600)] = Field(
        3.0, description="seconds without audio after which the source counts as lost"
    )
    silence_s: Annotated[float, Field(ge=1, le=86400)] = Field(
        10.0, description="seconds of digital silence (all zeros) after which it counts as lost"
    )
    wyoming_hosts: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=list, description="hosts beside this machine whose wyoming:// may be used"
    )
    gain_db: Annotated[float, Field(ge=-40, le=60)] = Field(
        0.0, description="gain of what the model hears, dB, for a quiet microphone; levels stay as measured"
    )
    sensitivity_dbfs: Annotated[float, Field(ge=-120, le=20)] | None = Field(
        None, description="what 94 dB give, dBFS of a full-scale sine; null = not calibrated, no level in dB"
    )


class Audio(Input):
    wait: bool = Field(
        False, description="wait for ever for a device that is not there yet, instead of exit 3"
    )
    raw_rate: Annotated[int, Field(ge=1000, le=384000)] = Field(
        16000, description="stdin: samples a second, Hz"
    )
    raw_channels: Annotated[int, Field(ge=1, le=32)] = Field(1, description="stdin: interleaved channels")
    raw_format: Literal["s16le", "s32le", "f32le"] = Field("s16le", description="stdin: sample format")


class ClassOverride(Section):
    """Settings of a class that the configuration may override; null keeps the card's value."""

    enter: Score | None = None
    exit: Score | None = None
    attack_s: Seconds | None = None
    release_s: Seconds | None = None
    smoothing_s: Seconds | None = None
    min_duration_s: Seconds | None = None
    cooldown_s: Seconds | None = None
    min_level_dbfs: LevelDbfs | None = None
    onset_shift_s: ShiftSeconds | None = None
    rise_s: RiseSeconds | None = None
    offset_shift_s: ShiftSeconds | None = None


class Switch(Section):
    enabled: bool = Field(False, description="an event for any sound far over the background")


class Loud(LoudSettings, Switch):
    """``enabled`` is listed first, since pydantic orders fields from the last base to the first."""


class OwnPattern(Section):
    """A user-defined pattern: ``count`` beeps of one tone, then a pause, repeated."""

    hz: Annotated[float, Field(ge=200, le=20000)] = Field(description="frequency of the tone, Hz")
    beep_s: PatternSeconds = Field(description="seconds of a beep")
    gap_s: PatternSeconds = Field(description="seconds between two beeps of a group")
    count: Annotated[int, Field(ge=1, le=20)] = Field(description="beeps in a group")
    pause_s: PatternSeconds = Field(description="seconds between two groups")
    tolerance: Annotated[float, Field(ge=0.02, le=0.25)] = Field(
        0.1, description="relative deviation of the lengths"
    )


class Patterns(Section):
    """Alarms and appliances that are recognised by the rhythm of their tone."""

    smoke_alarm: bool = Field(False, description="temporal-three of ISO 8201, 2.4 to 4.2 kHz or 520 Hz")
    co_alarm: bool = Field(False, description="temporal-four of UL 2034, 2.4 to 4.2 kHz or 520 Hz")
    beeps: bool = Field(False, description="a tone of any frequency that beeps regularly, as appliances do")
    own: dict[str, OwnPattern] = Field(
        default_factory=dict, description="label: {hz, beep_s, gap_s, count, pause_s, tolerance}"
    )


class Events(Section):
    profile: Literal["quiet", "sensitive"] = Field(
        "quiet", description="the card's operating point: few false alarms, or few misses"
    )
    enabled: Literal["all"] | list[str] = Field("all", description="classes of the model that make events")
    sounds: list[str] = Field(
        default_factory=list,
        description="sounds beside the classes: names that `model show` lists, or labels of AudioSet",
    )
    defaults: ClassOverride = Field(ClassOverride(), description="overrides for every class")
    classes: dict[str, ClassOverride] = Field(default_factory=dict, description="overrides by label")
    loud: Loud = Loud()
    patterns: Patterns = Patterns()


class Source(Input):
    """One of several sources: a node of its own, which is waited for as long as it is away."""

    node: str = Field(description="name of the source in topics and file names")
    events: Events = Field(Events(), description="overrides of `events` for this source alone")

    @field_validator("node")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,59}", value):
            raise ValueError("must be of a to z, 0 to 9, _ and -, and short")
        return value

    @field_validator("source")
    @classmethod
    def _not_standard_input(cls, value: str) -> str:
        if value == "-":
            raise ValueError("must be microphone or a URL; standard input needs a monitor of its own")
        return value


def check_sources(sources: Sequence[Source]) -> None:
    """Raise ValueError if two sources have one name."""
    names = [source.node for source in sources]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two sources have the node {twice}; rename one")
