"""Analyses of ``sound-training robustness``: each analysis of the chosen models and folds is a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.base.progress import Progress
from training.data.corpora import Clip, data_root, load
from training.records.jobs import Job
from training.robustness.attacks.in_features import FeatureEffort, attack_features
from training.robustness.attacks.in_sound import attack_sound
from training.robustness.corruptions.disturbances import Disturbance, every
from training.robustness.corruptions.everyday import findings
from training.robustness.jobs import Work
from training.robustness.plan import AnalysisPlan, digest, facts, stem, unheard
from training.robustness.played.analyses import alerts, examples, own_subject, transfers, universals
from training.robustness.played.backgrounds import (
    recordings,
    unlearnt_by_package,
    unlearnt_by_study,
    waveforms,
)
from training.robustness.records import PARTS
from training.robustness.targets.held_out import DEFAULT, held_out_package
from training.robustness.targets.networks import PUBLISHED_DB, target
from training.robustness.targets.planted import MARGINS_DB, planted
from training.robustness.targets.subjects import FoldSubjects, chosen, named, of_package
from training.study.folds import labelled
from training.study.trainers.plain import is_published


def works(plan: AnalysisPlan, parts: Sequence[str]) -> list[Work]:
    """Return the analyses of ``parts`` in the order in which they run."""
    return [work for part in PARTS if part in parts for work in _PARTS[part](plan)]


def _features(plan: AnalysisPlan) -> list[Work]:
    effort = plan.effort
    toys = [
        Work(f"features/{name}", {"effort": asdict(effort), "margin_db": margin}, _planted(name, effort))
        for name, margin in MARGINS_DB.items()
    ]
    jobs = plan.jobs(plan.models)
    return toys + [
        Work(f"features/{stem(job)}", _in_features(plan, job, effort), _feature_run(plan, job))
        for job in jobs
    ]


def _in_features(plan: AnalysisPlan, job: Job, effort: Any) -> dict[str, Any]:
    """Return the settings of attacks on features; published networks have bounds."""
    edges = {"bounds_db": PUBLISHED_DB} if is_published(job.model) else {}
    return {**_settings(plan, job, effort), **edges}


def _settings(plan: AnalysisPlan, job: Job, effort: Any) -> dict[str, Any]:
    return {"effort": asdict(effort), **facts(plan, [job], [job.test_fold], plan.clips)}


def _planted(name: str, effort: FeatureEffort) -> Callable[[Progress], Sequence[Any]]:
    return lambda say: [attack_features(planted(name, MARGINS_DB[name]), effort, say)]


def _feature_run(plan: AnalysisPlan, job: Job) -> Callable[[Progress], Sequence[Any]]:
    def found(say: Progress) -> Sequence[Any]:
        attacked = target(job, plan.options, plan.clips, not plan.quick, say)
        return [attack_features(attacked, plan.effort, say)]

    return found


def _everyday(plan: AnalysisPlan) -> list[Work]:
    """Return networks and packages, each over all its folds and seeds."""
    works = []
    # A published network's features are recomputed under every corruption: too slow for --quick.
    for model in plan.sources:
        jobs = plan.jobs([model])
        settings = _facts_of(plan, jobs, plan.folds)
        if is_published(model):
            settings["temperature"] = "of validation"
        if model == DEFAULT:
            settings["noises"] = {str(job.test_fold): _recordings(_noises_of(plan, job)) for job in jobs}
        works.append(Work(f"everyday/{model}", settings, _network_run(plan, jobs)))
    for package in plan.packages:
        if folds := unheard(plan, package):
            noises = _recordings(_noises(plan, package))
            settings = {**_facts_of(plan, [], folds), "sha256": digest(package), "noises": noises}
            works.append(Work(f"everyday/{named(package)}", settings, _package_run(plan, package, folds)))
    return works


def _facts_of(plan: AnalysisPlan, jobs: Sequence[Job], folds: Sequence[int]) -> dict[str, Any]:
    return {"quick": plan.quick, "pools": _pools(plan), **facts(plan, jobs, folds, plan.clips)}


def _pools(plan: AnalysisPlan) -> tuple[tuple[int, ...], ...]:
    """Return the folds whose clips are pooled: all, and those held out from each package."""
    pools = (plan.folds, *(unheard(plan, package) for package in plan.packages))
    return tuple(dict.fromkeys(pool for pool in pools if pool))


def _network_run(plan: AnalysisPlan, jobs: Sequence[Job]) -> Callable[[Progress], Sequence[Any]]:
    def found(say: Progress) -> Sequence[Any]:
        panels, disturbances = [], {}
        for job in jobs:
            one = target(job, plan.options, plan.clips, not plan.quick, say)
            panels.append(FoldSubjects(job.test_fold, one.clips, (own_subject(one),)))
            disturbances[job.test_fold] = _disturbances(plan, _noises_of(plan, job))
        return findings(panels, disturbances, _pools(plan), say)

    return found


def _package_run(
    plan: AnalysisPlan, package: Path, folds: Sequence[int]
) -> Callable[[Progress], Sequence[Any]]:
    def found(say: Progress) -> Sequence[Any]:
        corpus = labelled(load(data_root(plan.options.data)), "urbansound8k")
        subject = of_package(package)
        clips = {f: chosen([c for c in corpus.clips if c.fold == f], plan.clips) for f in folds}
        panels = [FoldSubjects(f, clips[f], (subject,)) for f in folds]
        disturbances = _disturbances(plan, _noises(plan, package))
        return findings(panels, dict.fromkeys(folds, disturbances), _pools(plan), say)

    return found


def _noises_of(plan: AnalysisPlan, job: Job) -> dict[str, tuple[Clip, ...]]:
    return _noises(plan, held_out_package(job, plan.options) if job.model == DEFAULT else None)


def _recordings(noises: Mapping[str, Sequence[Clip]]) -> dict[str, tuple[str, ...]]:
    return {kind: recordings(clips) for kind, clips in noises.items()}


def _noises(plan: AnalysisPlan, package: Path | None = None) -> dict[str, tuple[Clip, ...]]:
    """Return street and speech backgrounds held out from the package, or from the study's networks."""
    corpora = load(data_root(plan.options.data))
    return {
        kind: unlearnt_by_package(corpora, package, kind) if package else unlearnt_by_study(corpora, kind)
        for kind in ("street", "speech")
    }


