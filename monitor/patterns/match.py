"""Measure how well the level of a spectral line follows a pattern.

The level in dB over time is held against templates of the pattern: all its deviations within the
tolerance, ending at each of the newest frames. A template weighs frames in which the tone must be
on and frames in which it must be off; what follows a beep at once is left out, because a room
rings on. The score is the correlation of the level with on and off,

    r = d / √(d² + 2 (v₁ + v₀)),   d = m₁ − m₀,

with means m and variances v of the level over the frames on (1) and off (0), each class counting
half. It is 1 for a clean pattern, about 0.75 for a regular beep without the pause, 0 for a steady
tone. The level is limited to a range below its usual value when on, so that neither a loud
sound meanwhile nor the depth of silence sways it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from monitor.patterns.lines import FRAMES, frames_of
from monitor.patterns.spec import Pattern

_RANGE_DB = 18.0
"""The level counts down to so far below the beeps."""

_WORTH, _WORTH_DB = 0.7, 4.0
"""A lower correlation and a lower contrast are not looked at any closer."""

_OVER_DB = 3.0
"""… and up to so far above them."""

_RINGING_S = 0.5
"""At most so much of a silence is left to the room."""

_GAP_DB = 1.5
"""A gap must be so much fainter than both beeps beside it."""

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Match:
    """The best template at some time.

    score : r, 0 … 1
    contrast_db : level of the beeps over that between them
    weakest_db : level of the faintest beep over the middle between on and off
    gaps : share of the gaps within groups that are clearly fainter than the beeps beside them
    occupied : share of the fullest pause in which the level was nearer to on than to off
    beyond_db : level of the last beep of a group over what is where one more would be; infinite if none fits
    tonal : share of the frames on in which the line was one
    end : frames before the newest at which the last beep ended
    """

    score: float
    contrast_db: float
    weakest_db: float
    gaps: float
    occupied: float
    beyond_db: float
    tonal: float
    end: int


@dataclass(frozen=True)
class _Template:
    """Weights of one deviation over the window's frames, the last frame being the end of the last beep."""

    on: Array
    off: Array
    silences: tuple[tuple[int, int], ...]
    beeps: tuple[tuple[int, int], ...]
    gaps: tuple[tuple[int, int], ...]
    before: tuple[int, ...]
    beyond: tuple[tuple[int, int], ...]
    last: tuple[int, ...]


