"""Vectorised event logic of one class over all rows of many streams: fitting tries hundreds of settings."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.events.onset import LEAST, RISE_SHARE
from monitor.settings import ClassSettings
from training.base.maths import log_odds
from training.mixing.streams import Scored

_TOLERANCE = 1e-6


class Tape:
    """Smoothed scores of one class from many streams, concatenated with silence between them.

    Implements the event logic of one class, without its level gate, for all rows at once; the state
    machine itself would take hours for the hundreds of settings that fitting tries.
    """

    _GAP_S = 6.0

    def __init__(self, streams: Sequence[Scored], column: int, smoothing_s: float, hop_s: float) -> None:
        gap = np.zeros(_rows(self._GAP_S, hop_s))
        pieces: list[NDArray[np.float64]] = [gap]
        raw: list[NDArray[np.floating]] = [gap]
        self.begins: list[int] = []
        for stream in streams:
            self.begins.append(sum(map(len, pieces)))
            pieces += [smoothed(stream.scores[:, column], smoothing_s, hop_s), gap]
            raw += [stream.scores[:, column], gap]
        self.streams, self.hop_s = streams, hop_s
        self._truths: dict[str, NDArray[np.float64]] = {}
        self._scores = np.concatenate(pieces)
        self._odds = log_odds(np.concatenate(raw).astype(np.float64), LEAST)

    @property
    def seconds(self) -> float:
        return sum(stream.seconds for stream in self.streams)

    def starts(self, settings: ClassSettings) -> NDArray[np.int64]:
        """Return the rows at which events open, in ascending order."""
        attack = _rows(settings.attack_s, self.hop_s) + 1
        release = _rows(settings.release_s, self.hop_s) + 1
        over = self._scores >= np.float32(settings.enter)
        under = self._scores < np.float32(settings.exit)
        at = np.arange(len(over))
        opened = np.maximum.accumulate(np.where(_run(over) >= attack, at, -1))
        closed = np.maximum.accumulate(np.where(_run(under) >= release, at, -1))
        on = opened > closed
        rises = np.flatnonzero(on[1:] & ~on[:-1]) + 1
        falls = np.flatnonzero(~on[1:] & on[:-1]) + 1
        rest = _rows(settings.cooldown_s, self.hop_s)
        since = rises[1:] - falls[: len(rises) - 1] if len(rises) else rises
        opens: NDArray[np.int64] = rises[np.concatenate([np.ones(min(1, len(rises)), bool), since >= rest])]
        return opens

    def alarms(self, settings: ClassSettings) -> int:
        """Count the events that open, excluding those in stretches that repeat an earlier one."""
        starts = self.starts(settings)
        found = 0
        for start, number in zip(starts, np.searchsorted(self.begins, starts, side="right") - 1, strict=True):
            row = start - self.begins[number] + 1
            found += self.streams[number].counts(row * self.hop_s)
        return found

    def peaks(self, attack_s: float, stretch_s: float) -> NDArray[np.float64]:
        """Return the highest level of each stretch of a stream at which an event would open, descending.

        Levels are log-odds of the smoothed score, held for ``attack_s``. Stretches that repeat an earlier
        one are left out.
        """
        odds, held = log_odds(self._scores, LEAST), _rows(attack_s, self.hop_s) + 1
        lowest = np.min(np.lib.stride_tricks.sliding_window_view(odds, held), axis=1)
        lowest = np.concatenate([odds[: held - 1], lowest])
        length, found = max(1, _rows(stretch_s, self.hop_s)), []
        for begin, stream in zip(self.begins, self.streams, strict=True):
            counted = np.ones(len(stream.times_s), bool)
            for start_s, end_s in stream.again:
                counted &= (stream.times_s < start_s) | (stream.times_s >= end_s)
            rows = lowest[begin : begin + len(counted)][counted]
            found += [rows[at : at + length].max() for at in range(0, len(rows), length)]
        return np.sort(np.array(found))[::-1]

    def rises(self, starts: NDArray[np.int64], settings: ClassSettings) -> NDArray[np.float64]:
        """Return the estimated onset rows of the events that open at ``starts``, before any shift.

        Vectorised form of :class:`monitor.events.onset.Rise`.
        """
        attack = _rows(settings.attack_s, self.hop_s)
        first = starts - attack
        if not len(starts) or not settings.rise_s:
            return first.astype(np.float64)
        back = math.floor((settings.rise_s + settings.smoothing_s) / self.hop_s + _TOLERANCE)
        columns = np.arange(back + attack + 1)
        rows = first[:, None] + columns - back
        begins = np.array(self.begins)
        begin = begins[np.searchsorted(begins, first, side="right") - 1]
        odds = np.where(rows < begin[:, None], np.inf, self._odds[rows])
        lowest = odds[:, : back + 1].argmin(axis=1)
        least, peak = odds[np.arange(len(odds)), lowest], odds[:, back:].max(axis=1)
        level = least + RISE_SHARE * (peak - least)
        reached = (odds >= level[:, None]) & (columns > lowest[:, None])
        after = reached.argmax(axis=1)
        high, low = (self._odds[first - back + after - one] for one in (0, 1))
        share = np.where(high > low, (level - low) / np.where(high > low, high - low, 1.0), 0.0)
        risen = first - back + after - 1 + share
        return np.where(reached.any(axis=1), risen, first)

    def truths(self, label: str) -> NDArray[np.float64]:
        """Return onset and offset of each sound of the class in rows, shape (sounds, 2), ascending."""
        if label not in self._truths:
            self._truths[label] = self._find(label)
        return self._truths[label]

    def _find(self, label: str) -> NDArray[np.float64]:
        found = [
            (begin + onset_s / self.hop_s - 1, begin + offset_s / self.hop_s - 1)
            for begin, stream in zip(self.begins, self.streams, strict=True)
            for truth, onset_s, offset_s in stream.sounds
            if truth == label
        ]
        return np.array(sorted(found)).reshape(-1, 2)

    def first_below(self, row: float, level: float) -> int | None:
        """Return the first row from ``row`` on with a score below ``level``, within the same stream."""
        begin = math.ceil(row)
        end = next((b for b in self.begins if b > begin), len(self._scores)) - _rows(self._GAP_S, self.hop_s)
        below = np.flatnonzero(self._scores[begin:end] < level)
        return begin + int(below[0]) if len(below) else None


def _rows(seconds: float, hop_s: float) -> int:
    return math.ceil(seconds / hop_s - _TOLERANCE)


def _run(holds: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the number of consecutive true rows up to and including each row."""
    at = np.arange(len(holds))
    run: NDArray[np.int64] = at - np.maximum.accumulate(np.where(holds, -1, at))
    return run


def smoothed(scores: NDArray[np.float32], smoothing_s: float, hop_s: float) -> NDArray[np.float64]:
    """Return the trailing mean as the event logic computes it: over the rows available at the start."""
    span = max(1, _rows(smoothing_s, hop_s))
    sums = np.cumsum(np.concatenate([np.zeros(1), scores.astype(np.float64)]))
    ends = np.arange(1, len(scores) + 1)
    begins = np.maximum(0, ends - span)
    means: NDArray[np.float64] = (sums[ends] - sums[begins]) / (ends - begins)
    return means
