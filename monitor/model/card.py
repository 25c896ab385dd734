"""The card: what a model is, in one validated JSON document inside its package."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from monitor.features.spec import FrontEndSpec, Frozen
from monitor.settings import ClassSettings

CARD_SCHEMA = 1

ProfileName = Literal["quiet", "sensitive"]


class ClassCard(Frozen):
    """One label's facts: the shortest sound it must catch, and its settings per profile."""

    shortest_s: PositiveFloat
    profiles: dict[ProfileName, ClassSettings]

    @model_validator(mode="after")
    def _has_default(self) -> ClassCard:
        if "quiet" not in self.profiles:
            raise ValueError("profiles needs `quiet`, the default")
        return self


class RejectRule(Frozen):
    """A window in which a negative label scores at least this counts as nothing for all classes."""

    negative_over: Annotated[float, Field(ge=0.0, le=1.0)]


class Quality(Frozen):
    """One measured figure with everything needed to print it again.

    ``recipe_cv`` marks figures of the recipe, cross-validated: the shipped weights
    themselves saw those folds.
    """

    measure: str
    value: float
    data: str
    fold: str
    seed: int
    command: str
    recipe_cv: bool = False


class Card(Frozen):
    """Everything the daemon must know about a model; written by training, read-only here.

    Lengths are samples at ``sample_rate``. ``window`` is what one inference sees, ``hop``
    how far it moves. ``warmup`` says what fills the window's missing past at the start of
    a stream: ``repeat`` tiles what has been heard so far, ``silence`` is the front end of
    zeros. ``state`` is the number of values that a streaming model carries from hop to
    hop; such a model is given the new frames alone, and ``window`` is what one set of
    outputs depends on.
    """

    schema_version: Literal[1] = Field(alias="schema")
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    version: str
    created: str
    licence: str
    data_licences: tuple[str, ...]
    sample_rate: PositiveInt
    window: PositiveInt
    hop: PositiveInt
    front_end: FrontEndSpec
    output: Literal["logits", "sigmoid", "softmax"]
    temperature: PositiveFloat = 1.0
    classes: dict[str, ClassCard]
    negative_labels: tuple[str, ...] = ()
    reject: RejectRule | None = None
    warmup: Literal["repeat", "silence"] = "repeat"
    state: PositiveInt | None = None
    quality: tuple[Quality, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Card:
        if self.hop > self.window:
            raise ValueError(f"hop {self.hop} is longer than window {self.window}: sound would be skipped")
        front_end = self.front_end
        if front_end.kind == "log-mel":
            if self.hop % front_end.hop:
                raise ValueError(f"hop {self.hop} is no multiple of the front end's hop {front_end.hop}")
            if self.window != front_end.frames * front_end.hop:
                raise ValueError(
                    f"window {self.window} is not frames × hop of the front end "
                    f"({front_end.frames} × {front_end.hop})"
                )
        if self.state is not None and (front_end.kind != "log-mel" or self.warmup != "silence"):
            raise ValueError(
                f"front_end is {front_end.kind} and warmup {self.warmup}; a model with a state takes the new "
                "frames of a log-mel front end, and begins with silence"
            )
        both = set(self.classes) & set(self.negative_labels)
        if both:
            raise ValueError(f"{sorted(both)} stand both in classes and in negative_labels")
        if self.reject is not None and not self.negative_labels:
            raise ValueError("a reject rule needs negative_labels")
        return self
