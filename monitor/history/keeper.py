"""Stores, in addition to events, what the web page shows about them: pictures, embeddings, score peaks.

It runs behind a queue, so that the disk may be slow: see :class:`monitor.service.audience.Audience`.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.errors import OutboxError
from monitor.history.notebook import Moment, Notebook, Peak
from monitor.listeners import Listener
from monitor.records import EventRecord, HopResult
from monitor.settings import ClassSettings
from monitor.tuning.peaks import EpisodePeaks

log = logging.getLogger(__name__)

BEFORE_S, LONGEST_S = 1.0, 8.0
"""Lead of a picture before its event, and its maximum length."""

_RECENT_S = 60.0
"""How long ago a moment without an event may be to be marked."""

_FLUSH_S = 60.0
"""Interval between writes of peaks; each write uses up a block of a flash card."""

_LOW, _HIGH = 1.0, 99.8
"""Percentiles of a picture that become its darkest and its brightest value."""


@dataclass
class _Open:
    """An event that is still open, or whose picture is not complete yet."""

    record: EventRecord
    score: float = -1.0
    embedding: NDArray[np.float32] | None = None
    picture: NDArray[np.uint8] | None = None
    picture_s: float = 0.0


class MomentKeeper(Listener):
    """Stores pictures and embeddings of events, and the peaks of scores.

    Parameters
    ----------
    labels
        Labels of the scores, in order.
    classes
        Settings of the labels that make events.
    rate
        Sample rate of hop positions, Hz.
    hop_s
        Time between hops, seconds.
    pictures
        Whether to store pictures.
    model
        Name and version of the model, stored with embeddings.
    """

    def __init__(
        self,
        notebook: Notebook,
        labels: Sequence[str],
        classes: Mapping[str, ClassSettings],
        *,
        rate: int,
        hop_s: float,
        pictures: bool,
        model: str,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self._notebook = notebook
        self._columns = {label: index for index, label in enumerate(labels)}
        self._peaks = {label: EpisodePeaks(settings, rate) for label, settings in classes.items()}
        self._found: list[Peak] = []
        self._flushed = utc()
        self._hop_s = hop_s
        self._pictures = pictures
        self.model = model
        self._utc = utc
        self._rows: deque[tuple[float, NDArray[np.float32]]] = deque()
        self._embeddings: deque[tuple[float, NDArray[np.float32]]] = deque()
        self._open: dict[str, _Open] = {}
        self._newest_s = 0.0

    def on_hop(self, file: str, hop: HopResult) -> None:
        if hop.time_s <= self._newest_s:
            self._begin_stream()
        self._newest_s = hop.time_s
        now = self._utc()
        if hop.features is not None and self._pictures:
            self._rows.append((hop.time_s, hop.features))
            while self._rows[0][0] < hop.time_s - BEFORE_S - LONGEST_S - _slack(self._hop_s):
                self._rows.popleft()
        if hop.embedding is not None:
            self._embeddings.append((now, hop.embedding))
            while self._embeddings[0][0] < now - _RECENT_S:
                self._embeddings.popleft()
        for event in self._open.values():
            self._follow(event, hop)
        self._follow_peaks(hop, now)

    def on_record(self, record: EventRecord) -> None:
        if record.type == "start":
            embedding = self._embeddings[-1][1] if self._embeddings else None
            self._open[record.event_id] = _Open(record, record.score, embedding)
            return
        event = self._open.pop(record.event_id, None)
        if event is None:
            return
        end_s = record.start_s if record.end_s is None else record.end_s
        if event.picture is None:
            self._cut(event, end_s + self._hop_s)
        if event.picture is not None or event.embedding is not None:
            self._write_moment(event)

    def embedding_at(self, utc: float) -> NDArray[np.float32] | None:
        """Return the embedding nearest to a moment of the last minute; None if there is none."""
        recent = tuple(self._embeddings)
        if not recent:
            return None
        at, embedding = min(recent, key=lambda one: abs(one[0] - utc))
        return embedding if abs(at - utc) <= 2 * self._hop_s + 1.0 else None

    def close(self) -> None:
        """Write the pending peaks."""
        self._flush(self._utc())

    def _begin_stream(self) -> None:
        self._rows.clear()
        self._open.clear()
        now = self._utc()
        for label, follower in self._peaks.items():
            self._find(label, follower.close(), now)

    def _follow(self, event: _Open, hop: HopResult) -> None:
        column = self._columns.get(event.record.label)
        if column is not None and hop.embedding is not None and hop.scores[column] > event.score:
            event.score, event.embedding = float(hop.scores[column]), hop.embedding
        if event.picture is None and hop.time_s >= event.record.start_s - BEFORE_S + LONGEST_S:
            self._cut(event, hop.time_s)

    def _cut(self, event: _Open, end_s: float) -> None:
        """Extract the event's picture from the newest rows."""
        first_s = event.record.start_s - BEFORE_S
        last_s = min(end_s, first_s + LONGEST_S)
        wanted = [(at, rows) for at, rows in self._rows if at > first_s and at - self._hop_s < last_s]
        if not wanted:
            return
        event.picture_s = wanted[0][0] - self._hop_s
        event.picture = as_picture(np.concatenate([rows for _, rows in wanted]))

    def _write_moment(self, event: _Open) -> None:
        rows = 1 if not self._rows else len(self._rows[-1][1])
        moment = Moment(
            event_id=event.record.event_id,
            start_s=round(event.picture_s, 3),
            hop_s=self._hop_s / max(1, rows),
            picture=event.picture,
            embedding=event.embedding,
            model=self.model,
        )
        try:
            self._notebook.keep_moment(moment)
        except OutboxError as error:
            log.warning("%s", error)

    def _follow_peaks(self, hop: HopResult, now: float) -> None:
        rejected = {near.label for near in hop.near if near.reason == "rejected"}
        for label, follower in self._peaks.items():
            column = self._columns.get(label)
            if column is not None:
                score = 0.0 if label in rejected else float(hop.scores[column])
                self._find(label, follower.push(hop.position, score), now)
        if now - self._flushed >= _FLUSH_S:
            self._flush(now)

    def _find(self, label: str, peak: float | None, now: float) -> None:
        if peak is not None:
            self._found.append(Peak(label, now, round(peak, 4)))

    def _flush(self, now: float) -> None:
        self._flushed = now
        found, self._found = self._found, []
        if not found:
            return
        try:
            self._notebook.keep_peaks(found)
        except OutboxError as error:
            log.warning("%s", error)


def as_picture(rows: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return log-mel rows as 0…255, scaled to their own range."""
    low, high = np.percentile(rows, (_LOW, _HIGH))
    return to_bytes(rows, float(low), float(high))


def to_bytes(rows: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    """Return values as 0…255, with ``low`` or less as 0 and ``high`` or more as 255."""
    scaled = (rows - low) * (255.0 / max(high - low, 1e-6))
    values: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return values


def _slack(hop_s: float) -> float:
    """For an end that is decided after the release."""
    return 4.0 + 2 * hop_s
