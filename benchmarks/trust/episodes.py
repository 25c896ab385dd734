"""Plays the episodes of a plan on one rig and measures each."""

from __future__ import annotations

import heapq
import signal
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any

from checker import Row, Span, judge, missed, open_labels, read_history, slow_spans, wrong_states
from faults import EXIT_LIMIT_S, KINDS, DaemonHungError, Fault
from rig import KEEPALIVE_S, NODE, Rig

START_LIMIT_S = 90.0
RECOVERY_LIMIT_S = 150.0
"""Five times the longest pause between two attempts to connect or to open the microphone."""
STABLE_S = 2.0
SETTLED_S = 8.0
"""After a recovery the background level is not known yet: sounds are not expected to be detected."""
STATES_LIMIT_S = 30.0
LOOKS = 5
OFFLINE_S = 1.5 * KEEPALIVE_S
SLACK_S = 8.0
_STALL_S = 3.0
_OVERLAP = (0.2, 0.8)


@dataclass
class Episode:
    """What one episode did."""

    faults: tuple[Fault, ...]
    began: float
    down_s: float = 0.0
    recovery_s: float | None = None
    cpu_s: float | None = None
    log_lines: int = 0
    problems: list[str] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        values = asdict(self)
        del values["began"], values["faults"]
        return {
            "faults": [f.kind for f in self.faults],
            "durations_s": [f.duration_s for f in self.faults],
        } | values


