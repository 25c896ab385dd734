"""Rows, settings and streams for the tests of the event logic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np
from hypothesis import strategies as st

from monitor.events.loud import LoudSettings
from monitor.events.tracker import EventTracker
from monitor.records import Decision, Level
from monitor.settings import ClassSettings

RATE = 16000
HOP = 4000
HOP_S = 0.25

QUIET = Level(rms_dbfs=-50.0, peak_dbfs=-40.0, background_dbfs=-55.0, clipped=0)


def tracker_of(
    settings: Mapping[str, ClassSettings] | ClassSettings, loud: LoudSettings | None = None
) -> EventTracker:
    """A tracker of the given classes in their order; a lone one is called ``siren``."""
    if isinstance(settings, ClassSettings):
        settings = {"siren": settings}
    return EventTracker(list(settings), settings, rate=RATE, hop=HOP, loud=loud)


def feed(
    tracker: EventTracker,
    rows: Sequence[float] | Sequence[Sequence[float]],
    *,
    positions: Sequence[int] | None = None,
    levels: Sequence[Level] | None = None,
) -> list[Decision]:
    """Push rows (scores of one class, or of all); row 0 ends at one hop unless positions say otherwise."""
    decisions: list[Decision] = []
    for index, row in enumerate(rows):
        position = (index + 1) * HOP if positions is None else positions[index]
        level = QUIET if levels is None else levels[index]
        decisions += tracker.push(position, np.atleast_1d(np.array(row, np.float32)), level)
    return decisions


def hops(decisions: Sequence[Decision]) -> list[tuple[str, float, float]]:
    """(type, decided, start or end) of each, in hops."""
    return [
        (d.type, d.decided_pos / HOP, (d.start_pos if d.end_pos is None else d.end_pos) / HOP)
        for d in decisions
    ]


def positions_of(steps: Sequence[int]) -> list[int]:
    return list(accumulate(steps))


seconds = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.6, 1.0, 2.0])
shifts = st.sampled_from([0.0, 0.1, 0.5, 1.5, -0.3, -1.0])
# Few distinct scores, so that thresholds are often met exactly.
scores = st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])


@st.composite
def class_settings(draw: st.DrawFn) -> ClassSettings:
    low, high = sorted([draw(scores), draw(scores)])
    return ClassSettings(
        enter=max(high, 0.1),
        exit=max(low, 0.1),
        attack_s=draw(seconds),
        release_s=draw(seconds),
        smoothing_s=draw(seconds),
        min_duration_s=draw(seconds),
        cooldown_s=draw(seconds),
        min_level_dbfs=draw(st.sampled_from([-120.0, -45.0])),
        onset_shift_s=draw(shifts),
        rise_s=draw(st.sampled_from([0.0, 0.0, 0.5, 2.4])),
        offset_shift_s=draw(shifts),
    )


levels = st.sampled_from([QUIET, Level(-30.0, -20.0, -55.0, 0), Level(-120.0, -120.0, -55.0, 0)])
# Mostly hop by hop; sometimes the shorter tail, a small loss, a lost row, a long gap.
steps = st.one_of(st.just(HOP), st.sampled_from([HOP, HOP, 1500, HOP + 700, 2 * HOP, 3 * HOP, 20 * HOP]))
