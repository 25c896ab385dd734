"""Data stored in addition to events: pictures and embeddings of their moments, verdicts, score peaks.

These are values of the model's front end and of its embedding, never audio.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monitor.clock import iso_utc
from monitor.delivery.store.outbox import Outbox

Verdict = Literal["right", "false_alarm", "missed"]
VERDICTS: tuple[Verdict, ...] = ("right", "false_alarm", "missed")

PEAKS_DAYS = 14
"""How long score peaks are kept."""

_DAY_S = 86400.0
_MOMENT = """INSERT OR REPLACE INTO moments
    (event_id, start_s, hop_s, frames, bands, picture, embedding, model) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_VERDICT = """INSERT INTO verdicts (event_id, label, verdict, moment, embedding, model, made_at)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (event_id) DO UPDATE SET verdict = excluded.verdict, made_at = excluded.made_at"""


@dataclass(frozen=True)
class Moment:
    """Data stored with an event.

    Attributes
    ----------
    start_s
        Time of the picture's first row on the stream's clock, seconds.
    hop_s
        Time between rows, seconds.
    picture
        Log-mel rows as 0…255, shape (frames, bands); None = not stored.
    embedding
        Embedding at the event's highest score, shape (n,), or followed by those of other hops of the
        event, shape (rows, n); None if the model has none.
    model
        Name and version of the model that computed the embedding.
    """

    event_id: str
    start_s: float
    hop_s: float
    picture: NDArray[np.uint8] | None
    embedding: NDArray[np.float32] | None
    model: str


@dataclass(frozen=True)
class Judgement:
    """The user's verdict on an event, or on a moment without an event.

    Attributes
    ----------
    event_id
        None for a moment without an event.
    moment
        UTC seconds since 1970.
    embedding
        As for :class:`Moment`.
    """

    label: str
    verdict: Verdict
    moment: float
    model: str
    event_id: str | None = None
    embedding: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Peak:
    """The highest threshold at which one episode of a class would have been reported.

    Attributes
    ----------
    at
        UTC seconds since 1970.
    """

    label: str
    at: float
    peak: float


class Notebook:
    """Writes through the outbox, the only writer of the history; thread-safe.

    Every method raises OutboxError if the database cannot be written.
    """

    def __init__(self, outbox: Outbox, utc: Callable[[], float] = time.time) -> None:
        self._outbox = outbox
        self._utc = utc

    def keep_moment(self, moment: Moment) -> None:
        picture = moment.picture
        frames, bands = (0, 0) if picture is None else picture.shape
        packed = None if picture is None else zlib.compress(picture.tobytes(), 6)
        embedding = pack(moment.embedding)
        values = (moment.event_id, moment.start_s, moment.hop_s, frames, bands, packed, embedding)
        self._outbox.write([(_MOMENT, (*values, moment.model))])

    def judge(self, judgement: Judgement) -> None:
        """Store a verdict; a second verdict on the same event replaces the first."""
        values = (
            judgement.event_id,
            judgement.label,
            judgement.verdict,
            iso_utc(judgement.moment),
            pack(judgement.embedding),
            judgement.model,
            iso_utc(self._utc()),
        )
        self._outbox.write([(_VERDICT, values)])

    def withdraw(self, event_id: str) -> None:
        """Delete the verdict on an event."""
        self._outbox.write([("DELETE FROM verdicts WHERE event_id = ?", (event_id,))])

    def keep_peaks(self, peaks: Iterable[Peak]) -> None:
        """Add peaks and delete expired ones, in one transaction."""
        before = iso_utc(self._utc() - PEAKS_DAYS * _DAY_S)
        rows = [
            ("INSERT INTO peaks (label, at, peak) VALUES (?, ?, ?)", (p.label, iso_utc(p.at), p.peak))
            for p in peaks
        ]
        self._outbox.write([*rows, ("DELETE FROM peaks WHERE at < ?", (before,))])


def pack(embedding: NDArray[np.float32] | None) -> bytes | None:
    """Return one embedding or several in their stored form: float16, little-endian, row by row."""
    return None if embedding is None else embedding.astype("<f2").tobytes()


def unpack_rows(stored: bytes, size: int) -> NDArray[np.float32]:
    """Return the embeddings of a stored form, shape (rows, size)."""
    return np.frombuffer(stored, "<f2").astype(np.float32).reshape(-1, size)


def unpack(stored: bytes | None) -> NDArray[np.float32] | None:
    return None if stored is None else np.frombuffer(stored, "<f2").astype(np.float32)
