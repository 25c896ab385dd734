"""Prepares a part of the data for training: mel power, samplers, a mixer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.base.arrays import Floats
from training.base.progress import Tick
from training.data.corpora import BACKGROUND, LABELS
from training.data.splits import Part
from training.features.front_end import FrontEnd
from training.features.mel_bank import band_widths
from training.mixing.mixer import Mixer, MixerSource, Recipe, Sampler


def targets_of(part: Part, faint_label: float, labels: Sequence[str] = LABELS) -> Floats:
    """Return targets of a part's events, then of its other sounds, shape (clips, labels)."""
    others = len(part.negatives) + len(part.backgrounds)
    targets = np.zeros((len(part.events) + others, len(labels)), np.float32)
    for row, (clip, label) in enumerate(part.events):
        targets[row, labels.index(label)] = faint_label if clip.salience == 2 else 1.0
    targets[len(part.events) :, labels.index(BACKGROUND)] = 1.0
    return targets


def event_sampler(part: Part) -> Sampler:
    """Return a sampler of the part's events, numbered as in :func:`targets_of`."""
    return Sampler([label for _, label in part.events], [clip.recording for clip, _ in part.events])


def other_sampler(part: Part) -> Sampler:
    """Return a sampler of the part's other sounds, uniform over kinds of background and folds of ESC."""
    others = [*part.negatives, *part.backgrounds]
    kinds = [c.label if c.corpus == "background" else f"ESC fold {c.fold}" for c in others]
    return Sampler(kinds, [clip.recording for clip in others], offset=len(part.events))


def make_mixer(
    part: Part, front_end: FrontEnd, recipe: Recipe, tick: Tick, labels: Sequence[str] = LABELS
) -> Mixer:
    """Load the part's mel power and return its mixer."""
    clips = [*(clip for clip, _ in part.events), *part.negatives, *part.backgrounds]
    source = MixerSource(
        bank=front_end.bank(clips, tick),
        targets=targets_of(part, recipe.faint_label, labels),
        events=event_sampler(part),
        others=other_sampler(part),
        widths=band_widths(front_end.spec, front_end.rate),
    )
    return Mixer(source, front_end.spec.frames, front_end.spec.floor, recipe)
