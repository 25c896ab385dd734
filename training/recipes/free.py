"""A package for any use: unmodified mn04, thresholds from freely licensed recordings only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from monitor.features.logmel import matrix_sha256, mel_matrix
from monitor.features.spec import KaldiLogMelSpec, Normalisation
from monitor.model.card import ClassCard, MultiHeadCard, Outputs, ProfileName, Quality, SoundCard, Support
from monitor.model.load import LoadedModel, ThirdParty, load_model
from monitor.model.package import write_package
from monitor.model.runtime import Runtime
from monitor.settings import ClassSettings
from training.base.progress import Tick
from training.errors import ExportError
from training.export.conversion import to_tflite
from training.networks import mn04
from training.recipes.sounds.figures import Judge, SoundsReport, held_out_report, other_report
from training.recipes.sounds.fit import BUDGETS, AlarmBudget, class_cards, hours_of, levels_of, sound_cards
from training.recipes.sounds.groups import CLASSES, SOUNDS
from training.recipes.sounds.material import CONTINUOUS, SoundMaterial
from training.recipes.sounds.page import SoundsRecord
from training.recipes.sounds.scores import SoundRows, score_all

NAME = "urban-sounds-free"
LICENCE = (
    "MIT: the weights are those of EfficientAT mn04_as (Copyright Florian Schmid), unchanged; thresholds "
    "were fitted on recordings that are CC0, CC BY or in the public domain"
)
TRUNK = (
    "EfficientAT mn04_as: Schmid, Koutini, Widmer, Efficient large-scale audio tagging via "
    "transformer-to-CNN knowledge distillation, ICASSP 2023: MIT",
    "AudioSet, on which it was trained: labels CC BY 4.0 (Google)",
    "thresholds, ESC-10 (Piczak 2015): CC BY 3.0",
)
RATE = 32_000
FRAMES, HOP = 200, 16_000
"""Frames of a window of 2 s, and samples of a hop of 0.5 s."""
FREE_BUDGETS: Mapping[ProfileName, AlarmBudget] = {
    "quiet": AlarmBudget(1.0, 0.25),
    "sensitive": AlarmBudget(10.0, 0.12),
}
"""Higher lower bounds than with hours of background, as half an hour is little evidence."""
_PARITY = 0.05
"""Largest logit difference between float16 and float32 weights."""


@dataclass(frozen=True)
class Trunk:
    """The network as TFLite, and the labels of its outputs.

    Parameters
    ----------
    parity
        Largest logit difference to the Keras model on seeded noise.
    """

    flatbuffer: bytes
    sounds: tuple[str, ...]
    parity: float


@dataclass(frozen=True)
class Thresholds:
    """Fitted thresholds: cards of the ten classes and of the curated sounds, and their figures."""

    classes: dict[str, ClassCard]
    sounds: dict[str, SoundCard]
    quality: tuple[Quality, ...] = ()


UNDECIDED = Thresholds(
    dict.fromkeys(CLASSES, ClassCard(shortest_s=1.0, profiles={"quiet": ClassSettings()})), {}
)
"""Thresholds of a package used for scoring only."""


def convert_trunk(folder: Path) -> Trunk:
    """Convert mn04 from its published tensors, with float16 weights.

    Parameters
    ----------
    folder
        Holds ``mn04_as.npz`` and ``class_labels_indices.csv``.

    Raises
    ------
    DataError
        If a file is missing or has other content.
    ExportError
        If the converted network gives other logits.
    """
    model = mn04.build(FRAMES, 1)
    mn04.load_weights(model, folder / "mn04_as.npz")
    flatbuffer = to_tflite(model, "float16")
    noise = np.random.default_rng(0).standard_normal((8, FRAMES, mn04.BANDS)).astype(np.float32)
    theirs = np.concatenate([np.asarray(model(window[None])[1]) for window in noise])
    runtime = Runtime(flatbuffer, Path("mn04"), outputs=mn04.AUDIOSET)
    parity = float(np.abs(np.stack([runtime.run(window) for window in noise]) - theirs).max())
    if not parity <= _PARITY:
        raise ExportError(
            f"the converted network differs from Keras by {parity:.3g}; logits may by {_PARITY}"
        )
    return Trunk(flatbuffer, mn04.audioset_labels(folder / "class_labels_indices.csv"), parity)


def front_end() -> KaldiLogMelSpec:
    """Return EfficientAT's front end for this package's windows."""
    spec = KaldiLogMelSpec(
        n_fft=1024,
        win_length=800,
        hop=320,
        frames=FRAMES,
        n_mels=mn04.BANDS,
        fmax=15_000.0,
        normalisation=Normalisation(mean=(-4.5,), std=(5.0,)),
    )
    return spec.model_copy(update={"matrix_sha256": matrix_sha256(mel_matrix(spec, RATE))})


def make_card(thresholds: Thresholds, version: str, data_licences: tuple[str, ...] = ()) -> MultiHeadCard:
    """Return the card; the score of a class is the maximum over its AudioSet labels."""
    return MultiHeadCard(
        schema=2,
        name=NAME,
        version=version,
        created=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        licence=LICENCE,
        data_licences=(*TRUNK, *data_licences),
        sample_rate=RATE,
        window=FRAMES * 320,
        hop=HOP,
        front_end=front_end(),
        output="logits",
        outputs=Outputs(sounds=mn04.AUDIOSET, embedding=mn04.EMBEDDING),
        support={name: Support(labels=group.labels, head=0.0) for name, group in CLASSES.items()},
        classes=thresholds.classes,
        sounds=thresholds.sounds,
        quality=thresholds.quality,
    )


def write_free(path: Path, trunk: Trunk, card: MultiHeadCard) -> None:
    """Write the package.

    Raises
    ------
    PackageError
        If the card does not fit the network.
    """
    write_package(path, trunk.flatbuffer, tuple(CLASSES), card, trunk.sounds)


def scoring_model(trunk: Trunk, folder: Path) -> LoadedModel:
    """Return the network as the daemon runs it, for scoring recordings; its package is in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "scoring.tflite"
    write_free(path, trunk, make_card(UNDECIDED, "0"))
    return load_model(path, ThirdParty())


