"""The forms of the free package, whose network nobody trained on the recordings at hand."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monitor.features.spec import KaldiLogMelSpec
from monitor.model.card import MultiHeadCard, ProfileName
from monitor.model.load import ThirdParty, load_model
from monitor.model.package import ModelPackage, read_package, write_package
from training.base.arrays import Floats
from training.base.maths import logistic
from training.base.progress import Progress
from training.data.splits import rank
from training.errors import DataError
from training.export.conversion import Weights
from training.networks import mn04
from training.recipes.forms.figures import FormFigures, UnitCounts, by_unit, paired
from training.recipes.forms.make import NAMES, Converted, convert_all, form_figures, windows_of
from training.recipes.sounds.alarms import ENTERS, Counts
from training.recipes.sounds.figures import Judge
from training.recipes.sounds.groups import CLASSES
from training.recipes.sounds.material import SoundMaterial
from training.recipes.sounds.scores import Recorded, SoundRows, score_all

PROFILES: tuple[ProfileName, ...] = ("quiet", "sensitive")


@dataclass(frozen=True)
class _Rows:
    """Rows of clips, and of backgrounds on which no threshold was fitted."""

    clips: tuple[SoundRows, ...]
    backgrounds: tuple[SoundRows, ...]


def measure_free(
    package: Path, data: Path, material: SoundMaterial, cache: Path, other: Path | None, report: Progress
) -> tuple[list[FormFigures], float]:
    """Return the forms with the thresholds of a package, and :attr:`Converted.rounded_input`.

    Free recordings, on which its thresholds were fitted, calibrate int8; clips of UrbanSound8K and the other
    backgrounds are for evaluation.

    Raises
    ------
    DataError
        If the package is not one of :func:`training.recipes.free.make_free`.
    """
    made = read_package(package)
    card = made.card
    if not isinstance(card, MultiHeadCard) or not isinstance(card.front_end, KaldiLogMelSpec):
        raise DataError(f"{package}: is not the free package")
    network = mn04.build(card.front_end.frames, 1)
    mn04.load_weights(network, data / "mn04" / "mn04_as.npz")
    hop_frames = card.hop // card.front_end.hop
    examples, windows = (
        windows_of([one.path for one in recordings], card.front_end, hop_frames)
        for recordings in ((*material.free, *material.esc_10), (*material.urban, *material.others))
    )
    converted = convert_all(network, NAMES, examples, windows, other, report)
    rows = {}
    for form, flatbuffer in converted.flatbuffers.items():
        report(f"free package: scoring with {form}")
        rows[form] = _scored(made, card, flatbuffer, material, cache)
    return _figures(converted, rows, made, card), converted.rounded_input


def _scored(
    made: ModelPackage, card: MultiHeadCard, flatbuffer: bytes, material: SoundMaterial, cache: Path
) -> _Rows:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "form.tflite")
        write_package(path, flatbuffer, made.labels, card, made.sounds)
        model = load_model(path, ThirdParty())
    return _Rows(
        score_all(model, _third(material.urban), cache, lambda done: None),
        score_all(model, _third(material.others), cache, lambda done: None),
    )


def _third(recordings: Sequence[Recorded]) -> list[Recorded]:
    """Return every third source's recordings, in an order hashed from the names."""
    kept = set(sorted({one.source for one in recordings}, key=rank)[::3])
    return [one for one in recordings if one.source in kept]


def _figures(
    converted: Converted, rows: Mapping[Weights, _Rows], made: ModelPackage, card: MultiHeadCard
) -> list[FormFigures]:
    judge = Judge(CLASSES, made.sounds)
    counts = {form: _counts(judge, one, card) for form, one in rows.items()}
    logits = {form: _class_logits(judge, (*one.clips, *one.backgrounds)) for form, one in rows.items()}
    first, plain = counts["float32"], np.concatenate(logits["float32"])
    figures, changes = {}, {}
    for form, one in counts.items():
        figures[form] = {
            name: paired(of, first[name], name.startswith("false alarms")) for name, of in one.items()
        }
        moved = np.abs(logistic(np.concatenate(logits[form])) - logistic(plain))
        changes[form] = (float(moved.mean()), float(moved.max()))
    return form_figures(converted, figures, changes)


def _counts(judge: Judge, rows: _Rows, card: MultiHeadCard) -> dict[str, UnitCounts]:
    labels = list(judge.groups)
    truth = np.array([labels.index(clip.kind) for clip in rows.clips])
    guess = np.array([one.mean(axis=0).argmax() for one in _class_logits(judge, rows.clips)])
    sources = [clip.source for clip in rows.clips]
    found = {"clip accuracy": by_unit(guess == truth, np.ones(len(truth)), sources)}
    raised, alarms = judge.alerts(rows.clips), judge.false_alarms(rows.backgrounds)
    hours = [background.seconds / 3600 for background in rows.backgrounds]
    names = [background.source for background in rows.backgrounds]
    for profile in PROFILES:
        levels = {label: _level(card.classes[label].profiles[profile].enter) for label in labels}
        own = [raised[labels[t]][levels[labels[t]], number] > 0 for number, t in enumerate(truth)]
        found[f"clips reported, {profile}"] = by_unit(own, np.ones(len(truth)), sources)
        total: Counts = np.sum([alarms[label][level] for label, level in levels.items()], axis=0)
        found[f"false alarms an hour, {profile}"] = by_unit(total, hours, names)
    return found


def _level(enter: float) -> int:
    return int(np.abs(np.array(ENTERS) - enter).argmin())


def _class_logits(judge: Judge, recordings: Sequence[SoundRows]) -> list[Floats]:
    """Return each recording's highest logit of each class's labels, shape (rows, classes)."""
    columns = [[judge.labels.index(label) for label in group.labels] for group in judge.groups.values()]
    return [
        np.stack([one.logits[:, of].astype(np.float32).max(axis=1) for of in columns], axis=1)
        for one in recordings
    ]