class Matcher:
    """Holds levels of lines against one pattern.

    Parameters
    ----------
    pattern : what to look for
    frame_s : seconds a frame
    """

    def __init__(self, pattern: Pattern, frame_s: float) -> None:
        self.pattern = pattern
        longest = pattern.span_s * (1.0 + pattern.tolerance)
        self._window = frames_of(longest, frame_s) + 1
        self._templates = [_template(*lengths, self._window, frame_s) for lengths in _deviations(pattern)]
        on = np.stack([template.on for template in self._templates])
        off = np.stack([template.off for template in self._templates])
        self._on = on / on.sum(axis=1, keepdims=True)
        self._off = off / off.sum(axis=1, keepdims=True)
        self._smooth = max(1, round(min(pattern.beep_s, pattern.silence_s) / 5 / frame_s))
        self.frames = self._window + FRAMES - 1
        """Newest frames that :meth:`best` wants."""

    def best(self, level_db: Array, lines: NDArray[np.bool_]) -> Match | None:
        """Return the best match that ends in one of the newest :data:`FRAMES` frames; None if it is poor.

        level_db : of the line, shape (frames,)
        lines : whether it was a line, shape (frames,)
        """
        top = float(np.quantile(level_db[lines], 0.75))
        level = np.clip(level_db, top - _RANGE_DB, top + _OVER_DB) - top
        if self._smooth > 1:
            kernel = np.full(self._smooth, 1.0 / self._smooth, np.float32)
            level = np.convolve(np.pad(level, self._smooth // 2, mode="edge"), kernel, "same")
            level = level[self._smooth // 2 :][: len(level_db)]
        level = level.astype(np.float32)
        windows = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(level, self._window).T)
        m1, m0 = self._on @ windows, self._off @ windows
        if (m1 - m0).max() < _WORTH_DB:
            return None
        squares = np.square(windows)
        within = np.maximum(self._on @ squares - m1**2, 0.0) + np.maximum(self._off @ squares - m0**2, 0.0)
        d = np.maximum(m1 - m0, 0.0)
        r = d / np.sqrt(d**2 + 2.0 * within + 1.0)
        which, phase = np.unravel_index(int(r.argmax()), r.shape)
        if r[which, phase] < _WORTH:
            return None
        return self._judge(
            self._templates[which],
            windows[:, phase],
            lines[phase : phase + self._window],
            (float(r[which, phase]), float(m1[which, phase]), float(m0[which, phase])),
            FRAMES - 1 - int(phase),
        )

    def _judge(
        self,
        template: _Template,
        level: Array,
        lines: NDArray[np.bool_],
        found: tuple[float, float, float],
        end: int,
    ) -> Match:
        score, m1, m0 = found
        middle = (m1 + m0) / 2
        beeps = [max(_near(level, part)) for part in template.beeps]
        gaps = [
            min(beeps[before : before + 2]) - min(_near(level, part))
            for before, part in zip(template.before, template.gaps, strict=True)
        ]
        return Match(
            score=score,
            contrast_db=m1 - m0,
            weakest_db=min(beeps) - middle,
            gaps=sum(gap >= _GAP_DB for gap in gaps) / len(gaps) if gaps else 1.0,
            occupied=max(min(_near(level > middle, part)) for part in template.silences),
            beyond_db=min(
                (
                    beeps[last] - max(_near(level, part))
                    for last, part in zip(template.last, template.beyond, strict=True)
                ),
                default=np.inf,
            ),
            tonal=float(lines[template.on > 0].mean()),
            end=end,
        )


def _near(level: Array | NDArray[np.bool_], part: tuple[int, int]) -> list[float]:
    """Mean values of a part of the window, and of the same a frame earlier and later."""
    begin, stop = part
    shifts = [shift for shift in (-1, 0, 1) if begin + shift >= 0 and stop + shift <= len(level)]
    return [float(level[begin + shift : stop + shift].mean()) for shift in shifts]


def _deviations(pattern: Pattern) -> Iterator[tuple[Pattern, float, float]]:
    """All clocks of beeps and of pauses within the tolerance."""
    beeps, pauses = (
        1.0 + np.linspace(-pattern.tolerance, pattern.tolerance, steps) for steps in pattern.steps
    )
    for scale, pause in product(beeps, pauses):
        yield pattern, float(scale), float(pause)


def _template(pattern: Pattern, scale: float, pause: float, window: int, frame_s: float) -> _Template:
    beep_s, gap_s, pause_s = pattern.beep_s * scale, pattern.gap_s * scale, pattern.pause_s * pause
    beeps: list[tuple[float, float]] = []
    gaps: list[tuple[float, float]] = []
    before: list[int] = []
    quiet = [(-pattern.quiet_s * scale, 0.0)]
    at = 0.0
    for number in range(pattern.groups * pattern.count):
        if number:
            within = number % pattern.count > 0
            silence = (at, at + (gap_s if within else pause_s))
            (gaps if within else quiet).append(silence)
            before += [number - 1] if within else []
            at = silence[1]
        beeps.append((at, at + beep_s))
        at += beep_s
    shift = window * frame_s - at
    free = min(gap_s, (pause_s - beep_s) / 2)
    beyond = [(begin + free, begin + free + beep_s) for begin, _ in quiet[1:] if free >= frame_s]
    # Nothing rings into the first silence: before it lies a pause, or no alarm yet.
    off = [*(_after_ringing(*gap) for gap in gaps), quiet[0], *(_after_ringing(*one) for one in quiet[1:])]
    return _Template(
        on=_weights(beeps, shift, window, frame_s),
        off=_weights(off, shift, window, frame_s),
        silences=tuple(_whole(begin + shift, stop + shift, frame_s) for begin, stop in off[len(gaps) :]),
        beeps=tuple(_whole(begin + shift, stop + shift, frame_s) for begin, stop in beeps),
        gaps=tuple(_whole(begin + shift, stop + shift, frame_s) for begin, stop in off[: len(gaps)]),
        before=tuple(before),
        beyond=tuple(_whole(begin + shift, stop + shift, frame_s) for begin, stop in beyond),
        last=tuple(range(pattern.count - 1, len(beeps) - 1, pattern.count))[: len(beyond)],
    )


def _after_ringing(begin: float, stop: float) -> tuple[float, float]:
    return begin + min(_RINGING_S, (stop - begin) / 2), stop


def _weights(parts: list[tuple[float, float]], shift: float, window: int, frame_s: float) -> Array:
    """The share of each frame that lies in the parts; less than half is left out."""
    edges = np.arange(window + 1) * frame_s - shift
    begins, stops = np.array(parts).T[:, :, None]
    # Seconds of each part before an edge; from edge to edge, what lies in the frame between.
    before = np.clip(edges, begins, stops).sum(axis=0)
    share = np.diff(before) / frame_s
    share[share < 0.5] = 0.0
    return share.astype(np.float32)


def _whole(begin: float, stop: float, frame_s: float) -> tuple[int, int]:
    """The frames that lie mostly in a part, at least one."""
    first = max(0, round(begin / frame_s))
    return first, max(first + 1, round(stop / frame_s))
