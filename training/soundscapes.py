"""Minutes of street as a microphone would have them: several sounds at known times over one background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.audio import Waveform, read
from training.data import Clip
from training.prepare import RATE
from training.splits import Part
from training.streams import rms

_PEAK = 0.95
_BED_DBFS = -35.0


@dataclass(frozen=True)
class Truth:
    """One sound of a soundscape, in seconds of it; ``snr_db`` over the background beneath."""

    label: str
    onset_s: float
    offset_s: float
    snr_db: float
    recording: str


@dataclass(frozen=True)
class Soundscape:
    name: str
    samples: Waveform
    truths: tuple[Truth, ...]

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE


@dataclass(frozen=True)
class ScapePlan:
    """How soundscapes are drawn; all chance from ``seed``."""

    count: int = 60
    seconds: float = 60.0
    sounds: int = 8
    snr_db: tuple[float, float] = (0.0, 20.0)
    seed: int = 0


def make_soundscapes(part: Part, plan: ScapePlan) -> list[Soundscape]:
    """Lay foreground clips over backgrounds; classes come evenly, recordings evenly within a class."""
    rng = np.random.default_rng((plan.seed, 60))
    beds = [(clip, read(clip.path, RATE)) for clip in part.backgrounds]
    beds = [(clip, bed) for clip, bed in beds if rms(bed) > 1e-4]
    by_label: dict[str, dict[str, list[Clip]]] = {}
    for clip, label in part.events:
        if clip.salience == 1:
            by_label.setdefault(label, {}).setdefault(clip.recording, []).append(clip)
    return [_soundscape(f"scene{number:03d}", by_label, beds, plan, rng) for number in range(plan.count)]


def _soundscape(
    name: str,
    by_label: dict[str, dict[str, list[Clip]]],
    beds: Sequence[tuple[Clip, Waveform]],
    plan: ScapePlan,
    rng: np.random.Generator,
) -> Soundscape:
    length = round(plan.seconds * RATE)
    _, bed = beds[int(rng.integers(len(beds)))]
    track = np.resize(bed[int(rng.integers(max(1, len(bed) - length))) :], length).astype(np.float32)
    track *= np.float32(10 ** (_BED_DBFS / 20) / max(rms(track), 1e-6))
    bare = track.copy()
    truths = []
    for slot in range(plan.sounds):
        label = sorted(by_label)[int(rng.integers(len(by_label)))]
        recordings = by_label[label]
        takes = recordings[sorted(recordings)[int(rng.integers(len(recordings)))]]
        clip = takes[int(rng.integers(len(takes)))]
        sound = read(clip.path, RATE)
        # Each sound begins in a slot of its own: neighbours may overlap, onsets do not coincide.
        slot_samples = length // plan.sounds
        start = slot * slot_samples + int(rng.integers(slot_samples))
        sound = sound[: length - start]
        snr_db = float(rng.uniform(*plan.snr_db))
        under = rms(bare[start : start + len(sound)])
        track[start : start + len(sound)] += sound * np.float32(
            max(under, 1e-5) / max(rms(sound), 1e-6) * 10 ** (snr_db / 20)
        )
        truths.append(
            Truth(label, start / RATE, (start + len(sound)) / RATE, round(snr_db, 1), clip.recording)
        )
    peak = float(np.abs(track).max())
    return Soundscape(name, track * np.float32(min(1.0, _PEAK / peak)), _joined(truths))


def _joined(truths: Sequence[Truth]) -> tuple[Truth, ...]:
    """Sounds of one class that overlap are one event, as they are to a listener."""
    kept: list[Truth] = []
    for truth in sorted(truths, key=lambda t: t.onset_s):
        last = next((k for k in reversed(kept) if k.label == truth.label), None)
        if last is not None and truth.onset_s <= last.offset_s:
            offset_s = max(last.offset_s, truth.offset_s)
            kept[kept.index(last)] = Truth(
                last.label, last.onset_s, offset_s, max(last.snr_db, truth.snr_db), last.recording
            )
        else:
            kept.append(truth)
    return tuple(kept)


def write_wavs(scapes: Sequence[Soundscape], folder: Path) -> list[Path]:
    """Write each soundscape as a 16-bit WAV for the monitor to replay; return the files in order."""
    import soundfile

    paths = []
    for scape in scapes:
        paths.append(folder / f"{scape.name}.wav")
        soundfile.write(paths[-1], scape.samples, RATE, subtype="PCM_16")
    return paths