class Campaign:
    """Runs episodes on a rig; ``say`` gets a line each."""

    def __init__(self, rig: Rig, say: Callable[[str], None]) -> None:
        self._rig = rig
        self._say = say
        self.episodes: list[Episode] = []
        self._deaf: list[Span] = []
        self._clock: list[Span] = []

    def run(self, plan: Sequence[tuple[Fault, ...]]) -> dict[str, Any]:
        """Play all episodes, end the daemon, and judge."""
        began = time.time()
        if self._recover(START_LIMIT_S) is None:
            raise RuntimeError(
                f"the daemon does not start: {self._rig.log.read_text(errors='replace')[-2000:]}"
            )
        self._deaf.append(Span(began, time.time() + SETTLED_S))
        for number, faults in enumerate(plan, 1):
            episode = self._play(faults)
            self.episodes.append(episode)
            self._say(f"{number}/{len(plan)} {episode.row()}")
        return self._finish()

    def _play(self, faults: tuple[Fault, ...]) -> Episode:
        rig = self._rig
        episode = Episode(faults, time.time())
        lines, exits, cpu = rig.log_lines(), len(rig.exits), rig.cpu()
        clock_before = time.monotonic()
        self._run_schedule(episode)
        episode.down_s = round(time.monotonic() - clock_before, 1)
        after = rig.cpu()
        if cpu and after and cpu[0] == after[0]:
            episode.cpu_s = round(after[1] - cpu[1], 2)
        episode.log_lines = rig.log_lines() - lines
        episode.recovery_s = self._recover(RECOVERY_LIMIT_S)
        if episode.recovery_s is None:
            episode.problems.append("no recovery")
        else:
            episode.problems += [f"wrong state: {text}" for text in self._wrong_states()]
        for fallen in rig.exits[exits:]:
            episode.problems.append(f"ended by itself with {fallen.code}: {fallen.last_line}")
        if any(KINDS[fault.kind].deaf for fault in faults) or len(rig.exits) > exits:
            self._deaf.append(Span(episode.began - 1.0, time.time() + SETTLED_S))
        return episode

    def _run_schedule(self, episode: Episode) -> None:
        """Begin and heal the faults; before each heals, look at what the broker says of the daemon."""
        rig, order = self._rig, count()
        due: list[tuple[float, int, Fault, bool]] = []
        start = time.monotonic()
        first = episode.faults[0]
        for number, fault in enumerate(episode.faults):
            low, high = _OVERLAP
            at = start if not number else start + first.duration_s * (low + high) / 2
            due += [(at, next(order), fault, True), (at + fault.duration_s, next(order), fault, False)]
        heapq.heapify(due)
        held: dict[int, tuple[float, object]] = {}
        while due:
            at, _, fault, begins = heapq.heappop(due)
            time.sleep(max(0.0, at - time.monotonic()))
            if begins:
                held[id(fault)] = (time.time(), self._begin(episode, fault))
                continue
            began, token = held.pop(id(fault))
            if len(episode.faults) == 1:
                episode.problems += self._false_online(fault, time.time() - began)
            KINDS[fault.kind].heal(rig, token)
            if fault.value:
                self._clock.append(Span(began, time.time(), fault.value))

    def _begin(self, episode: Episode, fault: Fault) -> object:
        try:
            return KINDS[fault.kind].begin(self._rig, fault)
        except DaemonHungError as error:
            episode.problems.append(str(error))
            return None

    def _false_online(self, fault: Fault, held_s: float) -> list[str]:
        """Return what the retained topics claim against better knowledge."""
        kind = KINDS[fault.kind]
        if not (kind.unreachable or kind.deaf):
            return []
        limit_s = (OFFLINE_S if kind.unreachable else _STALL_S) + SLACK_S
        if held_s < limit_s:
            return []
        retained = self._rig.subscriber.retained()
        online = retained.get(f"sound-monitor/{NODE}/status") == "online"
        listening = '"microphone": "listening"' in retained.get(f"sound-monitor/{NODE}/health", "")
        if online and (kind.unreachable or listening):
            return [f"false online: after {held_s:.0f} s of {fault.kind}"]
        return []

    def _recover(self, limit_s: float) -> float | None:
        """Wait until all is well for :data:`STABLE_S`; return the seconds that it took to begin."""
        began = time.monotonic()
        well_since: float | None = None
        while (now := time.monotonic()) - began < limit_s:
            if not self._well():
                well_since = None
            elif well_since is None:
                well_since = now
            elif now - well_since >= STABLE_S:
                return round(well_since - began, 1)
            time.sleep(0.25)
        return None

    def _well(self) -> bool:
        """Return whether the daemon is online, listens, and everything was acknowledged."""
        subscriber = self._rig.subscriber
        status, health = subscriber.last("/status"), subscriber.last("/health")
        if not self._rig.alive or status is None or status.payload != "online" or health is None:
            return False
        if health.values["microphone"] != "listening" or health.values["history"] is not None:
            return False
        try:
            return all(row.delivered for row in read_history(self._rig.history))
        except sqlite3.Error:
            return False

    def _wrong_states(self) -> list[str]:
        """Return the retained states that contradict the history in each look of :data:`STATES_LIMIT_S`.

        A look counts when the history stands still meanwhile; on a busy machine a state may be a second late.
        """
        standing: set[str] | None = None
        looks, began = 0, time.monotonic()
        while looks < LOOKS or time.monotonic() - began < STATES_LIMIT_S:
            before = open_labels(read_history(self._rig.history))
            retained = self._rig.subscriber.retained()
            if open_labels(read_history(self._rig.history)) != before:
                continue
            looks += 1
            wrong = wrong_states(retained, before)
            if not any("/state" in topic for topic in retained):
                wrong.append("there is none")
            standing = set(wrong) if standing is None else standing & set(wrong)
            if not standing:
                return []
        return sorted(standing or ())

    def _finish(self) -> dict[str, Any]:
        rig = self._rig
        rig.player.silence()
        time.sleep(8.0)
        problems = [] if self._recover(RECOVERY_LIMIT_S) is not None else ["no recovery at the end"]
        code = rig.end(signal.SIGTERM, EXIT_LIMIT_S)
        if code != 0:
            problems.append(f"the last SIGTERM: exit code {code}")
        rows = self._rows()
        retained = rig.subscriber.retained()
        problems += wrong_states(retained, set())
        if retained.get(f"sound-monitor/{NODE}/status") != "offline":
            problems.append("status is not offline after the end")
        messages = rig.subscriber.messages()
        deaf = [*self._deaf, *slow_spans(messages)]
        expected, silent = missed(rig.player.played, rows, deaf, self._clock)
        log = rig.log.read_text(errors="replace")
        return {
            **judge(rows, messages),
            "sounds_expected": expected,
            "sounds_missed": len(silent),
            "missed_at": [round(sound.began, 1) for sound in silent],
            "tracebacks": log.count("Traceback (most recent call last)"),
            "unexpected_errors": sum("unexpected " in line for line in log.splitlines()),
            "unasked_exits": len(rig.exits),
            "problems_at_the_end": problems,
        }

    def _rows(self) -> list[Row]:
        return read_history(self._rig.history)
