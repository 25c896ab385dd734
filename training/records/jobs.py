"""What one job of the study leaves behind: a small JSON file with every clip's outcome.

A record stands alone: tables, plots and paired comparisons are made from records, without
data, weights or the machine that made them. Columns over clips are packed (see
:func:`_pack`), which keeps a record of nine hundred clips at about ten kilobytes.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from training.base.atomic import atomic_write
from training.errors import DataError
from training.networks.compact import Cost

SCHEMA = 1
Protocol = Literal["seed", "honest"]
_STEPS = 250
"""Probabilities are kept in steps of 0.004, a byte each."""


@dataclass(frozen=True, order=True)
class Job:
    """One run: what is trained, how it is judged, which fold tests it, from which seed."""

    protocol: Protocol
    model: str
    test_fold: int
    seed: int

    def __str__(self) -> str:
        return f"{self.protocol}/{self.model}-fold{self.test_fold}-seed{self.seed}"

    def path(self, folder: Path) -> Path:
        """Where the job's record lies under the folder of records."""
        return folder / f"{self}.json"


@dataclass(frozen=True)
class DataUse:
    """Which clips the job learned from and decided on; ``labels`` are those of truth and prediction."""

    train_folds: tuple[int, ...]
    validation: str
    train_clips: int
    validation_clips: int
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Making:
    """How the record came about; ``settings`` are all that decide the weights, the clips apart."""

    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    machine: str
    command: str
    seconds: float


@dataclass(frozen=True)
class Epoch:
    """One point of the curve; what was not measured is None.

    ``test_…`` is measured each epoch under the seed's protocol alone, whose published figure is
    the mean of it over all epochs and folds; ``test_f1`` is weighted by class frequency, as there.
    ``divergence`` is what adversarial training adds to the loss, before its factor.
    """

    epoch: int
    loss: float
    seconds: float
    accuracy: float | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None
    test_accuracy: float | None = None
    test_f1: float | None = None
    divergence: float | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """The test clips, one row each, in the order of the official table.

    Attributes
    ----------
    clip : file stems; recording : Freesound ids; salience : 1 foreground, 2 background
    truth : index into the labels; prediction is the largest probability's
    probability : shape (clips, labels), after division of the logits by ``temperature``,
        kept in steps of 0.004
    temperature : fitted on the validation clips; 1 where nothing was fitted
    """

    clip: tuple[str, ...]
    recording: tuple[str, ...]
    salience: NDArray[np.int64]
    truth: NDArray[np.int64]
    prediction: NDArray[np.int64]
    probability: NDArray[np.float32]
    temperature: float = 1.0

    @property
    def accuracy(self) -> float:
        return float((self.prediction == self.truth).mean())


@dataclass(frozen=True, eq=False)
class JobRecord:
    """A finished job; ``best_epoch`` is the one whose weights made the predictions (0: no epochs)."""

    job: Job
    data: DataUse
    making: Making
    epochs: tuple[Epoch, ...]
    best_epoch: int
    cost: Cost
    clips: Outcome

    def to_json(self) -> str:
        """Return the record as text, equal for equal records."""
        parts = {
            "schema": SCHEMA,
            **asdict(self.job),
            **asdict(self.data),
            **asdict(self.making),
            "epochs": [_without_none(asdict(epoch)) for epoch in self.epochs],
            "best_epoch": self.best_epoch,
            **asdict(self.cost),
            "temperature": self.clips.temperature,
            "accuracy": round(self.clips.accuracy, 4),
            "clips": _pack(self.clips),
        }
        return json.dumps(parts, indent=1) + "\n"

    @staticmethod
    def from_json(text: str) -> JobRecord:
        """Return the record of :meth:`to_json`.

        Raises
        ------
        ValueError, KeyError, TypeError : the text is no record of this schema
        """
        parts = json.loads(text)
        if parts["schema"] != SCHEMA:
            raise ValueError(f"schema {parts['schema']} is not {SCHEMA}")
        if parts["protocol"] not in get_args(Protocol):
            raise ValueError(f"unknown protocol {parts['protocol']!r}")
        lists = ("train_folds", "labels")
        parts |= {key: tuple(parts[key]) for key in lists}
        return JobRecord(
            _take(Job, parts),
            _take(DataUse, parts),
            _take(Making, parts),
            tuple(Epoch(**epoch) for epoch in parts["epochs"]),
            parts["best_epoch"],
            _take(Cost, parts),
            _unpack(parts["clips"], len(parts["labels"]), parts["temperature"]),
        )

    def write(self, folder: Path) -> Path:
        """Write the record to its place under ``folder``, whole or not at all; return the path."""
        path = self.job.path(folder)
        with atomic_write(path) as partial:
            partial.write_text(self.to_json(), encoding="utf-8")
        return path


def read(path: Path) -> JobRecord:
    """Read one record.

    Raises
    ------
    DataError : the file is no record of this schema
    """
    try:
        return JobRecord.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError, zlib.error) as error:
        raise DataError(f"{path}: no record of schema {SCHEMA} ({error!r}); run its job again") from error


def read_all(folder: Path) -> tuple[JobRecord, ...]:
    """Return every record under ``folder``, ordered by job."""
    return tuple(sorted((read(path) for path in folder.glob("*/*.json")), key=lambda record: record.job))


def _take(kind: type[Any], parts: Mapping[str, Any]) -> Any:
    return kind(**{field.name: parts[field.name] for field in fields(kind)})


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _pack(clips: Outcome) -> dict[str, str]:
    """Columns as base64 of zlib of: names line by line, numbers as bytes."""
    columns = {
        "clip": "\n".join(clips.clip).encode(),
        "recording": "\n".join(clips.recording).encode(),
        "salience": clips.salience.astype("u1").tobytes(),
        "truth": clips.truth.astype("u1").tobytes(),
        "prediction": clips.prediction.astype("u1").tobytes(),
        "probability_250ths": np.rint(clips.probability * _STEPS).astype("u1").tobytes(),
    }
    return {name: base64.b64encode(zlib.compress(raw, 9)).decode() for name, raw in columns.items()}


def _unpack(columns: Mapping[str, str], labels: int, temperature: float) -> Outcome:
    raw = {name: zlib.decompress(base64.b64decode(text)) for name, text in columns.items()}
    steps = np.frombuffer(raw["probability_250ths"], "u1").reshape(-1, labels)
    salience, truth, prediction = (
        np.frombuffer(raw[name], "u1").astype(np.int64) for name in ("salience", "truth", "prediction")
    )
    return Outcome(
        tuple(raw["clip"].decode().split("\n")),
        tuple(raw["recording"].decode().split("\n")),
        salience,
        truth,
        prediction,
        (steps / _STEPS).astype(np.float32),
        temperature,
    )
