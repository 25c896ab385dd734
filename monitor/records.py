"""The frozen records that the parts exchange, in the order of the data flow.

``AudioBlock → HopResult (with its Decisions) → EventRecord``

Positions are sample counts since the start of the stream; each field states its sample rate.
Seconds are positions divided by the rate. UTC appears only in :class:`EventRecord`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA = 1
"""Version of the event record; keys may be added, existing ones keep name and meaning."""

SILENCE_DBFS = -120.0
"""Level reported for digital silence; the lowest level reported."""

SOUNDING_DB = 15.0
"""Hops so far below the loudest of a recording or span are not taken for its sound."""

LOUDEST = 4.0
"""Float files and drivers may exceed full scale; more than 12 dB above it a sample is not audio."""

Samples = NDArray[np.float32]
EventType = Literal["start", "end"]
EndReason = Literal["released", "stopped", "source_lost"]
HeldBack = Literal["quiet_hours", "count", "duration", "interval", "daily_limit"]
ClockState = Literal["synced", "unsynced", "file", "deterministic"]
WhyNot = Literal[
    "not_enabled",
    "quiet_hours",
    "count",
    "duration",
    "interval",
    "daily_limit",
    "cooldown",
    "rejected",
    "attack_not_held",
    "too_quiet",
    "below_threshold",
]


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """Consecutive samples as delivered by a source.

    Parameters
    ----------
    samples : Samples
        Float32, shape (n,) or (n, channels), full scale ±1, read-only.
    position : int
        Index of the first sample since the start of the stream, at the source's rate; greater than the end
        of the previous block if audio was lost in between.
    arrived : float or None
        Monotonic seconds at which the last sample arrived; None for files.
    """

    samples: Samples
    position: int
    arrived: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """Reading of the sound level meter at the end of a chunk, about four times a second.

    Mean squares and magnitudes count from full scale ±1; weightings are those of IEC 61672-1.

    Parameters
    ----------
    end : int
        Position of the chunk's end, samples at the source's rate.
    samples : int
        Length of the chunk; shorter before a gap and at the end of a stream.
    mean_square : float
        A-weighted, over the chunk.
    fast : float
        A-weighted mean square with time weighting F, at the end of the chunk.
    fast_max, slow_max : float
        Highest values with F and with S in the chunk.
    peak : float
        Largest C-weighted magnitude.
    overload : bool
        Whether a sample reached full scale.
    """

    end: int
    samples: int
    mean_square: float
    fast: float
    fast_max: float
    slow_max: float
    peak: float
    overload: bool


@dataclass(frozen=True, slots=True)
class Level:
    """Level of the newest hop.

    Parameters
    ----------
    rms_dbfs, peak_dbfs : float
        −120 … 0, after removal of the mean (DC).
    background_dbfs : float
        Slow estimate of the level without events.
    clipped : int
        Number of samples at or beyond full scale.
    lafmax_dbfs : float
        Highest A-weighted level with time weighting F.
    laeq_1s_dbfs : float
        A-weighted equivalent level of the last second.
    l90_dbfs : float
        Level with time weighting F that is exceeded for 90 % of the last minute.
    """

    rms_dbfs: float
    peak_dbfs: float
    background_dbfs: float
    clipped: int
    lafmax_dbfs: float = SILENCE_DBFS
    laeq_1s_dbfs: float = SILENCE_DBFS
    l90_dbfs: float = SILENCE_DBFS

    @property
    def over_background_db(self) -> float:
        return self.rms_dbfs - self.background_dbfs

    @property
    def over_l90_db(self) -> float:
        return self.lafmax_dbfs - self.l90_dbfs


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision of the tracker at one hop: an event started or ended.

    All ``*_pos`` are positions at the model's rate. ``key`` links a start to its end within one
    stream.
    """

    type: EventType
    key: int
    label: str
    decided_pos: int
    start_pos: int
    end_pos: int | None
    score: float
    score_mean: float
    threshold: float
    level_dbfs: float
    over_background_db: float
    overlapping: tuple[str, ...]
    reason: EndReason | None = None
    lafmax_dbfs: float = SILENCE_DBFS
    over_l90_db: float = 0.0


