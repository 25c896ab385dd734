"""The pseudo-class ``loud``: any sound whose A-weighted level (time weighting F) is far above L90."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitor.settings import ClassSettings, LevelDbfs, Seconds

LOUD = "loud"
"""Label of the pseudo-class in decisions and records."""

RANGE_DB = 40.0
"""Level over L90 that scores 1."""

Decibels = Annotated[float, Field(ge=0.0, le=RANGE_DB)]


TimeOfDay = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class LoudHours(BaseModel):
    """Other thresholds of ``loud`` at some hours of the day; null keeps the one of all day."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    start: TimeOfDay = Field(alias="from", description="local time HH:MM, in quotes")
    end: TimeOfDay = Field(alias="to", description="local time HH:MM, in quotes; may be on the next day")
    enter_db: Annotated[Decibels, Field(gt=0.0)] | None = None
    exit_db: Decibels | None = None
    min_level_dbfs: LevelDbfs | None = None

    def covers(self, time_of_day_s: float) -> bool:
        """Return whether a local time, in seconds since midnight, lies in these hours.

        Equal ends mean the whole day.
        """
        start, end = (60.0 * (60 * int(text[:2]) + int(text[3:])) for text in (self.start, self.end))
        if start < end:
            return start <= time_of_day_s < end
        return time_of_day_s >= start or time_of_day_s < end


class LoudSettings(BaseModel):
    """Hysteresis and timing of ``loud``, with thresholds in dB over L90.

    It runs on the same state machine as every class. Its score, threshold and means in records
    are dB over L90 divided by 40 and clipped to 0 … 1, so that 20 dB score 0.5.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    enter_db: Annotated[Decibels, Field(gt=0.0)] = Field(20.0, description="dB over L90 to switch on")
    exit_db: Decibels = Field(10.0, description="dB over L90 below which it may switch off")
    attack_s: Seconds = 0.0
    release_s: Seconds = 1.0
    min_duration_s: Seconds = 0.0
    cooldown_s: Seconds = 0.0
    min_level_dbfs: LevelDbfs = Field(-60.0, description="level LAF below which it cannot switch on")
    hours: list[LoudHours] = Field(
        default_factory=list,
        description="other thresholds by local time; the first entry that covers it counts",
    )

    @model_validator(mode="after")
    def _hysteresis(self) -> LoudSettings:
        for settings in (self, *(self._with(hours) for hours in self.hours)):
            if settings.exit_db > settings.enter_db:
                raise ValueError(
                    f"exit_db {settings.exit_db:g} is above enter_db {settings.enter_db:g}; it must not be"
                )
        return self

    def at(self, time_of_day_s: float) -> LoudSettings:
        """Return the settings in force at a local time, seconds since midnight."""
        return next((self._with(hours) for hours in self.hours if hours.covers(time_of_day_s)), self)

    def _with(self, hours: LoudHours) -> LoudSettings:
        names = ("enter_db", "exit_db", "min_level_dbfs")
        changes = {name: getattr(hours, name) for name in names if getattr(hours, name) is not None}
        return self.model_copy(update={**changes, "hours": []})

    def as_class(self) -> ClassSettings:
        """Return the equivalent class settings."""
        return ClassSettings(
            enter=loud_score(self.enter_db),
            exit=loud_score(self.exit_db),
            **self.model_dump(include=set(LoudSettings.model_fields) - {"enter_db", "exit_db", "hours"}),
        )


def loud_score(over_l90_db: float) -> float:
    """Return the score, 0 … 1, of a level in dB over L90."""
    return min(1.0, max(0.0, over_l90_db / RANGE_DB))
