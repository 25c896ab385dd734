"""The record of one job of the study: a small JSON file with the outcome of every clip.

Records are self-contained: tables, plots and paired comparisons need neither data nor weights.
Columns over clips are packed (see :func:`_pack`), so that a record of nine hundred clips takes
about ten kilobytes.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from training.networks.compact import Cost
from training.records.envelope import CodeVersion, Envelope, Key, Origin, RunTime, plain
from training.records.store import Store, envelope_of

SCHEMA = 1
Protocol = Literal["seed", "honest"]
FIRST_BACKGROUNDS = "35e1808547eaf034"
"""Backgrounds of the records from before they were kept."""
_STEPS = 250
"""Probabilities are quantised in steps of 0.004, one byte each."""


@dataclass(frozen=True, order=True)
class Job:
    """One run: model, evaluation protocol, test fold and seed."""

    protocol: Protocol
    model: str
    test_fold: int
    seed: int

    def __str__(self) -> str:
        return f"{self.protocol}/{self.model}-fold{self.test_fold}-seed{self.seed}"

    def path(self, folder: Path) -> Path:
        """Return the path of the job's record under the folder of records."""
        return folder / f"{self}.json"


@dataclass(frozen=True)
class DataUse:
    """Training and validation clips of the job; ``labels`` are those of truth and prediction.

    ``backgrounds`` is a digest of the backgrounds that training may mix in.
    """

    train_folds: tuple[int, ...]
    validation: str
    train_clips: int
    validation_clips: int
    labels: tuple[str, ...]
    backgrounds: str = FIRST_BACKGROUNDS


@dataclass(frozen=True)
class Provenance:
    """Provenance of the record; ``settings`` are all that determine the weights besides the clips."""

    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    machine: str
    command: str
    seconds: float
    code: CodeVersion = field(default_factory=CodeVersion)


@dataclass(frozen=True)
class Epoch:
    """One epoch of the learning curve; what was not measured is None.

    ``test_…`` is measured at each epoch under the seed protocol only, whose published figure is the mean
    over all epochs and folds; ``test_f1`` is weighted by class frequency, as published. ``divergence`` is
    the term that adversarial training adds to the loss, before weighting.
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
    clip
        File stems.
    recording
        Freesound ids.
    salience
        1 foreground, 2 background.
    truth
        Index of the true label, shape (clips,).
    probability
        Shape (clips, labels), of the logits divided by ``temperature``, in steps of 0.004.
    temperature
        Fitted on the validation clips; 1 if not fitted.
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
    provenance: Provenance
    epochs: tuple[Epoch, ...]
    best_epoch: int
    cost: Cost
    clips: ClipOutcomes

    def to_json(self) -> str:
        """Return the record as text, equal for equal records."""
        return JOBS.pack(self).to_json()

    @staticmethod
    def from_json(text: str) -> JobRecord:
        """Return the record that :meth:`to_json` wrote, or one from before 0.7.0.

        Raises
        ------
        ValueError, KeyError, TypeError
            If the text is not a record of this schema.
        """
        return JOBS.unpack(envelope_of(text, JOBS))

    def write(self, folder: Path) -> Path:
        """Write the record atomically to its path under ``folder``; return the path."""
        return Store(folder, JOBS).write(str(self.job), self)


class JobCodec:
    """Records of jobs as envelopes."""

    kind = "job"
    schema = SCHEMA

    def pack(self, record: JobRecord) -> Envelope:
        """See :class:`~training.records.store.Codec`."""
        made = record.provenance
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
            job_key(made.settings, record.data, record.clips.clip),
            Origin(made.machine, made.versions, made.command, RunTime(made.seconds), made.code),
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
        made = origin.versions, origin.machine, origin.command, origin.time.seconds, origin.code
        return JobRecord(
            job=_take(Job, parts),
            data=_take(DataUse, {"backgrounds": FIRST_BACKGROUNDS, **data, **lists}),
            provenance=Provenance(envelope.key.settings, *made),
            epochs=tuple(Epoch(**epoch) for epoch in parts["epochs"]),
            best_epoch=parts["best_epoch"],
            cost=_take(Cost, parts),
            clips=_unpack(parts["clips"], len(data["labels"]), parts["temperature"]),
        )

    def upgrade(self, parts: Mapping[str, Any]) -> Envelope:
        """See :class:`~training.records.store.Codec`; the old layout was flat."""
        clips = tuple(_column(parts["clips"]["clip"]).decode().split("\n"))
        labels, folds = tuple(parts["labels"]), tuple(parts["train_folds"])
        of_then = {"backgrounds": FIRST_BACKGROUNDS, "labels": labels, "train_folds": folds}
        data = _take(DataUse, {**parts, **of_then})
        key = job_key(parts["settings"], data, clips)
        origin = Origin(parts["machine"], parts["versions"], parts["command"], RunTime(parts["seconds"]))
        return Envelope(self.kind, Key(parts["schema"], key.settings, key.data), origin, parts)

    def decisive(self, key: Key) -> Key:
        """See :class:`~training.records.store.Codec`.

        Settings added later default to the value that has no effect; measurements on the data are ignored.
        """
        settings = {name: value for name, value in key.settings.items() if name not in _MEASURED}
        for name, later in _CAME_LATER.items():
            if isinstance(later, Mapping) and isinstance(settings.get(name), Mapping):
                settings[name] = {**later, **settings[name]}
        whole_clips: dict[str, Any] = {"last": False} if "shuffled" in settings else {}
        if settings.get("network") == "cnn":
            whole_clips["momentum"] = 0.9
        windows = {"hardening": _CAME_LATER["hardening"]} if "recipe" in settings else {}
        data = {"backgrounds": FIRST_BACKGROUNDS, **key.data}
        return Key(key.schema, {**whole_clips, **windows, **settings}, data)


JOBS = JobCodec()

_MEASURED = ("deviation_db",)
_CAME_LATER: dict[str, Mapping[str, Any]] = {
    "recipe": {"room": 0.0, "room_frames": [10.0, 75.0], "room_db": [-5.0, 10.0], "heard_frames": 20},
    "hardening": {"beta": 0.0, "epsilon_db": 1.0, "steps": 2},
}


def job_key(settings: Mapping[str, Any], data: DataUse, test_clips: Sequence[str]) -> Key:
    """Return the key of a job's record: settings, parts of the data, and test clips."""
    tested = hashlib.sha256("\n".join(test_clips).encode()).hexdigest()[:16]
    return Key(SCHEMA, plain(settings), {**plain(data), "test_clips": tested})


def read_all(folder: Path) -> tuple[JobRecord, ...]:
    """Return every record under ``folder``, ordered by job.

    Raises
    ------
    DataError
        If a file is not a record of this schema.
    """
    return tuple(sorted(Store(folder, JOBS).read_all().values(), key=lambda record: record.job))


def _take(kind: type[Any], parts: Mapping[str, Any]) -> Any:
    return kind(**{one.name: parts[one.name] for one in fields(kind)})


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _pack(clips: ClipOutcomes) -> dict[str, str]:
    """Pack columns as base64 of zlib: names as lines, numbers as bytes."""
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
