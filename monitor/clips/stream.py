"""The clips of one stream: follows its blocks, hops and decisions, and hands over complete clips.

Audio is taken as the source delivers it, before it is resampled for the model: a clip is then the recording
itself, with all that a person or an office may want to hear of it. Everything is decided by positions of
hops and decisions, so that clips do not depend on the sizes of blocks. Nothing here blocks; memory is
bounded by the longest clip.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.clips.audio import Piece, RecentAudio
from monitor.clips.names import clip_name
from monitor.clips.spans import Mark, Span, Spans
from monitor.records import AudioBlock, Decision, HopResult

MOST_SAMPLES = 16_000_000
"""Longest clip at any rate: 32 MB."""

LATE_S = 15.0
"""Onsets further back than this at their decision lose some of their lead."""

_SPEECH_LOGIT = float(np.log(0.1 / 0.9))
"""A hop holds speech if a label of speech reaches a score of 0.1: rather a clip too few."""


@dataclass(frozen=True)
class ClipRules:
    """What a clip holds.

    Parameters
    ----------
    labels : frozenset of str or None
        Labels whose events make clips; None = all.
    speech : tuple of int
        Columns of the ``sounds`` output that mean speech; empty = speech is not looked for.
    rate, window : int
        Of the model, Hz and samples.
    """

    before_s: float
    after_s: float
    longest_s: float
    labels: frozenset[str] | None
    speech: tuple[int, ...]
    rate: int
    window: int


@dataclass(frozen=True)
class Clip:
    """A complete clip, on its way to the disk.

    Parameters
    ----------
    path : str
        Relative to the folder of the clips.
    start, end : int
        Bounds in the stream, samples.
    utc : float
        Seconds since 1970 at ``start``.
    """

    path: str
    rate: int
    start: int
    end: int
    utc: float
    marks: Sequence[Mark]
    pieces: Sequence[Piece]


class StreamClips:
    """Cuts the clips of one stream.

    Parameters
    ----------
    source_rate : int
        Of the blocks, Hz.
    keep : callable
        Called with each complete clip; must not block for long.
    """

    def __init__(self, rules: ClipRules, source_rate: int, keep: Callable[[Clip], None]) -> None:
        self._rules = rules
        self._rate = source_rate
        self._keep = keep
        self._window = self._at_source(rules.window)
        self._spans = Spans(
            before=round(rules.before_s * source_rate),
            after=round(rules.after_s * source_rate),
            longest=min(round(rules.longest_s * source_rate), MOST_SAMPLES),
            hold=round((rules.before_s + LATE_S) * source_rate) + self._window,
        )
        self._audio = RecentAudio()
        self._speech: deque[int] = deque()
        self._starts: dict[str, tuple[int, float]] = {}
        self._now = 0

    def push(self, block: AudioBlock) -> None:
        """Take a block, before its hops."""
        self._audio.push(block)

    def on_hop(self, hop: HopResult) -> None:
        """Follow a hop, before its decisions."""
        self._now = self._at_source(hop.position)
        if hop.sounds is not None and any(hop.sounds[i] >= _SPEECH_LOGIT for i in self._rules.speech):
            self._speech.append(self._now)
        self._hand_over(self._spans.complete(self._now))
        oldest = self._spans.needed_from(self._now)
        self._audio.forget(oldest)
        while self._speech and self._speech[0] <= oldest:
            self._speech.popleft()

    def begin(self, decision: Decision, event_id: str, start_utc: float) -> str | None:
        """Return the path of the clip that a starting event will be in; None if it will be in none."""
        if self._rules.labels is not None and decision.label not in self._rules.labels:
            return None
        onset = self._at_source(decision.start_pos)
        name = clip_name(start_utc, decision.label, event_id)
        span = self._spans.begin(Mark(decision.key, decision.label, event_id, onset), self._now, name)
        if span.path == name:
            self._starts[name] = (onset, start_utc)
        return self._path(span)

    def end(self, decision: Decision) -> str | None:
        """Return the path of the clip that an ending event is in; None if it is in none."""
        end = decision.decided_pos if decision.end_pos is None else decision.end_pos
        span = self._spans.end(decision.key, self._at_source(end))
        return None if span is None else self._path(span)

    def close(self) -> None:
        """Complete the clips with the audio that there is; the stream ends or pauses."""
        self._hand_over(self._spans.close())

    def _hand_over(self, spans: Sequence[Span]) -> None:
        for span in spans:
            end = min(span.end, self._audio.end)
            onset, utc = self._starts.pop(span.path)
            if end <= span.start or self._holds_speech(span):
                continue
            pieces = self._audio.pieces(span.start, end)
            start_utc = utc - (onset - span.start) / self._rate
            self._keep(Clip(span.path, self._rate, span.start, end, start_utc, span.marks, pieces))

    def _holds_speech(self, span: Span) -> bool:
        """Return whether a window with speech touches the clip."""
        return any(span.start < at and at - self._window < span.end for at in self._speech)

    def _path(self, span: Span) -> str | None:
        return None if self._holds_speech(span) else span.path

    def _at_source(self, position: int) -> int:
        return round(position * self._rate / self._rules.rate)
