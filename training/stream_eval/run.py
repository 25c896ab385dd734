"""Evaluates systems on soundscapes under conditions and on plain backgrounds; resumable."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from training.base.parallel import in_processes
from training.base.progress import Progress
from training.mixing.soundscapes import write_wavs
from training.stream_eval.alarms import background_figures, loops
from training.stream_eval.conditions import CONDITIONS, PLAIN, chosen
from training.stream_eval.judge import judge
from training.stream_eval.records import BACKGROUNDS, Evaluations, Listener, Setting, StreamRecord
from training.stream_eval.replayed import Hops, Profile, listen


def conditions(families: Sequence[str]) -> list[str]:
    """Return the names of the conditions of some families, backgrounds first."""
    return [BACKGROUNDS, *(condition.name for condition in chosen(families))]


@dataclass(frozen=True)
class ConditionTask:
    """One condition and the systems still to be evaluated under it."""

    condition: str
    listeners: tuple[Listener, ...]


def run(
    listeners: Sequence[Listener], setting: Setting, families: Sequence[str], folder: Path, jobs: int,
    say: Progress,
) -> list[StreamRecord]:  # fmt: skip
    """Evaluate what ``folder`` has no record of, ``jobs`` conditions in parallel; return all records.

    ``families`` are those of the conditions beside the plain one.
    """
    store, names = Evaluations(folder, setting), conditions(families)
    tasks = _missing(listeners, names, store)
    total, done, begin = sum(len(task.listeners) for task in tasks), 0, time.monotonic()
    for task in _worked(tasks, setting, folder, jobs):
        done += len(task.listeners)
        left_s = (time.monotonic() - begin) / done * (total - done)
        systems = ", ".join(listener.name for listener in task.listeners)
        say(f"{task.condition}: {systems} ({done} of {total} evaluated, about {left_s:.0f} s left)")
    wanted = [(one, name) for one in listeners for name in names]
    found = [store.find(listener, name) for listener, name in wanted]
    return [record for record in found if record is not None]


def _missing(listeners: Sequence[Listener], names: Sequence[str], store: Evaluations) -> list[ConditionTask]:
    tasks = []
    for name in (PLAIN, BACKGROUNDS, *(c.name for c in CONDITIONS if c.name != PLAIN)):
        left = [one for one in listeners if name in names and store.find(one, name) is None]
        if left:
            tasks.append(ConditionTask(name, tuple(left)))
    return tasks


def _worked(
    tasks: Sequence[ConditionTask], setting: Setting, folder: Path, jobs: int
) -> Iterator[ConditionTask]:
    one = partial(work, setting=setting, folder=folder)
    return map(one, tasks) if jobs == 1 else in_processes(one, tasks, jobs, ordered=False)


def work(task: ConditionTask, setting: Setting, folder: Path) -> ConditionTask:
    """Evaluate every system of the task under its condition; each record is written immediately."""
    store = Evaluations(folder, setting)
    hear = _hear_backgrounds if task.condition == BACKGROUNDS else _hear_soundscapes
    for record in hear(task, setting, store):
        store.write(record)
    return task


def _hear_backgrounds(task: ConditionTask, setting: Setting, store: Evaluations) -> Iterator[StreamRecord]:
    clips = setting.part.backgrounds
    looped = loops(clips)
    for listener in task.listeners:
        streams, profiles = _replayed(listener, [clip.path for clip in clips])
        figures = {name: background_figures(clips, looped, streams, profile) for name, profile in profiles}
        yield StreamRecord(listener.name, BACKGROUNDS, store.key(listener, BACKGROUNDS), {}, figures)


def _hear_soundscapes(task: ConditionTask, setting: Setting, store: Evaluations) -> Iterator[StreamRecord]:
    condition = next(c for c in CONDITIONS if c.name == task.condition)
    scapes = condition.soundscapes(setting.part, setting.plan)
    with tempfile.TemporaryDirectory() as place:
        files = write_wavs(scapes, Path(place))
        for listener in task.listeners:
            streams, profiles = _replayed(listener, files)
            figures = {name: judge(scapes, streams, profile) for name, profile in profiles}
            yield StreamRecord(
                listener.name, condition.name, store.key(listener, condition.name), figures, {}
            )


def _replayed(listener: Listener, files: Sequence[Path]) -> tuple[list[Hops], list[tuple[str, Profile]]]:
    """Replay once for all profiles, which share the scores."""
    assemblies = {profile: listener.assembly(profile) for profile in listener.overrides}
    streams = listen(next(iter(assemblies.values())), files)
    return streams, [(name, Profile(assembly)) for name, assembly in assemblies.items()]
