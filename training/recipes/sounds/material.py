"""The recordings on which thresholds are fitted and tested, and which of them are freely licensed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.data.corpora import SUFFIXES, Corpora, find_backgrounds, load
from training.data.manifest import read_manifest
from training.errors import DataError
from training.recipes.sounds.scores import Recorded

FREE_LICENCES = frozenset({"CC0", "public domain", "CC0 or public domain", "CC BY"})
"""Licences as written in the manifest."""
_BACKGROUND, _MORE = "background", "background_more"
_OFFICIAL = {
    "crying_baby": "baby_cry",
    "sneezing": "person_sneeze",
    "dog": "dog_bark",
    "crackling_fire": "fire_crackling",
}
"""Categories with another name in ESC-50's own table."""
ESC_10 = frozenset(
    {
        "baby_cry", "chainsaw", "clock_tick", "dog_bark", "fire_crackling", "helicopter", "person_sneeze",
        "rain", "rooster", "sea_waves",
    }
)  # fmt: skip
"""Categories of ESC-10, the part of ESC-50 that is CC BY."""
CONTINUOUS = frozenset({"clock_tick", "fire_crackling", "helicopter", "rain", "sea_waves"})
"""Background-like categories; clips of a single short sound trigger more than any background does."""


@dataclass(frozen=True)
class SoundMaterial:
    """Recordings by licence.

    Parameters
    ----------
    free
        Backgrounds that are CC0, CC BY or in the public domain.
    others
        The other backgrounds.
    esc_10
        Clips that are CC BY.
    esc_50
        The rest of ESC-50, CC BY-NC.
    urban
        Clips of UrbanSound8K, CC BY-NC.
    credits
        Source and licence of the free backgrounds.
    """

    free: tuple[Recorded, ...]
    others: tuple[Recorded, ...]
    esc_10: tuple[Recorded, ...]
    esc_50: tuple[Recorded, ...]
    urban: tuple[Recorded, ...]
    credits: tuple[str, ...]

    @property
    def backgrounds(self) -> tuple[Recorded, ...]:
        return (*self.free, *self.others)

    @property
    def clips(self) -> tuple[Recorded, ...]:
        return (*self.esc_10, *self.esc_50)


def find_material(root: Path, manifest: Path) -> SoundMaterial:
    """Find the recordings in a data folder.

    Parameters
    ----------
    manifest
        The table of ``background/`` with a source and a licence for each file.

    Raises
    ------
    DataError
        If the folder or the table is incomplete.
    """
    corpora = load(root)
    entries = read_manifest(manifest)
    free, others, credits = [], [], []
    for clip in _backgrounds(root):
        entry = entries.get(f"{clip.kind}/{clip.path.name}")
        if entry is not None and entry.licence in FREE_LICENCES:
            free.append(clip)
            credits.append(f"{entry.source}: {entry.licence}")
        else:
            others.append(clip)
    if not free:
        raise DataError(f"{manifest}: names no free recording of {root / _BACKGROUND}")
    esc = [Recorded(c.path, c.path.stem, _OFFICIAL.get(c.label, c.label), c.recording) for c in corpora.esc]
    return SoundMaterial(
        tuple(free),
        tuple(others),
        tuple(clip for clip in esc if clip.kind in ESC_10),
        tuple(clip for clip in esc if clip.kind not in ESC_10),
        _urban(corpora),
        tuple(credits),
    )


def _backgrounds(root: Path) -> Iterator[Recorded]:
    for clip in find_backgrounds(root / _BACKGROUND) if (root / _BACKGROUND).is_dir() else ():
        yield _background(clip.path, clip.label)
    for path in sorted((root / _MORE).glob("*")):
        if path.suffix in SUFFIXES:
            yield _background(path, "")


def _background(path: Path, kind: str) -> Recorded:
    """Return a background; parts such as ``night-0`` and ``night-1`` share one source."""
    return Recorded(path, path.stem, kind, re.sub(r"[-_]\d+$", "", path.stem))


def _urban(corpora: Corpora) -> tuple[Recorded, ...]:
    return tuple(Recorded(clip.path, clip.path.stem, clip.label, clip.recording) for clip in corpora.urban)
