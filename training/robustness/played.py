"""The analyses that play sounds to others than the network they were made against, as jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from training.audio import read
from training.data import Clip, data_root, load
from training.errors import DataError
from training.peers import own
from training.prepare import RATE
from training.robustness.alerts import AS_RECORDED, SIREN, alerted, on_street, raised
from training.robustness.attacks import sounds_of
from training.robustness.everyday import noises
from training.robustness.examples import examples as make_examples
from training.robustness.front_end import SAMPLES
from training.robustness.jobs import Say, Work
from training.robustness.plan import Plan, digest, facts, stem, unheard
from training.robustness.subjects import Subject, chosen, named, of_network, of_package, of_published
from training.robustness.targets import Target, target
from training.robustness.transfer import conversions, heard_by, transfer, windows_of
from training.robustness.universal import (
    Effort,
    Goal,
    Universal,
    added,
    is_heard,
    judged,
    search,
    stretches,
)
from training.splits import deal_backgrounds
from training.streams import Scene
from training.study.records import Job

Found = Callable[[Say], Sequence[Any]]
_SIRENS, _QUICK_SIRENS = 20, 6
_LEARNING, _STREETS = 60, 40
_QUICK_EFFORT = Effort(steps=15)
_PLAYED_DB = (20.0, 15.0, 10.0, 5.0, 0.0, -5.0, -10.0)
"""SNR of the universal sounds that the running monitor hears."""


def transfers(plan: Plan) -> list[Work]:
    """Every network as source; all other models, its conversions and the packages receive."""
    works = []
    for job in plan.jobs(plan.sources):
        rivals = [_on(job, model) for model in plan.models]
        known = {**_packages(plan), **facts(plan, rivals, [job.test_fold], plan.played)}
        settings = {"steps": plan.sound_effort.steps, **known}
        works.append(Work(f"transfer/{stem(job)}{_to(plan)}", settings, _transfer_run(plan, job)))
    return works


def _on(job: Job, model: str) -> Job:
    return Job(job.protocol, model, job.test_fold, job.seed)


def _packages(plan: Plan) -> dict[str, Any]:
    return {"packages": {named(path): digest(path) for path in plan.packages}}


def _to(plan: Plan) -> str:
    """In a record's name: what is found of one version of a package stands beside the next."""
    return " to " + ", ".join(map(named, plan.packages)) if plan.packages else ""


def _transfer_run(plan: Plan, job: Job) -> Found:
    def found(say: Say) -> Sequence[Any]:
        source = _target(plan, job, say, plan.played)
        receivers = [own_subject(source), *conversions(source, say)]
        for model in plan.models:
            if model != job.model:
                receivers.append(own_subject(_target(plan, _on(job, model), say, plan.played)))
        receivers += [of_package(path) for path in plan.packages]
        heard = frozenset(named(path) for path in plan.packages if job.test_fold not in unheard(plan, path))
        return transfer(source, receivers, heard, plan.sound_effort.steps, say)

    return found


def own_subject(of: Target) -> Subject:
    """A network as the study runs it, on waveforms."""
    if of.windows is not None:
        return of_network(of.job.model, of.windows.task, of.windows.network)
    assert of.published is not None
    return of_published(of.job.model, of.published)


def alerts(plan: Plan) -> list[Work]:
    """Every network of windows against the running monitor with every package, on one fold."""
    works = []
    for package in plan.packages:
        fold = _fold_for(plan, package)
        for job in _on_fold(plan, fold):
            settings = {
                "steps": plan.sound_effort.steps, "sha256": digest(package), "sirens": _sirens(plan),
                **facts(plan, [job], [fold]),
            }  # fmt: skip
            name = f"alerts/{named(package)} from {stem(job)}"
            works.append(Work(name, settings, _alert_run(plan, job, package)))
    return works


def _alert_run(plan: Plan, job: Job, package: Path) -> Found:
    def found(say: Say) -> Sequence[Any]:
        source = _target(plan, job, say)
        streets = noises(load(data_root(plan.options.data)).backgrounds, "street")
        sirens = _foreground_sirens(plan, source)
        heard = job.test_fold not in unheard(plan, package)
        listener = replace(own(package), name=named(package))
        return alerted(source, listener, sirens, streets, heard, plan.sound_effort.steps, say)

    return found


def _foreground_sirens(plan: Plan, source: Target) -> tuple[Clip, ...]:
    """Sirens of the fold that the source never saw.

    Raises
    ------
    DataError : there are none
    """
    task = windows_of(source).task
    clips = [task.corpus.clips[row] for row in task.parts.test]
    sirens = [clip for clip in clips if clip.label == SIREN and clip.salience == 1]
    if not sirens:
        raise DataError(f"{source.job}: fold {source.job.test_fold} has no siren in the foreground")
    return chosen(sirens, _sirens(plan))


