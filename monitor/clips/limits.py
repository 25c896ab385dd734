"""Which clips are to be deleted: those that are too old, too many of a class, or too large together; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

_DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class StoredClip:
    """A clip on the disk.

    Parameters
    ----------
    name : str
        Path relative to the folder.
    label : str
        Of its first event, as in the name.
    written : float
        When it was written, UTC seconds since 1970.
    """

    name: str
    label: str
    written: float
    size: int


@dataclass(frozen=True)
class ClipLimits:
    """Bounds of a folder of clips: days, clips of each label, bytes."""

    days: float
    per_class: int
    size: int


def beyond(
    stored: Sequence[StoredClip], limits: ClipLimits, now: float, in_use: Collection[str] = ()
) -> list[StoredClip]:
    """Return the clips to delete, oldest first; never one in use, which still counts.

    Parameters
    ----------
    now : float
        UTC seconds since 1970.
    in_use : collection of str
        Names of the clips that somebody is listening to.
    """
    size = sum(clip.size for clip in stored)
    counts = Counter(clip.label for clip in stored)
    found = []
    for clip in sorted(stored, key=lambda one: (one.written, one.name)):
        old = now - clip.written > limits.days * _DAY_S
        if clip.name in in_use or not (old or counts[clip.label] > limits.per_class or size > limits.size):
            continue
        found.append(clip)
        size -= clip.size
        counts[clip.label] -= 1
    return found
