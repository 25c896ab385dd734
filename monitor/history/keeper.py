"""Stores, in addition to events, what the web page shows about them and teaches from.

These are pictures, embeddings and score peaks, and a sample of the embeddings of the background.

It runs behind a queue, so that the disk may be slow: see :class:`monitor.service.audience.Audience`.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from monitor.errors import OutboxError
from monitor.history.background import STRETCH_S, BackgroundSample
from monitor.history.dating import Dating
from monitor.history.notebook import Moment, Notebook, Peak
from monitor.history.sampling import MOST_ROWS, EvenSample, evenly
from monitor.listeners import Listener
from monitor.records import SOUNDING_DB, EventRecord, HopResult
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


@dataclass(frozen=True)
class _Heard:
    """The embedding of one hop of the last minute."""

    utc: float
    time_s: float
    level_dbfs: float
    embedding: NDArray[np.float32]


@dataclass
class _Open:
    """An event that is still open, or whose picture is not complete yet."""

    record: EventRecord
    score: float = -1.0
    embedding: NDArray[np.float32] | None = None
    others: EvenSample[_Heard] = field(default_factory=lambda: EvenSample(MOST_ROWS - 1))
    picture: NDArray[np.uint8] | None = None
    picture_s: float = 0.0


class MomentKeeper(Listener):
    """Stores pictures and embeddings of events, and the peaks of scores.

    Parameters
    ----------
    background
        Receives the embeddings of all stretches; what is marked is left out when it is used.
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
        background: BackgroundSample,
        classes: Mapping[str, ClassSettings],
        *,
        rate: int,
        hop_s: float,
        pictures: bool,
        model: str,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self.notebook = notebook
        self.background = background
        self._labels: tuple[str, ...] = ()
        self._columns: dict[str, int] = {}
        self._rate = rate
        self._peaks: dict[str, EpisodePeaks] = {}
        self._classes: Mapping[str, ClassSettings] = {}
        self._wanted = classes
        self._stretch: list[NDArray[np.float32]] = []
        self._found: list[Peak] = []
        self._flushed = utc()
        self._hop_s = hop_s
        self._pictures = pictures
        self.model = model
        self._utc = utc
        self._rows: deque[tuple[float, NDArray[np.float32]]] = deque()
        self._embeddings: deque[_Heard] = deque()
        self._open: dict[str, _Open] = {}
        self._newest_s = 0.0
        self._dating = Dating()

    def on_hop(self, file: str, hop: HopResult) -> None:
        if hop.time_s <= self._newest_s:
            self._begin_stream()
        self._follow_settings(hop)
        self._newest_s = hop.time_s
        now = self._dating.date(hop.time_s, self._utc())
        if hop.features is not None and self._pictures:
            self._rows.append((hop.time_s, hop.features))
            while self._rows[0][0] < hop.time_s - BEFORE_S - LONGEST_S - _slack(self._hop_s):
                self._rows.popleft()
        if hop.embedding is not None:
            heard = _Heard(now, hop.time_s, hop.level.rms_dbfs, hop.embedding)
            self._embeddings.append(heard)
            for event in self._open.values():
                event.others.push(heard)
            while self._embeddings[0].utc < now - _RECENT_S:
                self._embeddings.popleft()
            self._sample(hop.embedding, now)
        for event in self._open.values():
            self._follow(event, hop)
        self._follow_peaks(hop, now)

    def on_record(self, record: EventRecord) -> None:
        if record.type == "start":
            self._open[record.event_id] = self._opened(record)
            return
        event = self._open.pop(record.event_id, None)
        if event is None:
            return
        end_s = record.start_s if record.end_s is None else record.end_s
        if event.picture is None:
            self._cut(event, end_s + self._hop_s)
        if event.picture is not None or event.embedding is not None:
            self._write_moment(event, end_s + self._hop_s)

    def configure(self, classes: Mapping[str, ClassSettings]) -> None:
        """Follow other classes or settings from the next hop on; may be called from any thread."""
        self._wanted = classes

    def embeddings_of(self, since: float, until: float) -> NDArray[np.float32] | None:
        """Return the embeddings of a span of the last minute, the loudest first, shape (rows, n).

        Hops far below the loudest are left out. None if there is no embedding in the span.

        Parameters
        ----------
        since, until
            UTC seconds since 1970; a span shorter than a hop takes the hop in which it ends.
        """
        found = [one for one in tuple(self._embeddings) if since <= one.utc < until + self._hop_s]
        if not found:
            return None
        found.sort(key=lambda one: -one.level_dbfs)
        near = [one for one in found if one.level_dbfs >= found[0].level_dbfs - SOUNDING_DB]
        return np.stack([one.embedding for one in evenly(near)])

    def close(self) -> None:
        """Write the pending peaks and stretches."""
        self._flush(self._utc())
        self.background.close()

    def _opened(self, record: EventRecord) -> _Open:
        event = _Open(record, record.score, self._embeddings[-1].embedding if self._embeddings else None)
        for heard in self._embeddings:
            if heard.time_s >= record.start_s - self._hop_s:
                event.others.push(heard)
        return event

    def _begin_stream(self) -> None:
        self._dating = Dating()
        self._rows.clear()
        self._open.clear()
        self._embeddings.clear()
        self._stretch.clear()
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

    def _write_moment(self, event: _Open, end_s: float) -> None:
        rows = 1 if not self._rows else len(self._rows[-1][1])
        moment = Moment(
            event_id=event.record.event_id,
            start_s=round(event.picture_s, 3),
            hop_s=self._hop_s / max(1, rows),
            picture=event.picture,
            embedding=_embeddings(event, end_s),
            model=self.model,
        )
        try:
            self.notebook.keep_moment(moment)
        except OutboxError as error:
            log.warning("%s", error)

    def _sample(self, embedding: NDArray[np.float32], now: float) -> None:
        """Collect stretches for the sample of the background."""
        self._stretch.append(embedding)
        if len(self._stretch) >= max(1, round(STRETCH_S / self._hop_s)):
            self.background.add(now, np.stack(self._stretch))
            self._stretch.clear()

    def _follow_settings(self, hop: HopResult) -> None:
        if hop.labels is not self._labels:
            self._labels = hop.labels
            self._columns = {label: index for index, label in enumerate(hop.labels)}
        if self._wanted is self._classes:
            return
        before, self._classes = self._classes, self._wanted
        self._peaks = {
            label: self._peaks[label] if before.get(label) == one else EpisodePeaks(one, self._rate)
            for label, one in self._classes.items()
        }

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
            self.notebook.keep_peaks(found)
        except OutboxError as error:
            log.warning("%s", error)


def _embeddings(event: _Open, end_s: float) -> NDArray[np.float32] | None:
    """Return the embedding of the highest score, followed by those of the whole event until ``end_s``."""
    if event.embedding is None:
        return None
    others = [one.embedding for one in event.others.kept if one.time_s <= end_s]
    return np.stack([event.embedding, *(one for one in others if one is not event.embedding)])


def as_picture(rows: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return log-mel rows as 0…255, scaled to their own range."""
    low, high = np.percentile(rows, (_LOW, _HIGH))
    return to_bytes(rows, float(low), float(high))


def to_bytes(rows: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    """Return values as 0…255, with ``low`` or less as 0 and ``high`` or more as 255."""
    scaled = (rows - low) * (255.0 / max(high - low, 1e-6))
    np.rint(scaled, scaled)
    np.maximum(scaled, 0.0, scaled)
    np.minimum(scaled, 255.0, scaled)
    values: NDArray[np.uint8] = scaled.astype(np.uint8)
    return values


def _slack(hop_s: float) -> float:
    """For an end that is decided after the release."""
    return 4.0 + 2 * hop_s
