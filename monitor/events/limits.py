"""The settings of a class in the form its state machine uses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.settings import ClassSettings


@dataclass(frozen=True, slots=True)
class Limits:
    """:class:`ClassSettings` with times in samples and thresholds as float32, like the model's scores.

    A score printed as 0.7 is a float32 slightly below 0.7; rounding the thresholds the same way keeps
    "at or above" true at equality.
    """

    enter: float
    exit: float
    min_level_dbfs: float
    attack: int
    release: int
    smoothing: int
    min_duration: int
    cooldown: int
    onset_shift: int
    rise: int
    offset_shift: int

    @classmethod
    def of(cls, settings: ClassSettings, rate: int) -> Limits:
        return cls(
            enter=float(np.float32(settings.enter)),
            exit=float(np.float32(settings.exit)),
            min_level_dbfs=settings.min_level_dbfs,
            attack=round(settings.attack_s * rate),
            release=round(settings.release_s * rate),
            smoothing=round(settings.smoothing_s * rate),
            min_duration=round(settings.min_duration_s * rate),
            cooldown=round(settings.cooldown_s * rate),
            onset_shift=round(settings.onset_shift_s * rate),
            rise=round(settings.rise_s * rate),
            offset_shift=round(settings.offset_shift_s * rate),
        )
