"""Which stretch belongs to which clip, for any events."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from monitor.clips.spans import Mark, Span, Spans

BEFORE, AFTER, LONGEST, HOLD, LATE = 20, 30, 200, 60, 40

events = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 250), st.integers(0, LATE)), max_size=12)


def clips(found: list[tuple[int, int, int]]) -> list[Span]:
    """The clips of events given by onset, duration and how late each is decided, in order of completion."""
    spans, done = Spans(before=BEFORE, after=AFTER, longest=LONGEST, hold=HOLD), []
    begun = [(onset + late, 0, key) for key, (onset, _, late) in enumerate(found)]
    ended = [(onset + late + length, 1, key) for key, (onset, length, late) in enumerate(found)]
    for now, kind, key in sorted(begun + ended):
        done += spans.complete(now)
        onset, length, _late = found[key]
        if kind == 0:
            spans.begin(Mark(key, "dog", str(key), onset), now, str(key))
        else:
            spans.end(key, max(onset, onset + length))
    return done + spans.close()


def bounds(found: list[Span]) -> list[tuple[int, int]]:
    return [(span.start, span.end) for span in found]


def decided(key: int, found: list[tuple[int, int, int]]) -> tuple[int, int]:
    """When an event was decided; of two at once the one that came first."""
    onset, _, late = found[key]
    return onset + late, key


def reach(span: Span, other: Span, found: list[tuple[int, int, int]]) -> int:
    """How far the events of a clip reach that were known when another clip began."""
    begun = min(decided(mark.key, found) for mark in other.marks)
    known = [found[mark.key] for mark in span.marks if decided(mark.key, found) < begun]
    return max((onset + length + AFTER for onset, length, _ in known), default=0)


def test_a_clip_has_its_lead_and_its_tail() -> None:
    assert bounds(clips([(100, 50, 10)])) == [(80, 180)]
    assert bounds(clips([(5, 10, 10)])) == [(0, 45)], "nothing lies before the stream"


def test_clips_that_overlap_are_joined_and_others_are_not() -> None:
    joined = clips([(100, 10, 5), (155, 10, 5)])
    assert bounds(joined) == [(80, 195)]
    assert [mark.position for mark in joined[0].marks] == [100, 155]
    assert bounds(clips([(100, 10, 5), (161, 10, 5)])) == [(80, 140), (141, 201)]


def test_a_long_event_keeps_its_beginning() -> None:
    assert bounds(clips([(100, 1000, 5)])) == [(80, 280)]


def test_an_event_that_begins_when_a_clip_is_nearly_full_gets_one_of_its_own() -> None:
    assert bounds(clips([(100, 1000, 5), (270, 10, 5)])) == [(80, 280), (250, 310)]


@given(events)
def test_every_onset_is_in_one_clip_that_is_no_longer_than_allowed(found: list[tuple[int, int, int]]) -> None:
    done = clips(found)
    assert sorted(mark.key for span in done for mark in span.marks) == list(range(len(found)))
    for span in done:
        assert 0 < span.end - span.start <= LONGEST
        for mark in span.marks:
            assert span.start <= mark.position < span.end
        first = min(span.marks, key=lambda mark: mark.position)
        assert span.start <= max(0, first.position - BEFORE) or span.marks[0] != first


@example([(0, 0, 22), (21, 0, 0)])
@example([(0, 0, 0), (12, 0, 40), (51, 0, 0)])
@given(events)
def test_clips_overlap_only_if_the_earlier_one_is_full(found: list[tuple[int, int, int]]) -> None:
    done = sorted(clips(found), key=lambda span: span.start)
    for number, one in enumerate(done):
        for other in done[number + 1 :]:
            full = min(mark.position for mark in other.marks) + AFTER > one.limit
            # An event of the earlier one was only decided when the other clip had begun.
            late = reach(one, other, found) <= other.start
            assert one.end <= other.start or full or late
