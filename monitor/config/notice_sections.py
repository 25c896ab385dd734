"""The section ``notices`` of the config."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from monitor.config.base import Section
from monitor.events.notices import check_hours

QuietHours = Annotated[str, AfterValidator(check_hours)]


class NoticePolicy(Section):
    """When an event is worth a notice; null keeps what ``notices`` says for all."""

    quiet_hours: QuietHours | None = Field(
        None, description="22:00-07:00 on this machine's clock, dark, or off"
    )
    interval_s: Annotated[float, Field(ge=0, le=604800)] = Field(
        0.0, description="seconds between two notices, at least"
    )
    per_day: Annotated[int, Field(ge=0, le=10000)] = Field(
        0, description="notices a day, at most; 0 = no limit"
    )
    count: Annotated[int, Field(ge=1, le=1000)] = Field(1, description="so many events within within_s")
    within_s: Annotated[float, Field(gt=0, le=86400)] = 300.0
    min_duration_s: Annotated[float, Field(ge=0, le=86400)] = Field(
        0.0, description="shorter events make no notice; the notice then comes with the end"
    )


class NoticeGroup(NoticePolicy):
    labels: Annotated[list[str], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _labels_alone(cls, values: Any) -> Any:
        return {"labels": values} if isinstance(values, list) else values


class Push(Section):
    urls: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=list,
        description="addresses as Apprise writes them (extra: notify); prefer ${ENV}",
        repr=False,
    )
    title: str = Field("$label at $node", description="template; also $start, $duration_s, $score")
    body: str = Field("$level_dbfs dBFS, $over_background_db dB over background", description="template")


class Notices(Section):
    quiet_hours: QuietHours = Field(
        "off", description="22:00-07:00 on this machine's clock, dark (from sunset to sunrise), or off"
    )
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = Field(
        None, description="degrees north, for dark"
    )
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = Field(None, description="degrees east")
    classes: dict[str, NoticePolicy] = Field(default_factory=dict, description="by label")
    groups: dict[str, NoticeGroup] = Field(
        default_factory=dict, description="labels that share one policy, topic and entity"
    )
    push: Push = Push()

    @model_validator(mode="after")
    def _fits(self) -> Notices:
        policies = (*self.classes.values(), *self.groups.values())
        dark = "dark" in {self.quiet_hours, *(one.quiet_hours for one in policies)}
        if dark and (self.latitude is None or self.longitude is None):
            raise ValueError("quiet_hours: dark needs latitude and longitude")
        grouped = [label for group in self.groups.values() for label in group.labels]
        for label in grouped:
            if grouped.count(label) > 1 or label in self.classes:
                raise ValueError(f"{label} is in more than one of classes and groups; leave it in one")
        return self
