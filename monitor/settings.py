"""Settings that turn a class's scores into events; set by the card, overridden by the config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Score = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(ge=0.0, le=3600.0)]
MqttVersion = Literal["3.1.1", "5"]
LevelDbfs = Annotated[float, Field(ge=-120.0, le=0.0)]
ShiftSeconds = Annotated[float, Field(ge=-60.0, le=60.0)]
RiseSeconds = Annotated[float, Field(ge=0.0, le=60.0)]

NEVER = 1.0
"""``enter`` of a class that is never reported: a score reaches it only by rounding."""


class ClassSettings(BaseModel):
    """Hysteresis and timing of one class.

    A class switches on when its smoothed score stays at or above ``enter`` for
    ``attack_s``, and off when it stays below ``exit`` for ``release_s``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    enter: Score = Field(0.5, description="smoothed score at or above which the class may switch on, 0…1")
    exit: Score = Field(0.3, description="smoothed score below which it may switch off, 0…1, ≤ enter")
    attack_s: Seconds = Field(0.0, description="seconds the score must hold `enter`; 0 = the first window")
    release_s: Seconds = Field(
        1.0, description="seconds the score must stay below `exit`; shorter gaps are bridged"
    )
    smoothing_s: Seconds = Field(0.0, description="seconds of trailing mean over the scores; 0 = none")
    min_duration_s: Seconds = Field(0.0, description="minimum duration of an event, seconds")
    cooldown_s: Seconds = Field(0.0, description="seconds after an end before the class may switch on again")
    min_level_dbfs: LevelDbfs = Field(
        -120.0, description="level below which a hop cannot switch the class on, dBFS"
    )
    onset_shift_s: ShiftSeconds = Field(
        0.0, description="seconds from the true onset to the end of the first window over `enter`"
    )
    rise_s: RiseSeconds = Field(
        0.0,
        description=(
            "seconds before that window in which the score may start to rise: the onset is then dated from "
            "within the rise; 0 = dated from the window"
        ),
    )
    offset_shift_s: ShiftSeconds = Field(
        0.0, description="seconds from the true end to the end of the first window below `exit`"
    )

    @model_validator(mode="after")
    def _hysteresis(self) -> ClassSettings:
        if self.exit > self.enter:
            raise ValueError(f"exit {self.exit:g} is above enter {self.enter:g}; it must be at or below it")
        return self


def silent(classes: Mapping[str, ClassSettings]) -> list[str]:
    """Return the labels that are never reported."""
    return [label for label, settings in classes.items() if settings.enter >= NEVER]
