"""From a part of the data to what a run needs: mel power, samplers, a mixer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from monitor.features.logmel import matrix_sha256, mel_matrix
from monitor.features.spec import LogMelSpec
from training.data.audio import Bank, band_widths, bank
from training.data.corpora import BACKGROUND, LABELS, Clip
from training.data.splits import Part
from training.mixing.mixer import Floats, Mixer, Recipe, Sampler

RATE = 16_000
HOP = 8_000
"""Samples between model windows."""
WINDOW = 32_000
"""Samples of a model window."""
_FRAME_HOP = 320

Tick = Callable[[int], None]


@dataclass(frozen=True)
class FrontEnd:
    """The front end before its normalisation is known, where its cache lies, and its rate in Hz."""

    spec: LogMelSpec
    cache: Path
    rate: int = RATE

    @property
    def window(self) -> int:
        return self.spec.frames * self.spec.hop

    @property
    def hop_frames(self) -> int:
        return HOP // self.spec.hop

    def cut(self, frames: int) -> FrontEnd:
        """Return it with windows of so many frames."""
        return replace(self, spec=self.spec.model_copy(update={"frames": frames}))

    def bank(self, clips: Sequence[Clip], tick: Tick) -> Bank:
        return bank(clips, self.spec, self.rate, self.cache, tick)


def default_front_end(cache: Path) -> FrontEnd:
    """16 kHz, 32 ms Hann every 20 ms, 64 bands 50–8000 Hz, windows of 2 s."""
    spec = LogMelSpec(
        n_fft=512,
        win_length=512,
        hop=_FRAME_HOP,
        frames=WINDOW // _FRAME_HOP,
        n_mels=64,
        fmin=50.0,
        fmax=8000.0,
    )
    hashed = spec.model_copy(update={"matrix_sha256": matrix_sha256(mel_matrix(spec, RATE))})
    return FrontEnd(hashed, cache)


def targets_of(part: Part, faint_label: float, labels: Sequence[str] = LABELS) -> Floats:
    """Return the targets of a part's events, then of its other sounds, shape (clips, labels)."""
    others = len(part.negatives) + len(part.backgrounds)
    targets = np.zeros((len(part.events) + others, len(labels)), np.float32)
    for row, (clip, label) in enumerate(part.events):
        targets[row, labels.index(label)] = faint_label if clip.salience == 2 else 1.0
    targets[len(part.events) :, labels.index(BACKGROUND)] = 1.0
    return targets


def event_sampler(part: Part) -> Sampler:
    """Draw from the part's events; numbers count as in :func:`targets_of`."""
    return Sampler([label for _, label in part.events], [clip.recording for clip, _ in part.events])


def other_sampler(part: Part) -> Sampler:
    """Draw from the part's other sounds, evenly from the kinds of background and the folds of ESC."""
    others = [*part.negatives, *part.backgrounds]
    kinds = [c.label if c.corpus == "background" else f"ESC fold {c.fold}" for c in others]
    return Sampler(kinds, [clip.recording for clip in others], offset=len(part.events))


def make_mixer(
    part: Part, front_end: FrontEnd, recipe: Recipe, tick: Tick, lead: int = 0, labels: Sequence[str] = LABELS
) -> Mixer:
    """Load the part's mel power and return its source of batches; ``lead`` as of the mixer."""
    clips = [*(clip for clip, _ in part.events), *part.negatives, *part.backgrounds]
    return Mixer(
        front_end.bank(clips, tick),
        targets_of(part, recipe.faint_label, labels),
        event_sampler(part),
        other_sampler(part),
        band_widths(front_end.spec, front_end.rate),
        front_end.spec.frames,
        front_end.spec.floor,
        recipe,
        lead,
    )
