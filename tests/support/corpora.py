"""Miniature corpora in the official layouts: short tones and noises that a small net can tell apart.

Sounds of a class share a pitch and a shape, recordings differ in detuning and noise, and slices
of one recording are nearly alike, as in the real corpora. Everything is seeded.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import soundfile

CLASS_IDS = {
    "air_conditioner": 0,
    "car_horn": 1,
    "children_playing": 2,
    "dog_bark": 3,
    "drilling": 4,
    "engine_idling": 5,
    "gun_shot": 6,
    "jackhammer": 7,
    "siren": 8,
    "street_music": 9,
}
ESC_CLASSES = {"dog": 0, "rain": 10, "siren": 42}
ALL_FOLDS = tuple(range(1, 11))
FEW_CLASSES = ("dog_bark", "gun_shot", "siren")
URBAN_COLUMNS = ("slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class")


def sound(kind: int, recording: int, take: int, seconds: float, rate: int) -> np.ndarray:
    """Return a sound of class ``kind``: a pulsed tone of its own pitch over noise, float32, peak < 1."""
    of_recording = np.random.default_rng((kind, recording))
    detuned = 1.0 + 0.02 * of_recording.standard_normal()
    rng = np.random.default_rng((kind, recording, take))
    time = np.arange(round(seconds * rate)) / rate
    pitch = 250.0 * 1.35**kind * detuned
    pulses = 0.5 + 0.5 * np.sin(2 * np.pi * (2.0 + kind) * time)
    tone = np.sin(2 * np.pi * pitch * time) * pulses
    noise = rng.standard_normal(len(time))
    return (0.4 * tone + 0.02 * noise).astype(np.float32)


def write_urbansound8k(
    root: Path, *, folds: Iterable[int] = ALL_FOLDS, classes: Sequence[str] = FEW_CLASSES,
    recordings: int = 2, slices: int = 2, seconds: Sequence[float] = (0.25, 0.6, 1.0),
    rate: int = 22_050, suffix: str = ".wav",
) -> Path:  # fmt: skip
    """Write ``root/UrbanSound8K`` and return it: the table names all ten folds, files are in ``folds``.

    Each fold has ``recordings`` of every class, each with ``slices`` clips; lengths go round
    ``seconds``; every third clip is in the background (salience 2).
    """
    home = root / "UrbanSound8K"
    present = set(folds)
    rows = []
    for fold in ALL_FOLDS:
        for label in classes:
            for number in range(recordings):
                recording = 1000 * fold + 10 * CLASS_IDS[label] + number
                rows += _slices(home, fold, label, recording, slices, seconds, rate, suffix, fold in present)
    _table(home / "metadata" / "UrbanSound8K.csv", URBAN_COLUMNS, rows)
    return home


def _slices(
    home: Path, fold: int, label: str, recording: int, slices: int, seconds: Sequence[float],
    rate: int, suffix: str, present: bool,
) -> list[tuple[object, ...]]:  # fmt: skip
    rows = []
    for take in range(slices):
        length = seconds[(recording + take) % len(seconds)]
        stem = f"{recording}-{CLASS_IDS[label]}-0-{take}"
        salience = 2 if (recording + take) % 3 == 0 else 1
        start = take * 4.0
        row = (f"{stem}.wav", recording, start, start + length, salience, fold, CLASS_IDS[label], label)
        rows.append(row)
        if present:
            samples = sound(CLASS_IDS[label], recording, take, length, rate)
            _write(home / "audio" / f"fold{fold}" / f"{stem}{suffix}", samples, rate)
    return rows


def write_esc50(root: Path, *, folds: Iterable[int] = range(1, 6), seconds: float = 1.0) -> Path:
    """Write ``root/ESC-50`` and return it: a clip of each of three classes in every fold, 44.1 kHz."""
    home = root / "ESC-50"
    rows = []
    for fold in folds:
        for label, target in ESC_CLASSES.items():
            recording = 90_000 + 100 * fold + target
            name = f"{fold}-{recording}-A-{target}.wav"
            rows.append((name, fold, target, label, label != "siren", recording, "A"))
            _write(home / "audio" / name, sound(target % 10, recording, 0, seconds, 44_100), 44_100)
    columns = ("filename", "fold", "target", "category", "esc10", "src_file", "take")
    _table(home / "meta" / "esc50.csv", columns, rows)
    return home


def write_backgrounds(root: Path, *, kinds: Sequence[str] = ("street", "rain"), seconds: float = 3.0) -> Path:
    """Write ``root/background/<kind>/`` with three files of coloured noise each and return the folder."""
    for place, kind in enumerate(kinds):
        for number in range(3):
            rng = np.random.default_rng((place, number))
            white = rng.standard_normal(round(seconds * 16_000))
            coloured = np.convolve(white, 0.9 ** (place + np.arange(20)), mode="same")
            samples = (0.05 * coloured / coloured.std()).astype(np.float32)
            _write(root / "background" / kind / f"{kind}{number}.wav", samples, 16_000)
    return root / "background"


def write_corpora(
    root: Path, *, folds: Iterable[int] = ALL_FOLDS, classes: Sequence[str] = FEW_CLASSES
) -> Path:
    """Write all three corpora under ``root`` and return it: a data folder as ``--data`` takes it."""
    write_urbansound8k(root, folds=folds, classes=classes)
    write_esc50(root)
    write_backgrounds(root)
    return root


def _write(path: Path, samples: np.ndarray, rate: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)


def _table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(columns)
        writer.writerows(rows)