@dataclass(frozen=True)
class _Rows:
    """Scored recordings: those of the fit, the other backgrounds, all backgrounds, and clips."""

    fitted_on: tuple[SoundRows, ...]
    others: tuple[SoundRows, ...]
    backgrounds: tuple[SoundRows, ...]
    clips: tuple[SoundRows, ...]
    urban: tuple[SoundRows, ...]


def make_free(
    trunk: Trunk, material: SoundMaterial, home: Path, version: str, command: str, out: Path, tick: Tick
) -> tuple[Path, SoundsRecord]:
    """Score, fit, check, and write the package into ``out``; return its path and the measurements.

    Parameters
    ----------
    home
        Folder of cached scores.
    """
    rows = _scored(scoring_model(trunk, home), material, home, tick)
    sounds, classes = Judge(SOUNDS, trunk.sounds), Judge(CLASSES, trunk.sounds)
    free_sounds, free_classes = (judge.fit(rows.fitted_on, FREE_BUDGETS) for judge in (sounds, classes))
    urban = other_report(classes, free_classes, rows.others, rows.urban)
    thresholds = Thresholds(
        class_cards(CLASSES, levels_of(free_classes)),
        sound_cards(SOUNDS, levels_of(free_sounds)),
        tuple(_quality(urban, command)),
    )
    card = make_card(thresholds, version, material.credits)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{NAME}.tflite"
    write_free(path, trunk, card)
    record = SoundsRecord(
        command=command,
        created=card.created,
        package=NAME,
        version=version,
        bytes=path.stat().st_size,
        parity=trunk.parity,
        fit_hours=hours_of(rows.fitted_on),
        sounds=held_out_report(sounds, sounds.fit(rows.backgrounds, BUDGETS), rows.backgrounds, rows.clips),
        free_sounds=other_report(sounds, free_sounds, rows.others, rows.clips),
        free_classes=urban,
        free_classes_esc=other_report(classes, free_classes, rows.others, rows.clips),
    )
    return path, record


def _scored(model: LoadedModel, material: SoundMaterial, home: Path, tick: Tick) -> _Rows:
    backgrounds = score_all(model, material.backgrounds, home, tick)
    clips = score_all(model, material.clips, home, tick)
    urban = score_all(model, material.urban, home, tick)
    count = len(material.free)
    esc_10 = [clip for clip in clips[: len(material.esc_10)] if clip.kind in CONTINUOUS]
    return _Rows((*backgrounds[:count], *esc_10), backgrounds[count:], backgrounds, clips, urban)


def _quality(report: SoundsReport, command: str) -> Iterator[Quality]:
    """Return the card's figures: recall on clips, and false alarms of all classes together."""
    origin = {"fold": "folds 1-3; nothing was trained", "seed": 0, "command": command}
    for profile in FREE_BUDGETS:
        figures = [one for one in report.figures if one.profile == profile]
        alarms = sum(one.alarms for one in figures) / report.hours
        yield Quality(
            measure=f"{profile}: false alarms an hour, all classes",
            value=round(alarms, 2),
            data="backgrounds that had no part in the thresholds",
            **origin,
        )
        for one in figures:
            found = one.recall.raised / max(1, one.recall.clips)
            measure = f"{profile}: clips of {one.sound} that raise it"
            yield Quality(measure=measure, value=round(found, 3), data="UrbanSound8K", **origin)
