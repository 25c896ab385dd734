"""The faults of the campaign: what each breaks, for how long, and how it heals."""

from __future__ import annotations

import random
import signal
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, islice

from rig import Rig

EXIT_LIMIT_S = 60.0
"""How long the daemon may take to end after SIGTERM on a busy machine; it promises about 15 s."""
_PAIRS = 0.25
"""Share of episodes in which a second fault begins before the first is over."""
_BLOCK = 65536

_JUMPS_S = (3600.0, -3600.0, 86400.0, -86400.0, 3e8, -3e8, 90.0, -90.0, 10.0, -10.0)


@dataclass(frozen=True)
class Fault:
    """One fault: ``value`` is the step of a clock jump, seconds."""

    kind: str
    duration_s: float
    value: float = 0.0


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Parameters
    ----------
    range_s : tuple of float
        Shortest and longest duration.
    begin, heal : callable
        Break and mend the rig; what ``begin`` returns is passed to ``heal``.
    unreachable : bool
        The broker cannot have heard from the daemon: it must publish ``offline``.
    deaf : bool
        Sounds are not expected to be detected.
    """

    range_s: tuple[float, float]
    begin: Callable[[Rig, Fault], object]
    heal: Callable[[Rig, object], None]
    unreachable: bool = False
    deaf: bool = False


class DaemonHungError(Exception):
    """SIGTERM did not end the daemon, or not with exit code 0."""


def _kill(rig: Rig, _: Fault) -> None:
    rig.end(signal.SIGKILL, EXIT_LIMIT_S)


def _term(rig: Rig, _: Fault) -> None:
    code = rig.end(signal.SIGTERM, EXIT_LIMIT_S)
    if code not in (0, -signal.SIGTERM):  # the latter: before it handles signals
        raise DaemonHungError(f"SIGTERM: {'no end' if code is None else f'exit code {code}'}")


def _launch(rig: Rig, _: object) -> None:
    rig.launch()


def _set_proxy(mode: str) -> Callable[[Rig, Fault], None]:
    return lambda rig, fault: rig.proxy.set(mode)


def _pass(rig: Rig, _: object) -> None:
    rig.proxy.set("pass")


def _fill(rig: Rig, _: Fault) -> None:
    with (rig.disk / "filler").open("ab", buffering=0) as filler:
        for size in (_BLOCK, 512, 1):
            with suppress(OSError):
                while filler.write(b"\0" * size):
                    pass


def _lock(rig: Rig, _: Fault) -> sqlite3.Connection | None:
    connection = sqlite3.connect(rig.history, timeout=10.0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:  # not there yet, or the disk is full
        connection.close()
        return None
    return connection


def _unlock(_: Rig, connection: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("ROLLBACK")
        connection.close()


KINDS: Mapping[str, Kind] = {
    "kill -9": Kind((0.5, 12), _kill, _launch, unreachable=True, deaf=True),
    "SIGTERM": Kind((0.5, 12), _term, _launch, unreachable=True, deaf=True),
    "SIGSTOP": Kind(
        (5, 70), lambda rig, _: rig.signal(signal.SIGSTOP), lambda rig, _: rig.signal(signal.SIGCONT),
        unreachable=True, deaf=True,
    ),
    "broker killed": Kind((1, 30), lambda rig, _: rig.broker.kill(), lambda rig, _: _start_broker(rig)),
    "broker paused": Kind(
        (5, 40), lambda rig, _: rig.broker.send_signal(signal.SIGSTOP),
        lambda rig, _: rig.broker.send_signal(signal.SIGCONT),
    ),
    "connection cut": Kind((0.5, 30), _set_proxy("cut"), _pass, unreachable=True),
    "half-open connection": Kind((5, 45), _set_proxy("half_open"), _pass, unreachable=True),
    "garbage from the broker": Kind((2, 20), _set_proxy("garbage"), _pass),
    "no PUBACK": Kind((5, 45), _set_proxy("no_puback"), _pass),
    "disk full": Kind((3, 30), _fill, lambda rig, _: (rig.disk / "filler").unlink(missing_ok=True)),
    "history locked": Kind((3, 30), _lock, _unlock),
    "clock jump": Kind(
        (4, 20), lambda rig, fault: rig.set_clock(fault.value), lambda rig, _: rig.set_clock(0)
    ),
    "sound server killed": Kind(
        (2, 25), lambda rig, _: rig.pulse.kill(), lambda rig, _: _start_pulse(rig), deaf=True
    ),
}  # fmt: skip

_ALONE = ({"kill -9", "SIGTERM", "SIGSTOP"}, {"connection cut", "half-open connection",
          "garbage from the broker", "no PUBACK"}, {"broker killed", "broker paused"})  # fmt: skip
"""Kinds of which one alone can hold at a time."""


def plan(seed: int, count: int) -> list[tuple[Fault, ...]]:
    """Return the episodes: ``count`` faults, as many of each kind as possible, one or two at a time."""
    chance = random.Random(seed)
    kinds = list(islice(cycle(chance.sample(list(KINDS), len(KINDS))), count))
    chance.shuffle(kinds)
    faults = [_draw(kind, chance) for kind in kinds]
    episodes: list[tuple[Fault, ...]] = []
    while faults:
        first = faults.pop()
        if faults and chance.random() < _PAIRS and not _clash(first, faults[-1]):
            episodes.append((first, faults.pop()))
        else:
            episodes.append((first,))
    return episodes


def _draw(kind: str, chance: random.Random) -> Fault:
    duration_s = round(chance.uniform(*KINDS[kind].range_s), 1)
    return Fault(kind, duration_s, chance.choice(_JUMPS_S) if kind == "clock jump" else 0.0)


def _clash(one: Fault, other: Fault) -> bool:
    same: Sequence[set[str]] = (*_ALONE, {one.kind})
    return any({one.kind, other.kind} <= kinds for kinds in same)


def _start_broker(rig: Rig) -> None:
    rig.broker.start()


def _start_pulse(rig: Rig) -> None:
    rig.pulse.start()
