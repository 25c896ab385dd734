"""A user's own recordings: a folder of audio files per class, and backgrounds.

``FOLDER/<class>/*.wav`` (or .flac, .ogg) are sounds of a class; ``FOLDER/background/`` holds sounds of
no class. Each file counts as one recording, unless its name gives the recording it was cut from:
``kitchen__1.wav`` and ``kitchen__2.wav``, in any class, both belong to ``kitchen``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from training.base.atomic import atomic_write
from training.base.progress import Tick
from training.data.audio import RATE, Waveform, read
from training.data.corpora import BACKGROUND, SUFFIXES, Clip, by_stem
from training.data.splits import Part
from training.data.trimming import sounding
from training.errors import DataError

CUT = "__"
"""Separator in a file's name; the part before it names the recording that the file was cut from."""
LEAST_RECORDINGS = 6
"""Per class: thresholds are chosen by three-fold cross-fitting, and two recordings are too few to score."""
_CORPUS = "own"
_SILENT = 1e-5


@dataclass(frozen=True)
class Sounds:
    """Labels, the classes first and ``background`` last, and the recordings of each."""

    labels: tuple[str, ...]
    part: Part

    @property
    def classes(self) -> tuple[str, ...]:
        return self.labels[:-1]

    def with_backgrounds(self, clips: Sequence[Clip]) -> Sounds:
        """Return a copy with additional backgrounds."""
        return replace(self, part=replace(self.part, backgrounds=(*self.part.backgrounds, *clips)))

    def recordings(self, label: str) -> set[str]:
        return {clip.group for clip, name in self.part.events if name == label}


def read_folder(folder: Path, backgrounds: Path | None) -> Sounds:
    """Find the sounds without decoding them.

    Parameters
    ----------
    folder
        A subfolder of audio files per class.
    backgrounds
        Additional folder of sounds that belong to no class.

    Raises
    ------
    DataError
        If the folder does not exist, has fewer than two classes or a class with too few recordings, or a
        background folder has no audio.
    """
    classes = find_classes(folder)
    labels = (*classes, BACKGROUND)
    events = tuple((clip, label) for label, clips in classes.items() for clip in clips)
    beds: list[Clip] = []
    for place in (folder / BACKGROUND, backgrounds):
        if place is not None and (place is backgrounds or place.is_dir()):
            beds += _backgrounds(place)
    sounds = Sounds(labels, Part(events, (), tuple(beds)))
    for label in classes:
        count = len(sounds.recordings(label))
        if count < LEAST_RECORDINGS:
            raise DataError(
                f"{folder / label}: {count} recordings; a class needs {LEAST_RECORDINGS} or more, "
                "because a third of them is held out in turn to choose its thresholds"
            )
    return sounds


