"""Laws of the study's records."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.data.corpora import CLASSES
from training.errors import DataError
from training.networks.compact import Cost
from training.records.jobs import ClipOutcomes, DataUse, Epoch, Job, JobRecord, Provenance, read_all

_JOB = Job("honest", "compact", 1, 0)


def record(clips: int = 873, job: Job = _JOB) -> JobRecord:
    """A record with plausible, seeded contents."""
    rng = np.random.default_rng(5)
    truth = rng.integers(0, len(CLASSES), clips)
    logits = rng.normal(size=(clips, len(CLASSES))) * 2 + 5 * np.eye(len(CLASSES))[truth]
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    recordings = np.sort(rng.integers(1000, 210000, 120))[np.sort(rng.integers(0, 120, clips))]
    stems = tuple(f"{r}-{t}-0-{i % 60}" for i, (r, t) in enumerate(zip(recordings, truth, strict=True)))
    return JobRecord(
        job,
        DataUse((2, 3), "15 % of the training recordings of each class", 1000, 150, CLASSES),
        Provenance({"epochs": 2, "rate": 3e-3}, {"tensorflow": "2"}, "x86_64, 2 cores", "cv", 12.5),
        (Epoch(1, 2.0, 3.0, val_accuracy=0.3), Epoch(2, 1.5, 3.0, val_accuracy=0.4)),
        2,
        Cost(12345, 67890),
        ClipOutcomes(
            stems,
            tuple(map(str, recordings)),
            rng.integers(1, 3, clips),
            truth,
            probability.argmax(axis=1),
            probability.astype(np.float32),
            1.25,
        ),
    )


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    written = record()
    written.write(tmp_path)
    (again,) = read_all(tmp_path)
    assert (again.job, again.data, again.provenance) == (written.job, written.data, written.provenance)
    assert (again.epochs, again.best_epoch, again.cost) == (written.epochs, 2, Cost(12345, 67890))
    assert again.clips.clip == written.clips.clip
    assert again.clips.recording == written.clips.recording
    for name in ("salience", "truth", "prediction"):
        np.testing.assert_array_equal(getattr(again.clips, name), getattr(written.clips, name))
    np.testing.assert_allclose(again.clips.probability, written.clips.probability, atol=2.1e-3)
    assert again.clips.temperature == 1.25
    assert again.to_json() == written.to_json()


def test_a_record_of_a_whole_fold_is_small() -> None:
    assert len(record().to_json()) < 15_000


def test_records_are_read_in_the_order_of_their_jobs(tmp_path: Path) -> None:
    jobs = [
        Job("seed", "cnn", 2, 0),
        Job("honest", "cnn", 2, 1),
        Job("honest", "cnn", 1, 0),
        Job("honest", "a", 3, 0),
    ]
    for job in jobs:
        record(5, job).write(tmp_path)
    assert [found.job for found in read_all(tmp_path)] == sorted(jobs)


@pytest.mark.parametrize("damage", ["schema", "protocol", "missing", "cut"])
def test_a_damaged_record_is_named_in_one_line(tmp_path: Path, damage: str) -> None:
    path = record(5).write(tmp_path)
    text = path.read_text()
    parts = json.loads(text)
    if damage == "schema":
        parts["schema"] = 99
    elif damage == "protocol":
        parts["content"]["protocol"] = "leaky"
    elif damage == "missing":
        del parts["seconds"]
    path.write_text(text[: len(text) // 2] if damage == "cut" else json.dumps(parts))
    with pytest.raises(DataError, match="run its job again") as raised:
        read_all(tmp_path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_accuracy_in_the_text_is_that_of_the_predictions() -> None:
    made = record(50)
    wrong = replace(made.clips, prediction=(made.clips.truth + 1) % len(CLASSES))
    assert json.loads(replace(made, clips=wrong).to_json())["content"]["accuracy"] == 0.0
