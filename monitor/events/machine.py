"""The state machine of one class: from smoothed scores to the start and the end of an event.

Theory of operation
===================
A *row* is one hop's score. A class that is off waits for a row at or above ``enter`` that is
loud enough; this row begins the *attack run*. While every further row is such a row the run
goes on, and at the first row that lies ``attack`` samples or more after the run's first, the
event opens. One row that fails ends the run; nothing was said, nothing needs to be taken back.

An open event stays on while rows are at or above ``exit``. The first row below begins the
release; a row at or above ``exit`` takes it back, so shorter gaps join. At the first row that
is still below, ``release`` or more after the release began and ``min_duration`` or more
after the event opened, the event ends. Then the class rests for ``cooldown``, counted from that
decision: whatever it hears meanwhile does not count, not even towards an attack run.

           ┌──── SINK ────┐
           ▼              │
         IDLE ── RISE ─▶ ATTACK ── CONFIRM ─▶ ON ── FALL ─▶ RELEASE
           ▲                                  ▲                │ │
           │                                  └─── RETURN ─────┘ │
           └────────── REST ─── COOLDOWN ◀────── EXPIRE ─────────┘

One row may drive several transitions (with all times 0, IDLE → ATTACK → ON). It never both
ends an event and opens the next: the end needs a row below ``exit`` ≤ ``enter``.

Rows that are missing, because audio was lost, count as rows below every threshold: an attack
run must be heard to be believed, and an event must not outlive what was heard of it. So the
clock ends events, not the next audio that comes. Missing rows do not enter smoothing or means.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from operator import attrgetter

from monitor.events.limits import Limits
from monitor.events.onset import Rise
from monitor.events.run import Run, Tally
from monitor.events.smoothing import TrailingMean
from monitor.events.why import Standing
from monitor.records import SILENCE_DBFS, Decision, EndReason, EventType, Level
from monitor.settings import ClassSettings


class State(Enum):
    IDLE = auto()
    ATTACK = auto()
    ON = auto()
    RELEASE = auto()
    COOLDOWN = auto()


class Signal(Enum):
    RISE = auto()
    SINK = auto()
    CONFIRM = auto()
    FALL = auto()
    RETURN = auto()
    EXPIRE = auto()
    REST = auto()


TRANSITIONS: dict[tuple[State, Signal], State] = {
    (State.IDLE, Signal.RISE): State.ATTACK,
    (State.ATTACK, Signal.SINK): State.IDLE,
    (State.ATTACK, Signal.CONFIRM): State.ON,
    (State.ON, Signal.FALL): State.RELEASE,
    (State.RELEASE, Signal.RETURN): State.ON,
    (State.RELEASE, Signal.EXPIRE): State.COOLDOWN,
    (State.COOLDOWN, Signal.REST): State.IDLE,
}
"""All there are; a signal that its state does not know is a bug and raises KeyError."""

_MISSING = -1.0
"""Score of a row that never came: below every threshold."""


class ClassMachine:
    """One class of one stream.

    Parameters
    ----------
    label : as decisions carry it
    settings : thresholds and seconds
    rate : Hz of all positions
    next_key : gives the key of each event that opens
    since : position before which no event may begin
    loudness : the level that ``min_level_dbfs`` bounds, dBFS
    """

    def __init__(
        self,
        label: str,
        settings: ClassSettings,
        *,
        rate: int,
        next_key: Callable[[], int],
        since: int = 0,
        loudness: Callable[[Level], float] = attrgetter("rms_dbfs"),
    ) -> None:
        self.label = label
        self.loudness = loudness
        self._rate = rate
        self._next_key = next_key
        self._settings: ClassSettings | None = None
        self._state = State.IDLE
        self.configure(settings)
        self.reset()
        self._last_end = since

    def configure(self, settings: ClassSettings) -> None:
        """Follow other settings from the next row on, in the state in which the class is."""
        if settings == self._settings:
            return
        self._settings, self._threshold = settings, settings.enter
        self.limits = Limits.of(settings, self._rate)
        self._mean = TrailingMean(self.limits.smoothing)
        # A trailing mean comes late by its length at most: the rise is of what it averages.
        self._rise = Rise(self.limits.rise + self.limits.smoothing) if self.limits.rise else None
        if self._state is State.ATTACK:
            # Its run was judged by other limits.
            self._state = State.IDLE

    def reset(self) -> None:
        """Forget everything: the next row begins a stream."""
        self._mean.reset()
        if self._rise is not None:
            self._rise.reset()
        self._state = State.IDLE
        # The row that began the state: of the attack run, of the release, of the cooldown.
        self._since = 0
        self._last_end = 0
        self._run = Run(0)
        self._position = 0
        self.smoothed = 0.0
        """The newest row's score after smoothing."""
        # Length of the attack run that ended at the row before the newest.
        self._sunk: int | None = None

    @property
    def on(self) -> bool:
        return self._state is State.ON or self._state is State.RELEASE

    @property
    def standing(self) -> Standing:
        """Where the class stands after the newest row."""
        since = self._position - self._since
        return Standing(
            on=self.on,
            smoothed=self.smoothed,
            attack=since if self._state is State.ATTACK else self._sunk,
            rested=since if self._state is State.COOLDOWN else None,
        )

    def push(self, position: int, score: float, level: Level) -> Decision | None:
        """Take one row; return the event's start or end if this row decides it.

        The decision's ``overlapping`` is empty: a machine knows of no other.
        """
        if self._rise is not None:
            self._rise.push(position, score, self._since if self._state is State.ATTACK else position)
        score = self._mean.push(position, score)
        run_pos = self._since if self._state is State.ATTACK else None
        decided = self._advance(position, score, self.loudness(level))
        state = self._state
        self._sunk = self._position - run_pos if run_pos is not None and state is State.IDLE else None
        self._position, self.smoothed = position, score
        if state is State.RELEASE:
            self._run.pending.add(score, level)
        elif state is State.ATTACK or state is State.ON:
            self._run.heard.add(score, level)
        if decided is Signal.CONFIRM:
            return self._decision("start", position)
        return self._end(position, "released") if decided is Signal.EXPIRE else None

    def miss(self, positions: range) -> Decision | None:
        """Take the news that the rows at ``positions`` never came; they can only end an event."""
        ended = None
        if self._rise is not None:
            for position in positions:
                self._rise.push(position, 0.0, position)
        for position in positions:
            if self._state is State.IDLE:
                break  # whatever is still missing changes nothing
            if self._advance(position, _MISSING, SILENCE_DBFS) is Signal.EXPIRE:
                ended = self._end(position, "released")
        return ended

    def close(self, position: int, reason: EndReason) -> Decision | None:
        """End what is open at ``position`` and forget everything: the stream is over."""
        decision = self._end(position, reason) if self.on else None
        self.reset()
        return decision

    def _advance(self, position: int, score: float, level_dbfs: float) -> Signal | None:
        """Follow the table as far as this row leads; return the signal that decided something."""
        decided = None
        while True:
            signal = self._judge(position, score, level_dbfs)
            if signal is None:
                return decided
            self._state = TRANSITIONS[self._state, signal]
            self._enter(signal, position)
            if signal is Signal.CONFIRM or signal is Signal.EXPIRE:
                decided = signal

    def _judge(self, position: int, score: float, level_dbfs: float) -> Signal | None:
        """The guards: what this row means to the present state; None leaves it as it is."""
        limits, state = self.limits, self._state
        if state is State.IDLE:
            rises = score >= limits.enter and level_dbfs >= limits.min_level_dbfs
            return Signal.RISE if rises else None
        if state is State.ATTACK:
            if score < limits.enter or level_dbfs < limits.min_level_dbfs:
                return Signal.SINK
            return Signal.CONFIRM if position - self._since >= limits.attack else None
        if state is State.ON:
            return Signal.FALL if score < limits.exit else None
        if state is State.RELEASE:
            if score >= limits.exit:
                return Signal.RETURN
            released = position - self._since >= limits.release
            lasted = position - self._run.opened_pos >= limits.min_duration
            return Signal.EXPIRE if released and lasted else None
        return Signal.REST if position - self._since >= limits.cooldown else None

    def _enter(self, signal: Signal, position: int) -> None:
        """What a transition does besides changing the state."""
        run = self._run
        if signal is Signal.RISE:
            self._run = Run(position)
        elif signal is Signal.CONFIRM:
            run.key, run.opened_pos = self._next_key(), position
            risen = run.start_pos if self._rise is None else self._rise.position(run.start_pos)
            # Two events of a class never overlap, whatever the shifts. A negative shift points ahead; an
            # event cannot begin after it was decided.
            run.start_pos = min(max(risen - self.limits.onset_shift, self._last_end), position)
        elif signal is Signal.FALL:
            run.below_pos, run.pending = position, Tally()
        elif signal is Signal.RETURN:
            run.below_pos = None
            run.heard.merge(run.pending)
        if signal in (Signal.RISE, Signal.FALL, Signal.EXPIRE):
            self._since = position

    def _end(self, position: int, reason: EndReason) -> Decision:
        run = self._run
        end_pos = position if run.below_pos is None else run.below_pos - self.limits.offset_shift
        self._last_end = max(run.start_pos, min(end_pos, position))
        return self._decision("end", position, self._last_end, reason)

    def _decision(
        self, type_: EventType, position: int, end_pos: int | None = None, reason: EndReason | None = None
    ) -> Decision:
        run = self._run
        return Decision(
            type=type_,
            key=run.key,
            label=self.label,
            decided_pos=position,
            start_pos=run.start_pos,
            end_pos=end_pos,
            score=run.heard.peak,
            score_mean=run.heard.total / run.heard.rows,
            threshold=self._threshold,
            level_dbfs=run.heard.level_dbfs,
            over_background_db=run.heard.over_db,
            overlapping=(),
            reason=reason,
            lafmax_dbfs=run.heard.lafmax_dbfs,
            over_l90_db=run.heard.over_l90_db,
        )
