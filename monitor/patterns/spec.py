"""What a temporal alarm pattern is: groups of equal beeps at one frequency, with pauses between them."""

from __future__ import annotations

from dataclasses import dataclass

SPAN_MAX_S = 30.0
"""Longest two cycles that a pattern may have; it bounds the detector's memory."""

SHORTEST_S = 0.06
"""Shortest beep, gap and pause: a frame of the analysis is up to 0.032 s long."""

STEPS_MAX = 1000
"""Most combinations of deviations that are tried; it bounds the detector's time."""

_LATE_S = 1.0
"""A match is found at the end of a chunk of about a second."""

Band = tuple[float, float]


@dataclass(frozen=True)
class Pattern:
    """``count`` beeps, then a pause, again and again.

    Parameters
    ----------
    label : of the events
    bands : lowest and highest frequency of the tone, Hz; the tone lies in one of them
    beep_s, gap_s : length of a beep and of the silence between two beeps of a group
    count : beeps in a group
    pause_s : silence between the last beep of a group and the first of the next
    tolerance : relative deviation that is accepted; the beeps and gaps of a group share one
        deviation (one clock makes them), the pauses have their own
    longest_pause_s : pause that does not end the alarm once it was recognised; 0 = a cycle

    Raises
    ------
    ValueError : a length that is too short, a pause that is not clearly longer than a gap,
        a band upside down, more deviations than :data:`STEPS_MAX`,
        or two cycles longer than :data:`SPAN_MAX_S`
    """

    label: str
    bands: tuple[Band, ...]
    beep_s: float
    gap_s: float
    count: int
    pause_s: float
    tolerance: float = 0.1
    longest_pause_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("beep_s", "gap_s", "pause_s"):
            if (value := getattr(self, name)) < SHORTEST_S:
                raise ValueError(f"{self.label}: {name} is {value:.3g}; it must be {SHORTEST_S:g} or more")
        if self.count < 1:
            raise ValueError(f"{self.label}: count must be 1 or more")
        if not 0.0 <= self.tolerance <= 0.25:
            raise ValueError(f"{self.label}: tolerance must be 0 … 0.25")
        if self.count > 1 and self.pause_s < 1.5 * self.gap_s:
            raise ValueError(
                f"{self.label}: pause_s is {self.pause_s:.3g}; it must be at least 1.5 × gap_s, "
                "or groups cannot be told apart; for regular beeps set count: 1"
            )
        if not self.bands or any(not 0.0 < low < high for low, high in self.bands):
            raise ValueError(f"{self.label}: a band must be two frequencies, the lower one first")
        if self.steps[0] * self.steps[1] > STEPS_MAX:
            raise ValueError(f"{self.label}: beeps too short for such pauses; lower tolerance or pause_s")
        if self.span_s > SPAN_MAX_S:
            raise ValueError(
                f"{self.label}: its groups take {self.span_s:.1f} s; they must fit into {SPAN_MAX_S:g} s"
            )

    @property
    def silence_s(self) -> float:
        """The shortest silence between two beeps."""
        return self.gap_s if self.count > 1 else self.pause_s

    @property
    def group_s(self) -> float:
        """From the first beep's start to the last beep's end."""
        return self.count * self.beep_s + (self.count - 1) * self.gap_s

    @property
    def cycle_s(self) -> float:
        return self.group_s + self.pause_s

    @property
    def groups(self) -> int:
        """Groups that must be seen: two, or as many as hold four beeps, so that two taps are no pattern."""
        return max(2, -(-4 // self.count))

    @property
    def span_s(self) -> float:
        """What must be seen: all groups and the silence before them, at the nominal clock."""
        return self.quiet_s + (self.groups - 1) * self.cycle_s + self.group_s

    @property
    def hold_s(self) -> float:
        """How long a match counts after the last beep: until the next group should have been matched."""
        return self.cycle_s * (1.0 + self.tolerance) + _LATE_S

    @property
    def release_s(self) -> float:
        """How long the match may be missing: one group, or the longest pause."""
        return max(self.cycle_s, self.longest_pause_s - self.cycle_s)

    @property
    def onset_s(self) -> float:
        """From the first beep's start to the match of the last group that is needed."""
        return self.span_s - self.quiet_s + _LATE_S / 2

    @property
    def steps(self) -> tuple[int, int]:
        """Deviations of beeps and of pauses to try, so that none misses a beep or a gap by over a quarter."""
        shortest = min(self.beep_s, self.silence_s)
        within = min(0.5, shortest / (4 * self.group_s))
        between = shortest / (4 * self.pause_s * (self.groups - 1))
        beeps, pauses = (max(1, round(self.tolerance / step)) for step in (within, between))
        return 2 * beeps + 1, 2 * pauses + 1

    @property
    def quiet_s(self) -> float:
        """Silence before the first group that is checked: room for the beep that must not be there."""
        return min(self.pause_s, self.beep_s + self.gap_s)


@dataclass(frozen=True)
class Regular:
    """Equal beeps of one tone at equal distances, of any frequency and length within these bounds.

    Parameters
    ----------
    label : of the events
    bands : lowest and highest frequency of the tone, Hz
    count : beeps that must be seen at least
    lasting_s : from the first of these to the last at least; quick beeps must be more
    beep_s : shortest and longest beep
    period_s : shortest and longest time from beep to beep
    """

    label: str
    bands: tuple[Band, ...]
    count: int
    lasting_s: float
    beep_s: tuple[float, float]
    period_s: tuple[float, float]

    @property
    def span_s(self) -> float:
        """What must be seen of the slowest."""
        return max(self.lasting_s + self.period_s[1], (self.count - 1) * self.period_s[1] + self.beep_s[1])

    @property
    def hold_s(self) -> float:
        """How long a match counts: until the slowest beep should have been matched again."""
        return self.period_s[1] + _LATE_S

    @property
    def release_s(self) -> float:
        """How long the match may be missing."""
        return self.period_s[1]

    @property
    def onset_s(self) -> float:
        """From the first beep to the match, of beeps that are neither slow nor quick."""
        return self.count - 1 + _LATE_S / 2


_HIGH: Band = (2400.0, 4200.0)
"""Piezo sounders: nominally 2.5 to 4 kHz, with room for their scatter."""

_LOW: Band = (460.0, 580.0)
"""520 Hz ± 10 % (NFPA 72, 18.4.5.3), with half a bin on either side."""

SMOKE_ALARM = Pattern(
    "smoke_alarm", (_LOW, _HIGH), beep_s=0.5, gap_s=0.5, count=3, pause_s=1.5, tolerance=0.1
)
"""Temporal-three: ISO 8201, ANSI/ASA S3.41; every phase ± 10 %."""

CO_ALARM = Pattern(
    "co_alarm",
    (_LOW, _HIGH),
    beep_s=0.1,
    gap_s=0.1,
    count=4,
    pause_s=5.0,
    tolerance=0.1,
    longest_pause_s=67.0,
)
"""Temporal-four: UL 2034, NFPA 720; every phase ± 10 %. After four minutes the pause may be 60 s ± 10 %."""

BEEPS = Regular("beeps", ((425.0, 7520.0),), count=5, lasting_s=3.0, beep_s=(0.1, 2.0), period_s=(0.25, 3.0))
"""An appliance that calls: microwave oven, washing machine, open refrigerator, timer, reversing lorry.

Groups of three or four are none, so neither temporal-three nor temporal-four are; with their gaps filled by
a room they have periods beyond these.
"""
