"""The pseudo-class ``loud``: any sound that stands far over the background."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitor.settings import ClassSettings, LevelDbfs, Seconds

LOUD = "loud"
"""Label of the pseudo-class in decisions and records."""

RANGE_DB = 40.0
"""Level over background that scores 1."""

Decibels = Annotated[float, Field(ge=0.0, le=RANGE_DB)]


class LoudSettings(BaseModel):
    """Hysteresis and timing of ``loud``, with thresholds in dB over the background.

    It runs on the same state machine as every class. Its score, threshold and means in records
    are dB over the background divided by 40 and clipped to 0 … 1, so that 20 dB score 0.5.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    enter_db: Annotated[Decibels, Field(gt=0.0)] = Field(20.0, description="dB over background to switch on")
    exit_db: Decibels = Field(10.0, description="dB below which it may switch off")
    attack_s: Seconds = 0.0
    release_s: Seconds = 1.0
    min_duration_s: Seconds = 0.0
    cooldown_s: Seconds = 0.0
    min_level_dbfs: LevelDbfs = -60.0

    @model_validator(mode="after")
    def _hysteresis(self) -> LoudSettings:
        if self.exit_db > self.enter_db:
            raise ValueError(f"exit_db {self.exit_db:g} is above enter_db {self.enter_db:g}; it must not be")
        return self

    def as_class(self) -> ClassSettings:
        """The same in the terms of a class."""
        return ClassSettings(
            enter=loud_score(self.enter_db),
            exit=loud_score(self.exit_db),
            **self.model_dump(include=set(LoudSettings.model_fields) - {"enter_db", "exit_db"}),
        )


def loud_score(over_background_db: float) -> float:
    """Return the score of a level over background, 0 … 1."""
    return min(1.0, max(0.0, over_background_db / RANGE_DB))
