"""From rows of scores to decisions: one state machine per label (see ``machine.py``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from monitor.events.loud import LOUD, LoudSettings, loud_score
from monitor.events.machine import ClassMachine
from monitor.events.why import comes_near, why_not
from monitor.records import Decision, EndReason, Level, Near
from monitor.settings import ClassSettings


class EventTracker:
    """Tracks all classes of one stream.

    Decisions of one row are ordered ends first, then starts, each in label order. ``overlapping`` names
    the other labels that are on, in label order: at a start those on after the row, at an end those on
    before it. Keys count up from 1 and are unique within a stream.

    Parameters
    ----------
    labels
        The model's labels, in the order of its scores.
    settings
        Settings by label; a label without settings makes no events.
    rate
        Sample rate of all positions, Hz.
    hop
        Samples between rows; if positions advance by two hops or more, rows are missing.
    loud
        Settings of the pseudo-class ``loud``, which comes after all labels; None = off.
    disabled
        ``enter`` of labels that make no events and are only considered by :meth:`near`.
    time_of_day_s
        Returns the local time of a position in seconds since midnight, for ``loud.hours``.

    Raises
    ------
    ValueError
        Settings for an unknown label, or a label ``loud`` beside the pseudo-class.
    """

    def __init__(
        self,
        labels: Sequence[str],
        settings: Mapping[str, ClassSettings],
        *,
        rate: int,
        hop: int,
        loud: LoudSettings | None = None,
        disabled: Mapping[str, float] | None = None,
        time_of_day_s: Callable[[int], float] | None = None,
    ) -> None:
        self._labels = tuple(labels)
        self._rate = rate
        self._hop = hop
        self._time_of_day_s = time_of_day_s
        self._machines: list[tuple[int, ClassMachine]] = []
        self._position: int | None = None
        self._keys = count(1)
        self.configure(settings, loud=loud, disabled=disabled)

    def configure(
        self,
        settings: Mapping[str, ClassSettings],
        *,
        loud: LoudSettings | None,
        disabled: Mapping[str, float] | None,
        labels: Sequence[str] | None = None,
    ) -> tuple[Decision, ...]:
        """Use other settings from the next row on; parameters and errors as for the class.

        Without ``labels``, the rows keep their columns.

        A class that is on stays on and ends by its new settings. An open event of a class that no longer
        makes events ends, with reason ``stopped``, at the current position of the stream.
        """
        labels = self._labels if labels is None else tuple(labels)
        unknown = [label for label in (*settings, *(disabled or ())) if label not in labels]
        if unknown or (loud and LOUD in labels):
            raise ValueError(f"labels {list(labels)} do not fit settings for {unknown or [LOUD]}")
        self._labels = labels
        used = {label: settings[label] for label in labels if label in settings}
        columns = {label: labels.index(label) for label in used}
        if loud:
            used[LOUD], columns[LOUD] = loud.as_class(), len(labels)
        position = self._position or 0
        known = {machine.label: machine for _, machine in self._machines}
        ended = [known[label].close(position, "stopped") for label in known if label not in used]
        decisions = self._joined([decision for decision in ended if decision is not None])
        for label, new in used.items():
            if label in known:
                known[label].configure(new)
            else:
                known[label] = ClassMachine(
                    label,
                    new,
                    rate=self._rate,
                    next_key=self._next_key,
                    since=position,
                    loudness=attrgetter("lafmax_dbfs" if label == LOUD else "rms_dbfs"),
                )
        self._machines = [(columns[label], known[label]) for label in used]
        self._order = {label: index for index, label in enumerate(used)}
        self._disabled = [(labels.index(label), label, enter) for label, enter in (disabled or {}).items()]
        self._loud = loud
        return decisions

    def reset(self) -> None:
        """Discard all state, including keys; the next row begins a new stream."""
        self._keys = count(1)
        self._position = None
        for _, machine in self._machines:
            machine.reset()

    @property
    def active(self) -> tuple[str, ...]:
        """The labels that are on, in label order, with ``loud`` last."""
        return tuple(machine.label for _, machine in self._machines if machine.on)

    def push(self, position: int, scores: NDArray[np.float32], level: Level) -> tuple[Decision, ...]:
        """Process the row that ends at ``position``; return its decisions, usually none.

        Parameters
        ----------
        scores
            Calibrated scores, shape (labels,), 0 … 1.
        level
            Level of the newest hop.

        Raises
        ------
        ValueError
            ``position`` is not above the previous one.
        """
        missed = self._missed(position)
        self._position = position
        self._follow_time_of_day(position)
        row = self._row(scores, level)
        decisions = []
        for column, machine in self._machines:
            decision = machine.push(position, row[column], level)
            if decision is not None:
                decisions.append(decision)
        return missed + self._joined(decisions)

    def near(
        self, scores: NDArray[np.float32], level: Level, *, accepted: NDArray[np.float32]
    ) -> tuple[Near, ...]:
        """Return why classes that came near at the latest row were not reported.

        Parameters
        ----------
        scores
            Calibrated scores before the reject rule, shape (labels,), 0 … 1.
        accepted
            The scores given to :meth:`push`; lower where the reject rule applied.
        """
        row = self._row(scores, level)
        rejected: list[bool] = [*(accepted < scores).tolist(), False]
        found = []
        for column, machine in self._machines:
            if not comes_near(row[column], machine.smoothed, machine.limits.enter):
                continue
            why = why_not(
                machine.standing,
                machine.limits,
                score=row[column],
                level_dbfs=machine.loudness(level),
                rejected=rejected[column],
                rate=self._rate,
            )
            if why is not None:
                found.append(Near(machine.label, row[column], *why))
        for column, label, enter in self._disabled:
            if comes_near(row[column], row[column], enter):
                found.append(Near(label, row[column], "not_enabled", row[column], enter))
        return tuple(found)

    def close(self, position: int, reason: EndReason) -> tuple[Decision, ...]:
        """End every open event and discard attack runs because the stream is over.

        Parameters
        ----------
        position
            Current position of the stream, at or after the last row.
        """
        decisions = [machine.close(position, reason) for _, machine in self._machines]
        return self._joined([decision for decision in decisions if decision is not None])

    def _row(self, scores: NDArray[np.float32], level: Level) -> list[float]:
        """Return the scores by column, with that of ``loud`` last."""
        row: list[float] = scores.tolist()
        if self._loud:
            row.append(float(np.float32(loud_score(level.over_l90_db))))
        return row

    def _follow_time_of_day(self, position: int) -> None:
        """Apply the thresholds of ``loud`` that are in force at a position."""
        if self._loud is not None and self._loud.hours and self._time_of_day_s is not None:
            now = self._loud.at(self._time_of_day_s(position))
            self._machines[-1][1].configure(now.as_class())

    def _next_key(self) -> int:
        return next(self._keys)

    def _missed(self, position: int) -> tuple[Decision, ...]:
        """Pass the rows missing between the last one and this one to the state machines."""
        if self._position is None:
            return ()
        if position <= self._position:
            raise ValueError(f"position {position} is not after {self._position}")
        if position - self._position < 2 * self._hop:
            return ()
        lost = range(self._position + self._hop, position - self._hop + 1, self._hop)
        decisions = [machine.miss(lost) for _, machine in self._machines]
        return self._joined([decision for decision in decisions if decision is not None])

    def _joined(self, decisions: list[Decision]) -> tuple[Decision, ...]:
        """Order decisions made together and fill in the overlaps; the machines have already advanced."""
        if not decisions:
            return ()
        active = self.active
        started = [d.label for d in decisions if d.type == "start"]
        ended = {d.label: d.decided_pos for d in decisions if d.type == "end"}
        joined = []
        for decision in sorted(decisions, key=lambda d: (d.decided_pos, d.type == "start")):
            beside = set(active)
            if decision.type == "end":
                # Missing rows may end several events, one after another.
                beside -= {*started}
                beside |= {label for label, at in ended.items() if at >= decision.decided_pos}
            beside -= {decision.label}
            overlapping = tuple(sorted(beside, key=self._order.__getitem__))
            joined.append(replace(decision, overlapping=overlapping))
        return tuple(joined)
