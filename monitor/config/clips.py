"""The section ``clips`` of the config."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from monitor.config.base import Section, without_tilde

RollSeconds = Annotated[float, Field(ge=0, le=60)]


class Clips(Section):
    """Recordings of events; read docs/clips.md on what the law may say first."""

    enabled: bool = Field(False, description="run keeps a recording of each event; see docs/clips.md first")
    path: str | None = Field(None, description="folder; null = clips, beside the history")
    labels: Literal["all"] | list[str] = Field("all", description="events that are recorded")
    pre_roll_s: RollSeconds = Field(5.0, description="seconds before the onset")
    post_roll_s: RollSeconds = Field(5.0, description="seconds after the end")
    longest_s: Annotated[float, Field(ge=1, le=300)] = Field(
        60.0, description="seconds of a clip at most; a longer event keeps its beginning"
    )
    skip_speech: bool = Field(True, description="keep no clip in which the model detects speech")
    days: Annotated[float, Field(gt=0, le=36500)] = Field(7.0, description="days that a clip is kept")
    per_class: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        100, description="clips of a class; beyond, its oldest go"
    )
    max_mb: Annotated[float, Field(ge=1, le=1_000_000)] = Field(
        500.0, description="size of all clips, MB; beyond, the oldest go"
    )

    @model_validator(mode="after")
    def _fits(self) -> Clips:
        if self.longest_s <= self.pre_roll_s + self.post_roll_s:
            raise ValueError("longest_s must be more than pre_roll_s and post_roll_s together")
        return self

    def folder(self, history: Path) -> Path:
        """Return the folder of the clips, given the path of the history."""
        return history.parent / "clips" if self.path is None else without_tilde(self.path, "clips.path")
