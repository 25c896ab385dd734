"""Records of jobs that nobody ran, for tests of what is made from records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from training.data.corpora import CLASSES
from training.networks.compact import Cost
from training.records.jobs import ClipOutcomes, DataUse, Epoch, Job, JobRecord, Protocol, Provenance

_COST = Cost(1000, 20_000)


def outcome(
    truth: Sequence[int], prediction: Sequence[int], recording: Sequence[str], labels: int = len(CLASSES),
    sure: float = 0.9, prefix: str = "clip",
) -> ClipOutcomes:  # fmt: skip
    """Columns of clips; the predicted class has probability ``sure``."""
    count = len(truth)
    probability = np.full((count, labels), (1 - sure) / (labels - 1), np.float32)
    probability[np.arange(count), list(prediction)] = sure
    return ClipOutcomes(
        tuple(f"{prefix}{i}" for i in range(count)),
        tuple(recording),
        np.array([1 + i % 2 for i in range(count)]),
        np.array(truth),
        np.array(prediction),
        probability,
    )


def record(
    clips: ClipOutcomes, model: str = "net", fold: int = 1, seed: int = 0, protocol: Protocol = "honest",
    labels: Sequence[str] = CLASSES, epochs: Sequence[Epoch] = (Epoch(1, 2.0, 1.0), Epoch(2, 1.0, 1.0)),
    cost: Cost = _COST,
) -> JobRecord:  # fmt: skip
    """A record with the given clips."""
    others = tuple(f for f in (1, 2, 3) if f != fold)
    provenance = Provenance(
        {"rate": 0.001}, {"tensorflow": "2.21.0"}, "x86_64, 2 cores", "sound-training cv", 12.5
    )
    data = DataUse(others, "15 % of the recordings", 100, 15, tuple(labels))
    return JobRecord(
        Job(protocol, model, fold, seed), data, provenance, tuple(epochs), len(epochs), cost, clips
    )


def random_record(
    model: str, right: float, fold: int = 1, seed: int = 0, protocol: Protocol = "honest", clips: int = 200,
    labels: Sequence[str] = CLASSES, cost: Cost = _COST,
) -> JobRecord:  # fmt: skip
    """A record whose model is right in about a share ``right`` of clips, four clips a recording.

    Clips, recordings and classes depend on the fold alone, so models can be paired.
    """
    fixed = np.random.default_rng(fold)
    recordings = [f"{fold}{i // 4:04d}" for i in range(clips)]
    truth = np.repeat(fixed.integers(len(labels), size=-(-clips // 4)), 4)[:clips]
    rng = np.random.default_rng((fold, seed, round(right * 1000), len(model)))
    wrong = rng.random(clips) >= right
    prediction = np.where(wrong, rng.integers(len(labels), size=clips), truth)
    scored = outcome(truth.tolist(), prediction.tolist(), recordings, len(labels), prefix=f"{fold}-")
    made = record(scored, model, fold, seed, protocol, labels, cost=cost)
    if protocol == "honest":
        return replace(
            made, epochs=tuple(Epoch(e, 2.5 - right * e / 4, 1.0, right, right) for e in (1, 2, 3))
        )
    curve = [
        Epoch(e, 2.0, 1.0, accuracy=right, test_accuracy=right - 0.1 / e, test_f1=right - 0.12 / e)
        for e in (1, 2, 3)
    ]
    return replace(made, epochs=tuple(curve), best_epoch=3)
