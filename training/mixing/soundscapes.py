"""Synthetic soundscapes: several sounds at known times over one background, minutes long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.base.maths import amplitude_of_db
from training.data.audio import Waveform, read
from training.data.corpora import Clip
from training.data.splits import Part
from training.errors import DataError
from training.mixing.streams import rms

Recordings = dict[str, list[Clip]]

RATE = 16_000
"""Hz of the soundscapes; the monitor resamples them to its model's rate."""
PAIR_SNR_DB = 15.0
"""Level of both sounds of a pair over the background."""
_PEAK = 0.95
_BED_DBFS = -35.0


@dataclass(frozen=True)
class Truth:
    """One sound of a soundscape: times in seconds from its start, ``snr_db`` over the background."""

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
    rate: int = RATE

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


@dataclass(frozen=True)
class ScapePlan:
    """How soundscapes are drawn; ``seed`` determines all randomness, ``rate`` is the sample rate in Hz."""

    count: int = 60
    seconds: float = 60.0
    sounds: int = 8
    snr_db: tuple[float, float] = (0.0, 20.0)
    seed: int = 0
    rate: int = RATE


@dataclass(frozen=True)
class Placed:
    """A clip that begins at sample ``start`` of its soundscape, ``snr_db`` over the background there."""

    clip: Clip
    label: str
    start: int
    snr_db: float


@dataclass(frozen=True)
class Layout:
    """Contents of a soundscape: the background ``bed``, looped if too short, and the sounds over it."""

    name: str
    bed: Waveform
    sounds: tuple[Placed, ...]


def make_soundscapes(part: Part, plan: ScapePlan, snr_db: float | None = None) -> list[Soundscape]:
    """Mix foreground clips over backgrounds; classes are balanced, and recordings within a class.

    Parameters
    ----------
    snr_db
        Level of every sound over the background in dB, times unchanged; None draws each level from the
        plan's range.
    """
    return [_mixed(layout, plan, snr_db) for layout in _layouts(part, plan)]


def make_pairs(part: Part, plan: ScapePlan, over: str, under: Sequence[str]) -> list[Soundscape]:
    """Mix sounds of class ``over`` at equal level with sounds of the classes ``under``, in the plan's slots.

    Each pair takes two slots; the second sound begins a second after the first.

    Raises
    ------
    DataError
        If the part has no foreground clip of one of the classes.
    """
    rng, by_label = np.random.default_rng((plan.seed, 61)), _by_label(part)
    absent = next((label for label in (over, *under) if label not in by_label), None)
    if absent is not None:
        raise DataError(f"no foreground clip of {absent} is in the test folds; leave out the sweep `overlap`")
    beds, slot = _beds(part, plan.rate), 2 * round(plan.seconds * plan.rate) // plan.sounds
    layouts = []
    for number in range(plan.count):
        sounds = []
        for pair in range(plan.sounds // 2):
            start = pair * slot + int(rng.integers(slot // 2))
            for label, at in ((under[int(rng.integers(len(under)))], start), (over, start + plan.rate)):
                sounds.append(Placed(_take(by_label[label], rng), label, at, PAIR_SNR_DB))
        layouts.append(Layout(f"pairs{number:03d}", _stretch(beds, plan, rng), tuple(sounds)))
    return [_mixed(layout, plan, None) for layout in layouts]


def _layouts(part: Part, plan: ScapePlan) -> list[Layout]:
    rng = np.random.default_rng((plan.seed, 60))
    beds, by_label = _beds(part, plan.rate), _by_label(part)
    return [_layout(f"scene{number:03d}", by_label, beds, plan, rng) for number in range(plan.count)]


def _beds(part: Part, rate: int) -> list[Waveform]:
    return [bed for bed in (read(clip.path, rate) for clip in part.backgrounds) if rms(bed) > 1e-4]


def _by_label(part: Part) -> dict[str, Recordings]:
    """Return the foreground clips of each class, grouped by recording."""
    found: dict[str, Recordings] = {}
    for clip, label in part.events:
        if clip.salience == 1:
            found.setdefault(label, {}).setdefault(clip.recording, []).append(clip)
    return found


def _layout(
    name: str,
    by_label: dict[str, Recordings],
    beds: Sequence[Waveform],
    plan: ScapePlan,
    rng: np.random.Generator,
) -> Layout:
    bed = _stretch(beds, plan, rng)
    slot_samples = round(plan.seconds * plan.rate) // plan.sounds
    sounds = []
    for slot in range(plan.sounds):
        label = sorted(by_label)[int(rng.integers(len(by_label)))]
        clip = _take(by_label[label], rng)
        # One slot per sound: neighbouring sounds may overlap, but onsets never coincide.
        start = slot * slot_samples + int(rng.integers(slot_samples))
        sounds.append(Placed(clip, label, start, float(rng.uniform(*plan.snr_db))))
    return Layout(name, bed, tuple(sounds))


def _stretch(beds: Sequence[Waveform], plan: ScapePlan, rng: np.random.Generator) -> Waveform:
    bed = beds[int(rng.integers(len(beds)))]
    return bed[int(rng.integers(max(1, len(bed) - round(plan.seconds * plan.rate)))) :]


def _take(recordings: Recordings, rng: np.random.Generator) -> Clip:
    takes = recordings[sorted(recordings)[int(rng.integers(len(recordings)))]]
    return takes[int(rng.integers(len(takes)))]


def _mixed(layout: Layout, plan: ScapePlan, snr_db: float | None) -> Soundscape:
    length = round(plan.seconds * plan.rate)
    track = np.resize(layout.bed, length).astype(np.float32)
    track *= np.float32(amplitude_of_db(_BED_DBFS) / max(rms(track), 1e-6))
    bare = track.copy()
    truths = []
    for placed in layout.sounds:
        start, over_db = placed.start, placed.snr_db if snr_db is None else snr_db
        sound = read(placed.clip.path, plan.rate)[: length - start]
        under = rms(bare[start : start + len(sound)])
        track[start : start + len(sound)] += sound * np.float32(
            max(under, 1e-5) / max(rms(sound), 1e-6) * amplitude_of_db(over_db)
        )
        end_s = (start + len(sound)) / plan.rate
        truths.append(Truth(placed.label, start / plan.rate, end_s, round(over_db, 1), placed.clip.recording))
    peak = float(np.abs(track).max())
    return Soundscape(layout.name, track * np.float32(min(1.0, _PEAK / peak)), _joined(truths), plan.rate)


def _joined(truths: Sequence[Truth]) -> tuple[Truth, ...]:
    """Merge overlapping sounds of one class into one event, as annotators do."""
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
    """Write each soundscape as a 16-bit WAV for the monitor to replay; return the paths in order."""
    import soundfile

    paths = []
    for scape in scapes:
        paths.append(folder / f"{scape.name}.wav")
        soundfile.write(paths[-1], scape.samples, scape.rate, subtype="PCM_16")
    return paths
