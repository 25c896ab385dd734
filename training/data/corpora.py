"""Recordings and their labels: UrbanSound8K, ESC-50/ESC-10 and backgrounds.

All corpora come from Freesound, so ``recording`` is a Freesound id in each of them, and no
recording may be in both training and test. A background has no such id: its unit is the
source file.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training.errors import DataError

CLASSES = (
    "air_conditioner",
    "car_horn",
    "children_playing",
    "dog_bark",
    "drilling",
    "engine_idling",
    "gun_shot",
    "jackhammer",
    "siren",
    "street_music",
)
BACKGROUND = "background"
MORE = "background_more"
"""Folder of backgrounds without folders of kinds: a file's kind is its name up to the first ``_``."""
LABELS = (*CLASSES, BACKGROUND)

SUFFIXES = (".wav", ".flac", ".ogg")
DATA_VARIABLE = "SOUND_DATA"
YAMNET_FILE = "yamnet_embeddings.tflite"
"""YAMNet with its embedding as an output, in ``yamnet/`` of the data folder."""
MN04_FILES = ("mn04/mn04_as.npz", "mn04/class_labels_indices.csv")
"""The published mn04 in the data folder: its tensors under their own names, and AudioSet's labels."""

URBAN_COLUMNS = {"slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class"}
ESC_COLUMNS = {"filename", "fold", "category"}


NEAR_DUPLICATES: Mapping[str, str] = {
    "37236": "102305",
    "162541": "162540",
    "197320": "197318",
    "159747": "159738",
    "151085": "151080",
    "speech/hedgewars_1": "speech/hedgewars_0",
    "speech/hedgewars_2": "speech/hedgewars_0",
    "hedgewars": "speech/hedgewars_0",
    "faisal/faisal_freesound-community-birds-in-the-morning-24147": "outdoor/moodist_birds",
    "mertnesvat/mertnesvat_345851-hargissssound-spring-birds-raw-new-jersey": "ambie/ambie_birds",
    "mertnesvat/mertnesvat_spring-birds": "ambie/ambie_birds",
    "noice/noice_distant-thunder": "rain/moodist_thunder",
    "megaglest": "rain/moodist_thunder",
    "wesnoth": "rain/moodist_thunder",
}
"""Recordings that hold the same take, or takes of one session, as another: the name of their group.

Two seconds of one correlate with the other by 0.4 or more in the waveform, which
``tests/training/data/test_near_duplicates.py`` computes.
"""


@dataclass(frozen=True)
class Clip:
    """One labelled segment of one recording.

    Attributes
    ----------
    path
        Audio file.
    corpus
        Name of the corpus.
    recording
        Freesound id of the source recording, or the source file of a background.
    label
        Name of the class in the corpus.
    fold
        1 to 10, or 0 where the corpus has no folds.
    salience
        1 (foreground) or 2 (background).
    start_s
        Start of the clip within its recording, in seconds.
    end_s
        End of the clip within its recording, in seconds.
    """

    path: Path
    corpus: str
    recording: str
    label: str
    fold: int
    salience: int = 1
    start_s: float = 0.0
    end_s: float = 0.0

    @property
    def group(self) -> str:
        """The recording, or the name that near-duplicates of it share: no group is in two parts."""
        return NEAR_DUPLICATES.get(self.recording, self.recording)


@dataclass(frozen=True)
class Place:
    """Location of a corpus: its table and its audio folder."""

    corpus: Literal["UrbanSound8K", "ESC"]
    table: Path
    audio: Path

    def read(self) -> list[tuple[Clip, bool]]:
        """Return every row of the table and whether its file exists."""
        reader = read_urbansound8k if self.corpus == "UrbanSound8K" else read_esc
        return reader(self.table, self.audio)


@dataclass(frozen=True)
class Corpora:
    """Everything found under a data folder, and the clips listed in a table without a file."""

    urban: tuple[Clip, ...]
    esc: tuple[Clip, ...]
    backgrounds: tuple[Clip, ...]
    missing: tuple[str, ...]
    urban_folds: Mapping[str, frozenset[int]]
    """UrbanSound8K's folds per Freesound id, from the whole table, including clips without a file."""

    @property
    def group_folds(self) -> Mapping[str, frozenset[int]]:
        """UrbanSound8K's folds per group of near-duplicates."""
        found: dict[str, frozenset[int]] = {}
        for recording, folds in self.urban_folds.items():
            group = NEAR_DUPLICATES.get(recording, recording)
            found[group] = found.get(group, frozenset()) | folds
        return found


def data_root(option: Path | None) -> Path:
    """Return the data folder: the option, else the environment's ``SOUND_DATA``."""
    if option is None and not os.environ.get(DATA_VARIABLE):
        raise DataError(f"no data folder given; use --data FOLDER or set {DATA_VARIABLE}")
    root = option or Path(os.environ[DATA_VARIABLE])
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; --data must hold UrbanSound8K, ESC-50 or background/")
    return root


