"""Read label tracks as Audacity exports them: the true sounds of a recording."""

from __future__ import annotations

import difflib
import math
import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.errors import UsageError
from monitor.tuning.scored import Recording

_SUFFIXES = (".tsv", ".txt")


@dataclass(frozen=True)
class Sound:
    """One labelled interval, in seconds from the start of its recording; start equals end for a point."""

    label: str
    start_s: float
    end_s: float


Track = tuple[Sound, ...]


def read_tracks(path: Path, recordings: Sequence[Recording], known: Collection[str]) -> list[Track]:
    """Read the labelled sounds of each recording.

    Parameters
    ----------
    path : Path
        The track of the only recording, or a folder with ``<recording>.tsv`` or ``.txt`` for each. A
        recording without a track holds none of the sounds.
    known : Collection[str]
        Classes that may be labelled.

    Raises
    ------
    UsageError
        If a track is unreadable, has an invalid line, an unknown class or an interval beyond the end of
        the recording, or if it matches no recording or several.
    """
    if not os.path.isdir(path):
        if len(recordings) > 1:
            raise UsageError(
                f"--events {path}: the scores hold {len(recordings)} recordings; give a folder with a track "
                f"for each, named like it: {Path(recordings[0].name).stem}.tsv"
            )
        return [_read_track(path, recordings[0], known)]
    files = {file.stem: file for file in sorted(path.iterdir()) if file.suffix in _SUFFIXES}
    if not files:
        raise UsageError(f"--events {path}: contains no label track (.tsv or .txt)")
    stems = Counter(Path(recording.name).stem for recording in recordings)
    for stem, file in files.items():
        if stems[stem] != 1:
            found = "no recording" if not stems[stem] else f"{stems[stem]} recordings"
            raise UsageError(f"{file}: {found} in the scores named {stem}; a track needs one")
    tracks = []
    for recording in recordings:
        track = files.get(Path(recording.name).stem)
        tracks.append(() if track is None else _read_track(track, recording, known))
    return tracks


def _read_track(path: Path, recording: Recording, known: Collection[str]) -> Track:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--events {path}: cannot read the labels ({error})") from error
    # A line that begins with a backslash is the frequency range of the label above it.
    labels = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and line[0] != "\\"]
    return tuple(_sound(f"{path}:{number}", line, recording, known) for number, line in labels)


def _sound(where: str, line: str, recording: Recording, known: Collection[str]) -> Sound:
    try:
        start, end, label = line.split("\t")
        sound = Sound(label.strip(), float(start), float(end))
    except ValueError as error:
        raise UsageError(f"{where}: not a label; write start TAB end TAB label, in seconds") from error
    if not (math.isfinite(sound.end_s) and 0 <= sound.start_s <= sound.end_s):
        raise UsageError(f"{where}: {sound.start_s:g} to {sound.end_s:g} s is not an interval")
    if sound.label not in known:
        near = difflib.get_close_matches(sound.label, known, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(known)}"
        raise UsageError(f"{where}: {sound.label!r} is not a class that makes events; {hint}")
    if sound.start_s > recording.seconds:
        raise UsageError(
            f"{where}: begins at {sound.start_s:g} s, {recording.name} ends at {recording.seconds:g} s; "
            "is it the track of another recording?"
        )
    return sound
