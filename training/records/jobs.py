"""What one job of the study leaves behind: a small JSON file with every clip's outcome.

A record stands alone: tables, plots and paired comparisons are made from records, without
data, weights or the machine that made them. Columns over clips are packed (see
:func:`_pack`), which keeps a record of nine hundred clips at about ten kilobytes.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from training.networks.compact import Cost
from training.records.envelope import Envelope, Key, Origin, RunTime, plain
from training.records.store import Store, envelope_of

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
class ClipOutcomes:
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
    clips: ClipOutcomes

    def to_json(self) -> str:
        """Return the record as text, equal for equal records."""
        return JOBS.pack(self).to_json()

    @staticmethod
    def from_json(text: str) -> JobRecord:
        """Return the record of :meth:`to_json`, or one of before 0.7.0.

        Raises
        ------
        ValueError, KeyError, TypeError : the text is no record of this schema
        """
        return JOBS.unpack(envelope_of(text, JOBS))

    def write(self, folder: Path) -> Path:
        """Write the record to its place under ``folder``, whole or not at all; return the path."""
        return Store(folder, JOBS).write(str(self.job), self)


class JobCodec:
    """Records of jobs as envelopes."""

    kind = "job"
    schema = SCHEMA

    def pack(self, record: JobRecord) -> Envelope:
        """See :class:`~training.records.store.Codec`."""
        making = record.making
        content = {
            **asdict(record.job),
            "epochs": [_without_none(asdict(epoch)) for epoch in record.epochs],
            "best_epoch": record.best_epoch,
            **asdict(record.cost),
            "temperature": record.clips.temperature,
            "accuracy": round(record.clips.accuracy, 4),
            "clips": _pack(record.clips),
        }
        return Envelope(
            self.kind,
            job_key(making.settings, record.data, record.clips.clip),
            Origin(making.machine, making.versions, making.command, RunTime(making.seconds)),
            content,
        )

    def unpack(self, envelope: Envelope) -> JobRecord:
        """See :class:`~training.records.store.Codec`."""
        parts, data, origin = envelope.content, envelope.key.data, envelope.origin
        if parts["protocol"] not in get_args(Protocol):
            raise ValueError(f"unknown protocol {parts['protocol']!r}")
        if origin.time is None:
            raise ValueError("no seconds")
        lists = {name: tuple(data[name]) for name in ("train_folds", "labels")}
        return JobRecord(
            job=_take(Job, parts),
            data=_take(DataUse, {**data, **lists}),
            making=Making(
                envelope.key.settings, origin.versions, origin.machine, origin.command, origin.time.seconds
            ),
            epochs=tuple(Epoch(**epoch) for epoch in parts["epochs"]),
            best_epoch=parts["best_epoch"],
            cost=_take(Cost, parts),
            clips=_unpack(parts["clips"], len(data["labels"]), parts["temperature"]),
        )

    def upgrade(self, parts: Mapping[str, Any]) -> Envelope:
        """See :class:`~training.records.store.Codec`; all fields were on one level."""
        clips = tuple(_column(parts["clips"]["clip"]).decode().split("\n"))
        labels, folds = tuple(parts["labels"]), tuple(parts["train_folds"])
        data = _take(DataUse, {**parts, "labels": labels, "train_folds": folds})
        key = job_key(parts["settings"], data, clips)
        origin = Origin(parts["machine"], parts["versions"], parts["command"], RunTime(parts["seconds"]))
        return Envelope(self.kind, Key(parts["schema"], key.settings, key.data), origin, parts)

    def decisive(self, key: Key) -> Key:
        """See :class:`~training.records.store.Codec`.

        Settings that came later have the value that changes nothing where a record does not name them;
        what was measured on the data decides nothing.
        """
        settings = {name: value for name, value in key.settings.items() if name not in _MEASURED}
        for name, later in _CAME_LATER.items():
            if isinstance(later, Mapping) and isinstance(settings.get(name), Mapping):
                settings[name] = {**later, **settings[name]}
        whole_clips = {"last": False} if "shuffled" in settings else {}
        windows = {"hardening": _CAME_LATER["hardening"]} if "recipe" in settings else {}
        return Key(key.schema, {**whole_clips, **windows, **settings}, key.data)


JOBS = JobCodec()

_MEASURED = ("deviation_db",)
_CAME_LATER: dict[str, Mapping[str, Any]] = {
    "recipe": {"room": 0.0, "room_frames": [10.0, 75.0], "room_db": [-5.0, 10.0]},
    "lessons": {"room": 0.0, "room_s": [0.2, 1.5], "room_db": [-5.0, 10.0]},
    "hardening": {"beta": 0.0, "epsilon_db": 1.0, "steps": 2},
}


def job_key(settings: Mapping[str, Any], data: DataUse, test_clips: Sequence[str]) -> Key:
    """Return what decides the record of a job: settings, the parts of the data, the clips it is tested on."""
    tested = hashlib.sha256("\n".join(test_clips).encode()).hexdigest()[:16]
    return Key(SCHEMA, plain(settings), {**plain(data), "test_clips": tested})


def read_all(folder: Path) -> tuple[JobRecord, ...]:
    """Return every record under ``folder``, ordered by job.

    Raises
    ------
    DataError : one is no record of this schema
    """
    return tuple(sorted(Store(folder, JOBS).read_all().values(), key=lambda record: record.job))


def _take(kind: type[Any], parts: Mapping[str, Any]) -> Any:
    return kind(**{field.name: parts[field.name] for field in fields(kind)})


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _pack(clips: ClipOutcomes) -> dict[str, str]:
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


def _unpack(columns: Mapping[str, str], labels: int, temperature: float) -> ClipOutcomes:
    raw = {name: _column(text) for name, text in columns.items()}
    steps = np.frombuffer(raw["probability_250ths"], "u1").reshape(-1, labels)
    salience, truth, prediction = (
        np.frombuffer(raw[name], "u1").astype(np.int64) for name in ("salience", "truth", "prediction")
    )
    return ClipOutcomes(
        tuple(raw["clip"].decode().split("\n")),
        tuple(raw["recording"].decode().split("\n")),
        salience,
        truth,
        prediction,
        (steps / _STEPS).astype(np.float32),
        temperature,
    )


def _column(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))