def load(root: Path) -> Corpora:
    """Find every known corpus in ``root`` or one level below it.

    Raises
    ------
    DataError
        If no known corpus is found, or a table lacks columns or holds an invalid value.
    """
    urban: list[Clip] = []
    esc: list[Clip] = []
    missing: list[str] = []
    folds: dict[str, set[int]] = {}
    for place in places(root):
        for clip, present in place.read():
            if place.corpus == "UrbanSound8K":
                folds.setdefault(clip.recording, set()).add(clip.fold)
            if present:
                (urban if place.corpus == "UrbanSound8K" else esc).append(clip)
            else:
                missing.append(f"{clip.corpus} fold {clip.fold}: {clip.path.stem}")
    beds = [folder for folder in _folders(root) if folder.name == "background"]
    backgrounds = [clip for folder in beds for clip in find_backgrounds(folder)]
    backgrounds += [
        clip for folder in _folders(root) if folder.name == MORE for clip in find_more_backgrounds(folder)
    ]
    if not urban and not esc and not backgrounds:
        raise DataError(
            f"{root}: contains neither UrbanSound8K, ESC-50/ESC-10 nor background/<kind>/ with audio; "
            f"see sound-training data fetch --help"
        )
    unique_esc = {clip.path.stem: clip for clip in esc}
    folds_of = {recording: frozenset(values) for recording, values in folds.items()}
    return Corpora(tuple(urban), tuple(unique_esc.values()), tuple(backgrounds), tuple(missing), folds_of)


def places(root: Path) -> list[Place]:
    """Return the corpora in ``root`` or one level below it that have a table."""
    found = []
    for folder in _folders(root):
        if (table := folder / "metadata" / "UrbanSound8K.csv").is_file():
            found.append(Place("UrbanSound8K", table, folder / "audio"))
        esc_tables = (folder / "meta" / "esc50.csv", folder / "meta.csv")
        if esc := next((table for table in esc_tables if table.is_file()), None):
            found.append(Place("ESC", esc, folder / "audio"))
    return found


def _folders(root: Path) -> list[Path]:
    return [root, *sorted(child for child in root.iterdir() if child.is_dir())]


def read_urbansound8k(table: Path, audio: Path) -> list[tuple[Clip, bool]]:
    """Return every row of the official table and whether its file exists."""
    clips = []
    index = {fold: by_stem(audio / f"fold{fold}") for fold in range(1, 11)}
    for line, row in rows(table, URBAN_COLUMNS):
        try:
            fold, salience = int(row["fold"]), int(row["salience"])
            start, end = float(row["start"]), float(row["end"])
            known = index[fold]
        except (ValueError, KeyError) as error:
            raise DataError(f"{table}:{line}: invalid value ({error}); use the official table") from error
        if row["class"] not in CLASSES:
            raise DataError(f"{table}:{line}: unknown class {row['class']!r}")
        if salience not in (1, 2):
            raise DataError(f"{table}:{line}: salience {salience} is neither 1 nor 2")
        stem = Path(row["slice_file_name"]).stem
        path = known.get(stem, audio / f"fold{fold}" / stem)
        clip = Clip(path, "UrbanSound8K", row["fsID"], row["class"], fold, salience, start, end)
        clips.append((clip, stem in known))
    return clips


def read_esc(table: Path, audio: Path) -> list[tuple[Clip, bool]]:
    """Return every row of an ESC-50 or ESC-10 table and whether its file exists."""
    known = by_stem(audio)
    clips = []
    for line, row in rows(table, ESC_COLUMNS):
        stem = Path(row["filename"]).stem
        parts = stem.split("-")
        if len(parts) < 3 or not row["fold"].isdigit():
            raise DataError(f"{table}:{line}: {row['filename']!r} is not named fold-id-take[-target]")
        clip = Clip(known.get(stem, audio / stem), "ESC", parts[1], row["category"], int(row["fold"]))
        clips.append((clip, stem in known))
    return clips


def find_backgrounds(folder: Path) -> list[Clip]:
    """Return the recordings of ``background/<kind>/``; the kind is the label, the file the recording."""
    clips = []
    for kind in sorted(child for child in folder.iterdir() if child.is_dir()):
        for path in sorted(by_stem(kind).values()):
            clips.append(Clip(path, "background", f"{kind.name}/{path.stem}", kind.name, 0))
    return clips


def find_more_backgrounds(folder: Path) -> list[Clip]:
    """Return the recordings of :data:`MORE`; a file's kind is the collection it comes from."""
    return [
        Clip(path, "background", f"{stem.split('_')[0]}/{stem}", stem.split("_")[0], 0)
        for stem, path in by_stem(folder).items()
    ]


def unlabelled_sounds(folder: Path) -> tuple[Clip, ...]:
    """Return the unlabelled recordings in ``folder``; none if the folder does not exist."""
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    return tuple(Clip(path, "unlabelled", path.stem, "", 0) for path in found)


def by_stem(folder: Path) -> dict[str, Path]:
    """Map stem → file: redistributed data sets are often re-encoded, so suffixes differ."""
    if not folder.is_dir():
        return {}
    return {p.stem: p for p in sorted(folder.iterdir()) if p.suffix.lower() in SUFFIXES}


def rows(table: Path, columns: set[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row of a table with its line number.

    Raises
    ------
    DataError
        If the table cannot be read, lacks a column, or has an incomplete row.
    """
    try:
        with table.open(newline="", encoding="utf-8") as lines:
            reader = csv.DictReader(lines)
            absent = columns - set(reader.fieldnames or ())
            if absent:
                names = ", ".join(sorted(absent))
                raise DataError(f"{table}: columns {names} are missing; use the official table")
            for number, row in enumerate(reader, start=2):
                if any(row[column] is None for column in columns):
                    raise DataError(f"{table}:{number}: the row is incomplete")
                yield number, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table}: cannot read the table ({error})") from error