def universals(plan: Plan) -> list[Work]:
    """One sound for all, against every network of windows on the first fold, heard by the packages too."""
    effort = _QUICK_EFFORT if plan.quick else Effort()
    fold = _fold_for(plan, *plan.packages)
    works = []
    for job in _on_fold(plan, fold):
        # What trained the network is learnt on too, so all clips count.
        settings = {
            "effort": asdict(effort), "sirens": _sirens(plan), **_packages(plan),
            **facts(plan, [job], plan.folds),
        }  # fmt: skip
        works.append(Work(f"universal/{stem(job)}{_to(plan)}", settings, _universal_run(plan, job, effort)))
    return works


def _universal_run(plan: Plan, job: Job, effort: Effort) -> Found:
    def found(say: Say) -> Sequence[Any]:
        source = _target(plan, job, say)
        return [_universal(plan, source, goal, effort, say) for goal in ("hide", "raise")]

    return found


def _universal(plan: Plan, source: Target, goal: Goal, effort: Effort, say: Say) -> Universal:
    """Learn on training recordings, judge on others: by the network, then by the running monitor."""
    learning, judging, names = _recordings(plan, source, goal)
    heard = heard_by(source)
    waves = search(heard, learning, goal, effort, say)
    shifted, in_rooms, noise = judged(heard, waves, judging)
    alerts: dict[str, dict[str, tuple[bool, ...]]] = {}
    some = judging[: _sirens(plan)]
    white = np.random.default_rng(3).standard_normal(len(waves[0.0])).astype(np.float32)
    versions = {AS_RECORDED: some}
    for snr in _PLAYED_DB:
        versions[f"{snr:g} dB"] = added(waves[snr], some, snr, True, 4)
        versions[f"noise at {snr:g} dB"] = added(white, some, snr, True, 4)
    streets = noises(load(data_root(plan.options.data)).backgrounds, "street")
    for package in plan.packages:
        say(f"{named(package)} listens for sirens that one sound shall {goal}")
        for version, sounds in versions.items():
            scenes = on_street(sounds, streets) if goal == "hide" else _alone(sounds)
            for profile, raised_ones in raised(own(package), scenes).items():
                alerts.setdefault(f"{named(package)}, {profile}", {})[version] = raised_ones
    job = source.job
    known = tuple(named(p) for p in plan.packages if job.test_fold not in unheard(plan, p))
    return Universal(
        job.model, job.test_fold, job.seed, goal, names, tuple(is_heard(heard, judging).tolist()), shifted,
        in_rooms, noise, alerts, known,
    )  # fmt: skip


def _recordings(plan: Plan, source: Target, goal: Goal) -> tuple[Any, Any, tuple[str, ...]]:
    """What is learnt on, what is judged on, and the names of the latter."""
    task = windows_of(source).task
    if goal == "hide":
        clips = task.corpus.clips
        learning = [clips[row] for row in task.parts.train if clips[row].label == SIREN]
        sirens = _foreground_sirens(plan, source)
        return sounds_of(chosen(learning, _LEARNING)), sounds_of(sirens), tuple(c.path.stem for c in sirens)
    backgrounds = load(data_root(plan.options.data)).backgrounds
    trained = [clip.path for clip in deal_backgrounds(backgrounds)[0] if clip.label == "street"]
    learning_streets = [read(path, RATE) for path in trained]
    count = _sirens(plan) if plan.quick else _STREETS
    names = tuple(f"street {n}" for n in range(count))
    held = noises(backgrounds, "street")
    return stretches(learning_streets, _LEARNING, 0), stretches(held, count, 1), names


def _alone(sounds: Any) -> list[Scene]:
    """Streets with the sound added from their beginning on, twice as long: an alert may need its time."""
    return [Scene(f"{n}", "", np.tile(one, 2), 0.0, 2 * SAMPLES / RATE) for n, one in enumerate(sounds)]


def examples(plan: Plan) -> list[Work]:
    """Pictures and sounds of a few clips for every network of windows, on the first fold."""
    fold = _fold_for(plan, *plan.packages)
    return [
        Work(f"examples/{stem(job)}", facts(plan, [job], [fold], plan.clips), _example_run(plan, job))
        for job in _on_fold(plan, fold)
    ]


def _example_run(plan: Plan, job: Job) -> Found:
    return lambda say: make_examples(_target(plan, job, say), plan.out, plan.sounds, say)


def _target(plan: Plan, job: Job, say: Say, clips: int | None = None) -> Target:
    return target(job, plan.options, plan.clips if clips is None else clips, not plan.quick, say)


def _sirens(plan: Plan) -> int:
    return _QUICK_SIRENS if plan.quick else _SIRENS


def _on_fold(plan: Plan, fold: int) -> list[Job]:
    """One network of each kind: the first seed."""
    return [Job("honest", model, fold, plan.seeds[0]) for model in plan.windowed]


def _fold_for(plan: Plan, *packages: Path) -> int:
    """The first fold that none of the packages has heard; the first of all where there is none."""
    free = [fold for fold in plan.folds if all(fold in unheard(plan, package) for package in packages)]
    return (free or list(plan.folds))[0]
