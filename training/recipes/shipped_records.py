"""The records of the shipped model: one per fold and seed, in the study's format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from training.base.arrays import Floats
from training.base.provenance import machine, versions
from training.data.corpora import CLASSES
from training.data.splits import Part
from training.fit.loop import Row
from training.networks.streaming import cost
from training.recipes.shipped import HOP_FRAMES, ShippedPlan
from training.records.jobs import ClipOutcomes as Clips
from training.records.jobs import DataUse, Epoch, Job, JobRecord, Provenance
from training.scoring.held_out import FoldScores


def record_of(hearing: FoldScores, history: Sequence[Row], plan: ShippedPlan) -> JobRecord:
    seconds = sum(row["seconds"] for row in history)
    others = tuple(fold for fold in plan.folds if fold != hearing.fold)
    return JobRecord(
        Job("honest", plan.name, hearing.fold, hearing.seed),
        DataUse(others, "none: the last epoch's weights", 0, 0, CLASSES),
        Provenance(asdict(plan.run), versions(), machine(), plan.command, round(seconds, 1)),
        tuple(
            Epoch(number, round(row["loss"], 5), round(row["seconds"], 1))
            for number, row in enumerate(history, start=1)
        ),
        plan.run.epochs,
        cost(plan.run.network, HOP_FRAMES),
        clips_of(hearing.part, hearing.logits),
    )


def clips_of(part: Part, logits: Floats) -> Clips:
    """Return a fold's clips in the study's format: softmax over the ten classes, at temperature 1."""
    ten = logits[:, : len(CLASSES)]
    shares = np.exp(ten - ten.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    clips = [clip for clip, _ in part.events]
    return Clips(
        tuple(clip.path.stem for clip in clips),
        tuple(clip.recording for clip in clips),
        np.array([clip.salience for clip in clips], np.int64),
        np.array([CLASSES.index(label) for _, label in part.events], np.int64),
        ten.argmax(axis=1).astype(np.int64),
        shares.astype(np.float32),
    )