def find_classes(folder: Path) -> dict[str, list[Clip]]:
    """Return the clips of each class, one subfolder per class.

    Raises
    ------
    DataError
        If the folder does not exist, has fewer than two classes or a class without audio.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; it must hold a folder of audio files per class")
    names = [p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith(".")]
    places = [place for place in names if place.name != BACKGROUND]
    if not places:
        raise DataError(f"{folder}: no folders in it; put the audio files of each class into a folder")
    if len(places) == 1:
        raise DataError(
            f"{folder}: one class only ({places[0].name}); a second is needed, "
            f"for example of similar sounds; {BACKGROUND}/ is not a class"
        )
    return {place.name: _clips(place, place.name) for place in places}


def labelled_clips(folder: Path, labels: Sequence[str]) -> list[tuple[Clip, str]]:
    """Return the clips of a folder per class, with their labels.

    Raises
    ------
    DataError
        As in :func:`find_classes`, or if a folder is not named after one of ``labels``.
    """
    classes = find_classes(folder)
    for name in classes:
        if name not in labels:
            raise DataError(f"{folder / name}: not a label of the model, which has {', '.join(labels)}")
    return [(clip, label) for label, clips in classes.items() for clip in clips]


def _clips(place: Path, label: str) -> list[Clip]:
    files = by_stem(place)
    if not files:
        raise DataError(f"{place}: no audio in it ({', '.join(SUFFIXES)}); convert others with ffmpeg")
    return [Clip(path, _CORPUS, _recording(label, stem), label, 0) for stem, path in files.items()]


def _recording(label: str, stem: str) -> str:
    return stem.split(CUT)[0] if CUT in stem else f"{label}/{stem}"


def _backgrounds(place: Path) -> list[Clip]:
    """Return background clips: files directly in the folder are one kind, each subfolder another."""
    kinds = [place, *sorted(child for child in place.iterdir() if child.is_dir())] if place.is_dir() else []
    beds = [
        Clip(path, BACKGROUND, f"{kind.name}/{stem}", kind.name, 0)
        for kind in kinds
        for stem, path in by_stem(kind).items()
    ]
    if not beds:
        raise DataError(f"{place}: no audio in it; put sounds there that belong to no class")
    return beds


def heard(sounds: Sounds, folder: Path, tick: Tick) -> Sounds:
    """Decode every sound and cache it in ``folder``, resampled and with leading and trailing silence trimmed.

    Trimming makes the label hold for the whole file. Files already in the cache are reused.

    Raises
    ------
    DataError
        If a file cannot be decoded, or holds nothing but silence.
    """
    folder.mkdir(parents=True, exist_ok=True)
    events = []
    for clip, label in sounds.part.events:
        events.append((replace(clip, path=_kept(clip.path, folder)), label))
        tick(1)
    return replace(sounds, part=replace(sounds.part, events=tuple(events)))


def _kept(path: Path, folder: Path) -> Path:
    stat = path.stat()
    digest = hashlib.sha256(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode())
    kept = folder / f"{digest.hexdigest()[:16]}.wav"
    if not kept.is_file():
        samples = sounding(read(path, RATE))
        if np.abs(samples).max() < _SILENT:
            raise DataError(f"{path}: holds nothing but silence; remove it from the folder")
        _write(kept, samples)
    return kept


def made_noises(folder: Path) -> list[Clip]:
    """Write half-minute steady noises and hums: a minimal set of backgrounds that must not cause events."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        Clip(_noise(folder, name, colour, hum), BACKGROUND, f"made/{name}", "made", 0)
        for name, colour, hum in _NOISES
    ]


_NOISES = (
    ("white", 0.0, 0.0),
    ("pink", 0.5, 0.0),
    ("brown", 1.0, 0.0),
    ("white-hum", 0.0, 50.0),
    ("pink-hum", 0.5, 60.0),
    ("brown-hum", 1.0, 100.0),
)
"""Name, exponent by which amplitude falls with frequency, mains hum in Hz."""
_NOISE_S = 30


def _noise(folder: Path, name: str, colour: float, hum: float) -> Path:
    path = folder / f"{name}.wav"
    if not path.is_file():
        count = _NOISE_S * RATE
        rng = np.random.default_rng(list(name.encode()))
        spectrum = np.fft.rfft(rng.standard_normal(count))
        spectrum /= np.maximum(np.fft.rfftfreq(count, 1 / RATE), 20.0) ** colour
        samples = np.fft.irfft(spectrum, count)
        samples /= samples.std()
        time = np.arange(count) / RATE
        if hum:
            samples += sum(np.sin(2 * np.pi * hum * n * time) / n for n in range(1, 8))
        samples *= 0.03 / samples.std()
        _write(path, samples.astype(np.float32))
    return path


def _write(path: Path, samples: Waveform) -> None:
    """Write a file atomically."""
    with atomic_write(path) as partial:
        soundfile.write(partial, samples, RATE, subtype="FLOAT", format="WAV")


ESC10 = frozenset({
    "dog", "dog_bark", "rain", "sea_waves", "crying_baby", "baby_cry", "clock_tick", "sneezing",
    "person_sneeze", "helicopter", "chainsaw", "rooster", "crackling_fire", "fire_crackling",
})  # fmt: skip
"""Categories of ESC-10, in the spellings of both releases."""


def link_folders(clips: Sequence[Clip], out: Path) -> int:
    """Link clips into a folder per class, named so that recordings stay together; return their number.

    Raises
    ------
    DataError
        If there are no clips, or a link cannot be created.
    """
    if not clips:
        raise DataError("the data folder has no clips of this corpus in these folds")
    for clip in clips:
        link = out / clip.label / f"{clip.recording}{CUT}{clip.path.name}"
        try:
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(clip.path.resolve())
        except OSError as error:
            raise DataError(f"{link}: cannot be created ({error.strerror})") from error
    return len(clips)


def label_counts(sounds: Sounds) -> Sequence[tuple[str, int, int]]:
    """Return (class, files, recordings) of each class."""
    files = [label for _, label in sounds.part.events]
    return [(label, files.count(label), len(sounds.recordings(label))) for label in sounds.classes]
