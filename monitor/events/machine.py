"""The state machine of one class: from smoothed scores to the start and end of an event.

Theory of operation
===================
A *row* is one hop's score. A class in IDLE waits for a row that is at or above ``enter`` and loud
enough; this row begins the *attack run*. The run continues while every further row meets the same
conditions. The event opens at the first row that lies ``attack`` samples or more after the first row
of the run. A single row that fails ends the run; since nothing has been reported yet, nothing has to
be withdrawn.

An open event stays on while rows are at or above ``exit``. The first row below begins the release;
a row at or above ``exit`` cancels it, so shorter gaps are bridged. The event ends at the first row
that is still below ``exit``, at least ``release`` after the release began and at least
``min_duration`` after the event opened. The class then stays in COOLDOWN for ``cooldown``, counted
from that decision. Rows during the cooldown are ignored and do not count towards an attack run.

           ┌──── SINK ────┐
           ▼              │
         IDLE ── RISE ─▶ ATTACK ── CONFIRM ─▶ ON ── FALL ─▶ RELEASE
           ▲                                  ▲                │ │
           │                                  └─── RETURN ─────┘ │
           └────────── REST ─── COOLDOWN ◀────── EXPIRE ─────────┘

One row may drive several transitions (with all times 0: IDLE → ATTACK → ON). It never both ends an
event and opens the next, since the end needs a row below ``exit`` ≤ ``enter``.

Rows that are missing because audio was lost count as rows below every threshold: an attack run
must be observed in full, and an event must not outlast the audio it is based on. Events are therefore
ended by elapsed time, not by the next audio that arrives. Missing rows do not enter smoothing or means.
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
    """The state machine of one class in one stream.

    Parameters
    ----------
    label
        The label that decisions carry.
    settings
        Thresholds, and times in seconds.
    rate
        Sample rate of all positions, Hz.
    next_key
        Returns the key of each event that opens.
    since
        Position before which no event may begin.
    loudness
        The level that ``min_level_dbfs`` is compared with, dBFS.
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
        """Use other settings from the next row on, keeping the current state."""
        if settings == self._settings:
            return
        self._settings, self._threshold = settings, settings.enter
        self.limits = Limits.of(settings, self._rate)
        self._mean = TrailingMean(self.limits.smoothing)
        # A trailing mean lags by its length at most; the rise is that of the unsmoothed scores.
        self._rise = Rise(self.limits.rise + self.limits.smoothing) if self.limits.rise else None
        if self._state is State.ATTACK:
            # The current run was evaluated with the previous limits.
            self._state = State.IDLE

    def reset(self) -> None:
        """Discard all state; the next row begins a stream."""
        self._mean.reset()
        if self._rise is not None:
            self._rise.reset()
        self._state = State.IDLE
        # First row of the current state: attack run, release or cooldown.
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
        """Return the state of the class after the newest row."""
        since = self._position - self._since
        return Standing(
            on=self.on,
            smoothed=self.smoothed,
            attack=since if self._state is State.ATTACK else self._sunk,
            rested=since if self._state is State.COOLDOWN else None,
        )

    def push(self, position: int, score: float, level: Level) -> Decision | None:
        """Process one row and return the start or end of an event if this row decides it.

        The decision's ``overlapping`` is empty, since a machine has no access to other classes.
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
            self._run.counted.add(score, level)
        if decided is Signal.CONFIRM:
            return self._decision("start", position)
        return self._end(position, "released") if decided is Signal.EXPIRE else None

    def miss(self, positions: range) -> Decision | None:
        """Process missing rows at ``positions``; they can only end an event."""
        ended = None
        if self._rise is not None:
            for position in positions:
                self._rise.push(position, 0.0, position)
        for position in positions:
            if self._state is State.IDLE:
                break  # further missing rows change nothing
            if self._advance(position, _MISSING, SILENCE_DBFS) is Signal.EXPIRE:
                ended = self._end(position, "released")
        return ended

    def close(self, position: int, reason: EndReason) -> Decision | None:
        """End any open event at ``position`` because the stream is over, and discard all state."""
        decision = self._end(position, reason) if self.on else None
        self.reset()
        return decision

    def _advance(self, position: int, score: float, level_dbfs: float) -> Signal | None:
        """Follow the transition table as far as this row leads; return the signal that led to a decision."""
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
        """Evaluate the guards of the current state for this row; None leaves the state unchanged."""
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
        """Perform the side effects of a transition."""
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
            run.counted.merge(run.pending)
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
            score=run.counted.peak,
            score_mean=run.counted.total / run.counted.rows,
            threshold=self._threshold,
            level_dbfs=run.counted.level_dbfs,
            over_background_db=run.counted.over_db,
            overlapping=(),
            reason=reason,
            lafmax_dbfs=run.counted.lafmax_dbfs,
            over_l90_db=run.counted.over_l90_db,
        )
