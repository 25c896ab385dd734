"""Label tracks: what is really to be heard in a recording, as Audacity exports it."""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.errors import UsageError
from monitor.tuning.scored import Recording

_SUFFIXES = (".tsv", ".txt")


@dataclass(frozen=True)
class Sound:
    """One labelled stretch, in seconds of its recording; an end equal to the start is a point."""

    label: str
    start_s: float
    end_s: float


Track = tuple[Sound, ...]


def read_tracks(path: Path, recordings: Sequence[Recording], known: Collection[str]) -> list[Track]:
    """Read what is labelled in each recording.

    path : the track of the only recording, or a folder with ``<recording>.tsv`` or ``.txt`` for
        each; a recording without one holds none of the sounds
    known : the classes that may be labelled

    Raises
    ------
    UsageError : unreadable, a line that is no label, an unknown class, a stretch that lies
        beyond the recording, a track that belongs to no recording or to two
    """
    if not path.is_dir():
        if len(recordings) > 1:
            raise UsageError(
                f"--events {path}: the scores hold {len(recordings)} recordings; give a folder with a track "
                f"for each, named like it: {Path(recordings[0].name).stem}.tsv"
            )
        return [_read_track(path, recordings[0], known)]
    files = {file.stem: file for file in sorted(path.iterdir()) if file.suffix in _SUFFIXES}
    if not files:
        raise UsageError(f"--events {path}: holds no label track (.tsv or .txt)")
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
        raise UsageError(f"{where}: {sound.start_s:g} to {sound.end_s:g} s is no stretch of time")
    if sound.label not in known:
        near = difflib.get_close_matches(sound.label, known, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(known)}"
        raise UsageError(f"{where}: {sound.label!r} is no class that makes events; {hint}")
    if sound.start_s > recording.seconds:
        raise UsageError(
            f"{where}: begins at {sound.start_s:g} s, {recording.name} ends at {recording.seconds:g} s; "
            "is it the track of another recording?"
        )
    return sound