@dataclass(frozen=True, slots=True)
class Near:
    """What kept a class that came near from being reported at one hop (see :mod:`monitor.events.why`).

    Parameters
    ----------
    score : float
        Calibrated, before smoothing, 0 … 1.
    value, limit : float
        The value reached and the value needed; seconds for ``cooldown`` and ``attack_not_held``, dBFS for
        ``too_quiet``, scores for the others.
    """

    label: str
    score: float
    reason: WhyNot
    value: float
    limit: float


@dataclass(frozen=True, slots=True)
class HopResult:
    """All results of one hop.

    Parameters
    ----------
    position : int
        End of the hop at the model's rate.
    scores : NDArray[np.float32]
        Calibrated scores before smoothing, shape (labels,), 0 … 1.
    near : tuple[Near, ...]
        Classes that came near and were not reported, in label order.
    features : NDArray[np.float32] or None
        Log-mel rows of the hop, shape (frames, bands); None for models that take a waveform.
    embedding : NDArray[np.float32] or None
        Embedding of the window that ends with the hop, shape (n,); None if the model has none.
    sounds : NDArray[np.float32] or None
        Logits of the model's ``sounds`` output, shape (sounds,); None if it has none.
    readings : tuple[Reading, ...]
        Readings of the sound level meter that ended in the hop.
    labels : tuple[str, ...]
        Labels of the scores; they change when a sound is taught or forgotten.
    """

    position: int
    time_s: float
    scores: NDArray[np.float32]
    level: Level
    decisions: tuple[Decision, ...] = ()
    near: tuple[Near, ...] = ()
    features: NDArray[np.float32] | None = None
    embedding: NDArray[np.float32] | None = None
    sounds: NDArray[np.float32] | None = None
    readings: tuple[Reading, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event as in MQTT, the history and ``--json`` (schema 1)."""

    event_id: str
    seq: int
    type: EventType
    node: str
    label: str
    start: str
    end: str | None
    start_s: float
    end_s: float | None
    duration_s: float | None
    score: float
    score_mean: float
    threshold: float
    level_dbfs: float
    over_background_db: float
    delay_s: float
    model: str
    model_version: str
    clock: ClockState
    overlapping: tuple[str, ...] = ()
    file: str | None = None
    clip: str | None = None
    delayed: bool = False
    reason: EndReason | None = None
    lafmax_dbfs: float | None = None
    lafmax_db: float | None = None
    over_l90_db: float | None = None
    notify: bool = False
    held_back: HeldBack | None = None
    schema: int = field(default=SCHEMA)

    def to_json(self) -> str:
        """Return one line of JSON with sorted keys, so that equal records give equal bytes."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> EventRecord:
        """Read a record; keys that a later version added are ignored.

        Raises
        ------
        ValueError
            If it is not JSON, has a value of the wrong type, lacks a key, or has another schema.
        """
        record = _adapter().validate_json(text.encode())
        if record.schema != SCHEMA:
            raise ValueError(f"event schema {record.schema}, this version reads {SCHEMA}")
        for time in (record.start, record.end):
            if time is not None:
                datetime.fromisoformat(time.replace("Z", "+00:00"))
        return record


@cache
def _adapter() -> TypeAdapter[EventRecord]:
    from pydantic import TypeAdapter

    return TypeAdapter(EventRecord)


def held_back(record: EventRecord) -> Near | None:
    """Return why an event that begins leads to no notice; None if it leads to one, or is an end."""
    if record.type != "start" or record.held_back is None:
        return None
    return Near(record.label, record.score, record.held_back, record.score, record.threshold)
