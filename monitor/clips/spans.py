"""Which stretch of a stream belongs to which clip; pure, in samples at the source's rate.

A clip reaches from ``before`` samples ahead of its first onset to ``after`` samples behind its last end,
but is never longer than ``longest``. An event that begins within a clip joins it, unless the clip would be
full soon after the onset: then a clip of its own begins, with its own lead.

A clip is complete ``hold`` samples after its end. No later event can reach back into it: an onset lies at
most ``hold − before`` samples back, or counts as if it did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Mark:
    """The onset of an event.

    Parameters
    ----------
    key : int
        Of the decision; links a start to its end within the stream.
    position : int
        Samples since the start of the stream.
    """

    key: int
    label: str
    event_id: str
    position: int


@dataclass
class Span:
    """A clip that is not complete yet; ``limit`` is the position at which it is full.

    Parameters
    ----------
    path : str
        Of the file to be, relative to the folder of the clips.
    ends : int
        End of the latest event that has ended, with what follows it.
    """

    path: str
    start: int
    limit: int
    ends: int
    marks: list[Mark] = field(default_factory=list)
    open: set[int] = field(default_factory=set)

    @property
    def end(self) -> int:
        """Where the clip ends as far as is known: at its limit while an event lasts."""
        return self.limit if self.open else min(self.ends, self.limit)


class Spans:
    """The clips of one stream that are not complete yet.

    Parameters
    ----------
    before, after, longest, hold : int
        See the module; samples.
    """

    def __init__(self, *, before: int, after: int, longest: int, hold: int) -> None:
        self._before = before
        self._after = after
        self._longest = longest
        self._hold = hold
        self._spans: list[Span] = []

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)

    def begin(self, mark: Mark, now: int, path: str) -> Span:
        """Put an event into the clip that it overlaps, or into a new one at ``path``.

        Parameters
        ----------
        now : int
            Position at which the start was decided.
        """
        start = max(0, now - self._hold, mark.position - self._before)
        span = next((one for one in self._spans if self._joins(one, start, mark)), None)
        if span is None:
            span = Span(path, start, start + self._longest, mark.position)
            self._spans.append(span)
        span.marks.append(mark)
        span.open.add(mark.key)
        return span

    def end(self, key: int, position: int) -> Span | None:
        """End an event; return its clip, or None if it has none or it is complete already."""
        span = next((one for one in self._spans if key in one.open), None)
        if span is not None:
            span.open.discard(key)
            span.ends = max(span.ends, position + self._after)
        return span

    def complete(self, now: int) -> list[Span]:
        """Return and forget the clips that nothing after ``now`` can change."""
        done = [span for span in self._spans if span.end + self._hold <= now]
        self._spans = [span for span in self._spans if span not in done]
        return done

    def needed_from(self, now: int) -> int:
        """Position of the oldest sample that a clip may still need."""
        return min([now - self._hold, *(span.start for span in self._spans)])

    def close(self) -> list[Span]:
        """Return and forget all clips: the stream has ended."""
        done, self._spans = self._spans, []
        return done

    def _joins(self, span: Span, start: int, mark: Mark) -> bool:
        return span.start <= mark.position and start <= span.end and mark.position + self._after <= span.limit
