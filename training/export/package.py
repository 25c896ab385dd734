"""The card of a trained model, and its package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.features.spec import LogMelSpec, Normalisation
from monitor.model.card import Card, ClassCard, Quality
from monitor.settings import ClassSettings
from training.data.audio import RATE
from training.data.corpora import BACKGROUND, CLASSES
from training.fit.windows import Scaling

NAME = "urban-sounds"
LICENCE = (
    "CC BY-NC 3.0: the weights were trained on UrbanSound8K and ESC-50, "
    "whose licences allow non-commercial use only"
)
DATA_LICENCES = (
    "UrbanSound8K (Salamon, Jacoby, Bello 2014): CC BY-NC 3.0",
    "ESC-50 (Piczak 2015): CC BY-NC 3.0; its subset ESC-10: CC BY 3.0",
    "backgrounds: Moodist (CC0, Pixabay Content License), Blanket (CC0, public domain, CC BY, CC Sampling "
    "Plus), spoken words of Hedgewars and Tux Paint (GFDL, GPL); by file in docs/results/default/manifest",
)


@dataclass(frozen=True)
class Identity:
    """Name, version and licence of a model."""

    name: str
    licence: str
    data_licences: tuple[str, ...]


TRUNK_LICENCES = (
    "trunk: mn04_as of EfficientAT (Schmid, Koutini, Widmer 2023), trained on AudioSet: MIT",
    "sounds that nobody labelled: of Debian's game and music packages, under the licences of the packages "
    "(GPL, GFDL, CC BY-SA, CC0 and others)",
    "further backgrounds: noice, Ambie and other open-source ambience apps (Freesound and Pixabay sources, "
    "CC0, CC BY, Pixabay Content License)",
)
TRANSFER = Identity(NAME, LICENCE, (*TRUNK_LICENCES, *DATA_LICENCES))


@dataclass(frozen=True)
class Facts:
    """Results of training besides the weights."""

    version: str
    created: str
    temperature: float
    classes: Mapping[str, ClassCard]
    quality: Sequence[Quality]


def undecided(classes: Sequence[str] = CLASSES) -> Facts:
    """Return the facts of a model without fitted thresholds: temperature 1, default settings."""
    card = ClassCard(shortest_s=1.0, profiles={"quiet": ClassSettings()})
    return Facts("0", "", 1.0, dict.fromkeys(classes, card), ())


def make_card(spec: LogMelSpec, scaling: Scaling, facts: Facts, hop: int, identity: Identity) -> Card:
    """Return the card of a model with a hop of ``hop`` samples; see :class:`monitor.model.card.Card`."""
    return Card(
        schema=1,
        name=identity.name,
        version=facts.version,
        created=facts.created,
        licence=identity.licence,
        data_licences=identity.data_licences,
        sample_rate=RATE,
        window=spec.frames * spec.hop,
        hop=hop,
        front_end=normalised(spec, scaling),
        output="logits",
        temperature=facts.temperature,
        classes=dict(facts.classes),
        negative_labels=(BACKGROUND,),
        quality=tuple(facts.quality),
    )


def normalised(spec: LogMelSpec, scaling: Scaling) -> LogMelSpec:
    """Return the front end with the normalisation of training."""
    mean = tuple(float(value) for value in scaling.mean)
    return spec.model_copy(update={"normalisation": Normalisation(mean=mean, std=(scaling.std,))})
