"""The card: the description of a model, one validated JSON document inside its package.

Schema 1 describes a model with one output. Schema 2 (:class:`MultiHeadCard`) describes a model with
several outputs per inference, and the sounds it can report in addition to the classes.
docs/models.md explains every key.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from monitor.features.spec import FrontEndSpec, Frozen, MelSpec
from monitor.settings import ClassSettings

ProfileName = Literal["quiet", "sensitive"]


class ClassCard(Frozen):
    """Properties of one label: the shortest sound it must detect, and its settings per profile."""

    shortest_s: PositiveFloat
    profiles: dict[ProfileName, ClassSettings]

    @model_validator(mode="after")
    def _has_default(self) -> ClassCard:
        if "quiet" not in self.profiles:
            raise ValueError("profiles needs `quiet`, the default")
        return self


class RejectRule(Frozen):
    """A window in which a negative label scores at least this much counts as none of the classes."""

    negative_over: Annotated[float, Field(ge=0.0, le=1.0)]


class Quality(Frozen):
    """One measured figure with everything needed to report it.

    ``recipe_cv`` marks cross-validated figures of the recipe: the shipped weights were trained on
    those folds.
    """

    measure: str
    value: float
    data: str
    fold: str
    seed: int
    command: str
    recipe_cv: bool = False


class Document(Frozen):
    """A JSON document that states its schema."""

    SCHEMA: ClassVar[int] = 1

    schema_version: int = Field(alias="schema")

    @field_validator("schema_version")
    @classmethod
    def _of_this_schema(cls, value: int) -> int:
        if value != cls.SCHEMA:
            raise ValueError(f"must be {cls.SCHEMA}")
        return value


class Card(Document):
    """Everything the daemon needs to know about a model; written by training, read-only here.

    Lengths are samples at ``sample_rate``. ``window`` is the length of audio that one inference covers,
    ``hop`` the distance between inferences. ``warmup`` defines how the missing past of the window is
    filled at the start of a stream: ``repeat`` tiles the audio received so far, ``silence`` uses the front
    end's output for zeros. ``state`` is the number of values that a streaming model carries from hop to
    hop; such a model is given only the new frames, and ``window`` is the length of audio that one set of
    outputs depends on. ``model_sha256`` is the checksum of the flatbuffer, which :func:`write_package` sets;
    earlier packages have none.
    """

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
    model_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"

    @model_validator(mode="after")
    def _consistent(self) -> Card:
        if self.hop > self.window:
            raise ValueError(f"hop {self.hop} is longer than window {self.window}: sound would be skipped")
        front_end = self.front_end
        if front_end.kind == "kaldi-log-mel" and self.SCHEMA == 1:
            raise ValueError("front_end kaldi-log-mel needs a card of schema 2")
        if isinstance(front_end, MelSpec):
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


class Outputs(Frozen):
    """Number of values of each output of a model; outputs are identified by size, so sizes must differ.

    Attributes
    ----------
    classes
        Logits of the labels in labels.txt; None if every class is scored by its support alone.
    sounds
        Logits of the labels in sounds.txt.
    embedding
        Input of linear heads.
    """

    classes: PositiveInt | None = None
    sounds: PositiveInt | None = None
    embedding: PositiveInt | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Return the sizes of the existing outputs in the order classes, sounds, embedding."""
        return tuple(size for size in (self.classes, self.sounds, self.embedding) if size is not None)

    @model_validator(mode="after")
    def _apart(self) -> Outputs:
        if self.classes is None and self.sounds is None:
            raise ValueError("classes or sounds must be given")
        if len(set(self.sizes)) != len(self.sizes):
            raise ValueError(f"sizes {list(self.sizes)} must differ: outputs are told apart by them")
        return self


class Support(Frozen):
    """How the ``sounds`` output contributes to the score of a class.

    Its logit is ``head · classes[class] + weight · max(sounds[labels]) + bias``.
    """

    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    head: float = 1.0
    weight: float = 1.0
    bias: float = 0.0


class SoundCard(ClassCard):
    """A curated sound: its settings, and labels of the ``sounds`` output, the highest of which is used."""

    labels: Annotated[tuple[str, ...], Field(min_length=1)]


OTHER_SOUNDS = ClassCard(
    shortest_s=1.0,
    profiles={
        "quiet": ClassSettings(enter=0.5, exit=0.3),
        "sensitive": ClassSettings(enter=0.3, exit=0.2),
    },
)
"""Settings of a sound that no card says more of."""


class MultiHeadCard(Card):
    """The card of a model with several outputs per inference (schema 2).

    ``support`` is keyed by class. ``sounds`` holds curated sounds by name; they are reported only if the
    configuration asks for them. ``other_sounds`` applies to any other label of the ``sounds`` output that
    the configuration names.
    """

    SCHEMA: ClassVar[int] = 2

    outputs: Outputs
    support: dict[str, Support] = Field(default_factory=dict)
    sounds: dict[str, SoundCard] = Field(default_factory=dict)
    other_sounds: ClassCard = OTHER_SOUNDS

    @model_validator(mode="after")
    def _heads_fit(self) -> MultiHeadCard:
        if self.output != "logits":
            raise ValueError(f"output is {self.output}; a card of schema 2 describes logits")
        if self.state is not None:
            raise ValueError("a card of schema 2 describes a model of windows, without a state")
        if self.outputs.sounds is None and (self.support or self.sounds):
            raise ValueError("support and sounds need outputs.sounds")
        unknown = set(self.support) - set(self.classes) - set(self.negative_labels)
        if unknown:
            raise ValueError(f"support names {sorted(unknown)}, which are no labels of the card")
        both = set(self.sounds) & {*self.classes, *self.negative_labels}
        if both:
            raise ValueError(f"{sorted(both)} stand both in sounds and among the labels")
        if self.outputs.classes is None:
            self._check_without_head()
        return self

    def _check_without_head(self) -> None:
        alone = {*self.classes, *self.negative_labels} - set(self.support)
        if alone:
            raise ValueError(f"without outputs.classes {sorted(alone)} need a support")
        with_head = [label for label, support in self.support.items() if support.head]
        if with_head:
            raise ValueError(f"without outputs.classes the support of {with_head} must have head 0")


CARDS: dict[object, type[Card]] = {kind.SCHEMA: kind for kind in (Card, MultiHeadCard)}
"""The card of each schema that this version reads."""