def _disturbances(plan: AnalysisPlan, noises: Mapping[str, Sequence[Clip]]) -> tuple[Disturbance, ...]:
    disturbances = every(waveforms(noises["street"]), waveforms(noises["speech"]))
    if not plan.quick:
        return disturbances
    # The first of every family: codecs start a process per clip.
    firsts = {d.family: d for d in reversed(disturbances)}
    return tuple(d for d in disturbances if firsts[d.family] is d or d.family in ("street", "white"))


def _sound(plan: AnalysisPlan) -> list[Work]:
    effort, jobs = plan.sound_effort, plan.jobs(plan.sources)
    return [Work(f"sound/{stem(job)}", _settings(plan, job, effort), _sound_run(plan, job)) for job in jobs]


def _sound_run(plan: AnalysisPlan, job: Job) -> Callable[[Progress], Sequence[Any]]:
    def found(say: Progress) -> Sequence[Any]:
        attacked = target(job, plan.options, plan.clips, not plan.quick, say)
        return [attack_sound(attacked, plan.sound_effort, say)]

    return found


_PARTS: dict[str, Callable[[AnalysisPlan], list[Work]]] = {
    "features": _features,
    "sound": _sound,
    "transfer": transfers,
    "alerts": alerts,
    "universal": universals,
    "examples": examples,
    "everyday": _everyday,
}
