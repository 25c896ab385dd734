"""The clips of a stream hold what its source delivered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count, pairwise
from typing import Any

import numpy as np
import pytest
from streams import HOP, RATE, WINDOW, pipeline

from monitor.clips.audio import joined
from monitor.clips.stream import LATE_S, Clip, ClipRules, StreamClips
from monitor.clock import FileClock
from monitor.config.notice_sections import Notices
from monitor.config.notices import make_notices, utc_time
from monitor.records import AudioBlock, Decision, EventRecord, HopResult, Level
from monitor.stream.recorder import Origin, Recorder, counted_ids

START_UTC = 1_777_672_800.0
SOURCE_RATE = 11025
RULES = ClipRules(before_s=0.5, after_s=0.7, longest_s=10.0, labels=None, speech=(), rate=RATE, window=WINDOW)


def bursts(*seconds: float, length_s: float = 30.0) -> np.ndarray:
    """16 bits with a burst of noise of 0.6 s at each of the times, shape (n,)."""
    random = np.random.default_rng(1)
    samples = random.normal(0.0, 3.0, round(length_s * SOURCE_RATE))
    for at in seconds:
        first, last = round(at * SOURCE_RATE), round((at + 0.6) * SOURCE_RATE)
        samples[first:last] = random.normal(0.0, 9000.0, last - first)
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)


def record(
    pcm: np.ndarray, cuts: Sequence[int] = (), rules: ClipRules = RULES, lost: range = range(0)
) -> tuple[list[Clip], list[EventRecord]]:
    """The clips and records of a stream that comes in blocks cut at ``cuts``, without the lost samples."""
    found: list[Clip] = []
    clips = StreamClips(rules, SOURCE_RATE, found.append)
    stream = pipeline(SOURCE_RATE)
    recorder = Recorder(
        Origin(node="n", model="m", model_version="1", rate=RATE),
        clock=FileClock(START_UTC),
        numbers=count(1),
        new_id=counted_ids(),
        notices=make_notices(Notices(), utc_time),
        clips=clips,
    )
    records: list[EventRecord] = []

    def follow(hop: HopResult) -> None:
        clips.on_hop(hop)
        records.extend(recorder.record(decision) for decision in hop.decisions)

    samples = pcm.astype(np.float32) / np.float32(32768.0)
    for begin, end in pairwise([0, *cuts, len(samples)]):
        if begin in lost:
            continue
        block = AudioBlock(samples[begin:end], begin)
        clips.push(block)
        for hop in stream.push(block):
            follow(hop)
    for hop in stream.flush():
        follow(hop)
    records.extend(recorder.record(decision) for decision in stream.close("stopped"))
    clips.close()
    return found, records


def content(clip: Clip) -> tuple[Any, ...]:
    samples = joined(clip.pieces, clip.start, clip.end)
    return clip.path, clip.start, clip.end, clip.utc, tuple(clip.marks), samples.tobytes()


@pytest.mark.parametrize("block", [37, HOP - 1, HOP, 4096, 200_000])
def test_clips_equal_the_source_bit_by_bit_for_any_size_of_blocks(block: int) -> None:
    pcm = bursts(3.0, 12.0, 29.0)
    found, _ = record(pcm, range(block, len(pcm), block))
    assert len(found) == 3
    for clip in found:
        assert np.array_equal(joined(clip.pieces, clip.start, clip.end), pcm[clip.start : clip.end])
    assert [content(clip) for clip in found] == [content(clip) for clip in record(pcm)[0]]


def test_a_clip_reaches_around_the_event_of_its_record() -> None:
    found, records = record(bursts(3.0))
    (clip,) = found
    starts = [one for one in records if one.type == "start"]
    ends = [one for one in records if one.type == "end"]
    first, last = min(one.start_s for one in starts), max(one.end_s or 0.0 for one in ends)
    assert clip.start / SOURCE_RATE == pytest.approx(first - 0.5, abs=0.001)
    assert clip.end / SOURCE_RATE == pytest.approx(last + 0.7, abs=0.001)
    assert clip.utc == pytest.approx(START_UTC + first - 0.5, abs=0.001)
    onsets = {mark.event_id: mark.position / SOURCE_RATE for mark in clip.marks}
    assert onsets == {one.event_id: pytest.approx(one.start_s, abs=0.001) for one in starts}
    assert {one.clip for one in records} == {clip.path}
    assert clip.path.startswith("2026-05-01/")
    assert clip.path.endswith(".flac")


def test_events_whose_clips_overlap_share_one() -> None:
    found, records = record(bursts(3.0, 4.6, 12.0))
    assert len(found) == 2
    assert {one.clip for one in records if one.start_s < 8} == {found[0].path}


def test_lost_audio_is_silence_so_that_positions_hold() -> None:
    pcm, cuts = bursts(3.0), range(1000, 30 * SOURCE_RATE, 1000)
    (clip,), _ = record(pcm, cuts, lost=range(34000, 36000))
    expected = pcm.copy()
    expected[34000:36000] = 0
    assert np.array_equal(joined(clip.pieces, clip.start, clip.end), expected[clip.start : clip.end])


def test_only_the_chosen_labels_are_recorded() -> None:
    found, records = record(bursts(3.0), rules=replace(RULES, labels=frozenset({"high"})))
    assert {one.label for one in records if one.clip} == {"high"}
    assert {one.label for one in records} == {"low", "high"}
    assert {mark.label for clip in found for mark in clip.marks} == {"high"}


def hop(position: int, speech: float = -9.0) -> HopResult:
    sounds = np.array([9.0, speech], np.float32)
    return HopResult(
        position, position / RATE, np.zeros(3, np.float32), Level(-20, -10, -50, 0), sounds=sounds
    )


@pytest.mark.parametrize(
    ("speech_s", "kept"),
    [(None, True), (2.0, True), (2.5, True), (2.6, False), (3.0, False), (4.1, False), (4.5, True)],
)
def test_a_clip_that_a_window_with_speech_touches_is_not_kept(speech_s: float | None, kept: bool) -> None:
    # The event lasts from 3.0 to 3.5 s, the clip from 2.5 to 4.2 s; a window is 0.3 s long.
    stored: list[Clip] = []
    clips = StreamClips(replace(RULES, speech=(1,)), RATE, stored.append)
    record_of = _decide(clips)
    for number in range(1, 300):
        position = number * HOP
        clips.push(AudioBlock(np.zeros(HOP, np.float32), position - HOP))
        talks = speech_s is not None and position == round(speech_s * RATE)
        clips.on_hop(hop(position, 0.0 if talks else -9.0))
        record_of(position)
    clips.close()
    assert bool(stored) == kept


def _decide(clips: StreamClips) -> Callable[[int], None]:
    """Returns what begins an event at 3.0 s and ends it at 3.5 s, each decided a little later."""
    start = Decision("start", 1, "dog", 0, 3 * RATE, None, 1, 1, 0.5, -20, 20, ())
    end = replace(start, type="end", end_pos=round(3.5 * RATE))

    def follow(position: int) -> None:
        if position == round(3.2 * RATE):
            clips.begin(start, "id-1", START_UTC)
        if position == round(3.9 * RATE):
            clips.end(end)

    return follow


def test_memory_is_bounded_by_the_longest_clip() -> None:
    found: list[Clip] = []
    clips = StreamClips(replace(RULES, before_s=0.5, longest_s=5.0), RATE, found.append)
    follow = _decide(clips)
    most = 0
    for number in range(1, 1000):
        clips.push(AudioBlock(np.zeros(HOP, np.float32), (number - 1) * HOP))
        clips.on_hop(hop(number * HOP))
        if number < 35:
            follow(number * HOP)  # the event never ends
        most = max(most, sum(len(samples) for _, samples in clips._audio._pieces))
    assert most <= round((5.0 + 0.5 + LATE_S) * RATE) + WINDOW + 2 * HOP
    assert [clip.end - clip.start for clip in found] == [5 * RATE]
