"""Jobs that evaluate adversarial sounds on systems other than their source network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from training.base.arrays import Floats
from training.base.maths import fit_temperature
from training.base.progress import Progress
from training.data.audio import RATE, Waveform
from training.data.corpora import Clip, Corpora, data_root, load
from training.errors import DataError
from training.mixing.streams import Scene
from training.records.jobs import Job
from training.robustness.attacks.methods import sounds_of
from training.robustness.attacks.universal import (
    Goal,
    Universal,
    UniversalEffort,
    added,
    is_detected,
    judged,
    search,
    stretches,
)
from training.robustness.jobs import Work
from training.robustness.plan import AnalysisPlan, digest, facts, stem, unheard
from training.robustness.played.alerts import AS_RECORDED, SIREN, alerted, on_street, raised
from training.robustness.played.backgrounds import (
    recordings,
    to_learn_on,
    unlearnt_by_package,
    unlearnt_by_study,
    waveforms,
)
from training.robustness.played.examples import examples as make_examples
from training.robustness.played.transfer import conversions, logits_by, transfer, windows_of
from training.robustness.targets.front_end import SAMPLES
from training.robustness.targets.networks import Target, target
from training.robustness.targets.subjects import Subject, chosen, named, of_network, of_package, of_published
from training.stream_eval.systems import own

Found = Callable[[Progress], Sequence[Any]]
_LEARNING, _STREETS = 60, 40
_QUICK_EFFORT = UniversalEffort(steps=15)
_PLAYED_DB = (20.0, 15.0, 10.0, 5.0, 0.0, -5.0, -10.0)
"""SNR of the universal perturbations that the running monitor is evaluated on."""


def transfers(plan: AnalysisPlan) -> list[Work]:
    """Return jobs with every network as source; other models, its conversions and packages receive."""
    works = []
    for job in plan.jobs(plan.sources):
        rivals = [_on(job, model) for model in plan.models]
        known = {**_packages(plan), **facts(plan, rivals, [job.test_fold], plan.played)}
        settings = {"steps": plan.sound_effort.steps, **known}
        works.append(Work(f"transfer/{stem(job)}{_to(plan)}", settings, _transfer_run(plan, job)))
    return works


def _on(job: Job, model: str) -> Job:
    return Job(job.protocol, model, job.test_fold, job.seed)


def _packages(plan: AnalysisPlan) -> dict[str, Any]:
    return {"packages": {named(path): digest(path) for path in plan.packages}}


def _to(plan: AnalysisPlan) -> str:
    """Return the suffix of a record's name, so that versions of a package are kept side by side."""
    return " to " + ", ".join(map(named, plan.packages)) if plan.packages else ""


def _transfer_run(plan: AnalysisPlan, job: Job) -> Found:
    def found(say: Progress) -> Sequence[Any]:
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
    """Return a network as the study runs it, or the default as the daemon does, on waveforms."""
    if of.held_out is not None:
        return replace(of_package(of.held_out.package), name=of.job.model)
    if of.windows is not None:
        return of_network(of.job.model, of.windows.task, of.windows.network)
    assert of.published is not None
    logits = of.published.logits(of.validation)
    return of_published(of.job.model, of.published, fit_temperature(logits, np.array(of.validation_truth)))


def alerts(plan: AnalysisPlan) -> list[Work]:
    """Return jobs for every network of a stream against the monitor with every package, on one fold."""
    works = []
    for package in plan.packages:
        fold = _fold_for(plan, package)
        for job in _on_fold(plan, fold, plan.streamed):
            settings = {
                "steps": plan.sound_effort.steps, "sha256": digest(package), "sirens": plan.sirens,
                "streets": recordings(_streets(plan, package)),
                **facts(plan, [job], [fold]),
            }  # fmt: skip
            name = f"alerts/{named(package)} from {stem(job)}"
            works.append(Work(name, settings, _alert_run(plan, job, package)))
    return works


def _alert_run(plan: AnalysisPlan, job: Job, package: Path) -> Found:
    def found(say: Progress) -> Sequence[Any]:
        source = _target(plan, job, say)
        streets = _streets(plan, package)
        sirens = _foreground_sirens(plan, source)
        heard = job.test_fold not in unheard(plan, package)
        listener = replace(own(package), name=named(package))
        return alerted(source, listener, sirens, streets, heard, plan.sound_effort.steps, say)

    return found


def _foreground_sirens(plan: AnalysisPlan, source: Target) -> tuple[Clip, ...]:
    """Return the sirens of the source's test fold.

    Raises
    ------
    DataError
        If there are none.
    """
    clips = [clip for clip in _corpora(plan).urban if clip.fold == source.job.test_fold]
    sirens = [clip for clip in clips if clip.label == SIREN and clip.salience == 1]
    if not sirens:
        raise DataError(f"{source.job}: fold {source.job.test_fold} has no siren in the foreground")
    return chosen(sirens, plan.sirens)


def universals(plan: AnalysisPlan) -> list[Work]:
    """Return jobs for universal perturbations of every network of windows, on the first fold."""
    effort = _QUICK_EFFORT if plan.quick else UniversalEffort()
    fold = _fold_for(plan, *plan.packages)
    works = []
    for job in _on_fold(plan, fold, plan.windowed):
        # Optimised on the network's own training clips, so all clips count.
        settings = {
            "effort": asdict(effort), "sirens": plan.sirens, **_packages(plan),
            "streets": _streets_by_package(plan), **facts(plan, [job], plan.folds),
        }  # fmt: skip
        works.append(Work(f"universal/{stem(job)}{_to(plan)}", settings, _universal_run(plan, job, effort)))
    return works


def _universal_run(plan: AnalysisPlan, job: Job, effort: UniversalEffort) -> Found:
    def found(say: Progress) -> Sequence[Any]:
        source = _target(plan, job, say)
        return [_universal(plan, source, goal, effort, say) for goal in ("hide", "raise")]

    return found


def _corpora(plan: AnalysisPlan) -> Corpora:
    return load(data_root(plan.options.data))


def _streets(plan: AnalysisPlan, package: Path) -> tuple[Clip, ...]:
    """Return the streets held out from the package, as input of its monitor."""
    return unlearnt_by_package(_corpora(plan), package, "street")


def _streets_by_package(plan: AnalysisPlan) -> dict[str, tuple[str, ...]]:
    return {named(package): recordings(_streets(plan, package)) for package in plan.packages}


@dataclass(frozen=True)
class _Sounds:
    """Training and evaluation sounds of a universal perturbation, and their recordings."""

    learning: Floats
    judging: Floats
    names: tuple[str, ...]
    learnt_on: tuple[str, ...]
    recordings: tuple[str, ...]


def _universal(
    plan: AnalysisPlan, source: Target, goal: Goal, effort: UniversalEffort, say: Progress
) -> Universal:
    """Optimise on training recordings; evaluate on held-out ones, by the network and by the monitor."""
    given = _sirens_of(plan, source) if goal == "hide" else _streets_of(plan)
    logits = logits_by(source)
    waves = search(logits, given.learning, goal, effort, say)
    shifted, in_rooms, noise = judged(logits, waves, given.judging)
    alerts: dict[str, dict[str, tuple[bool, ...]]] = {}
    for package in plan.packages:
        say(f"{named(package)} listens for sirens that one sound shall {goal}")
        alerts |= _reported(plan, package, goal, waves, given.judging)
    job = source.job
    before = tuple(is_detected(logits, given.judging).tolist())
    known = tuple(named(p) for p in plan.packages if job.test_fold not in unheard(plan, p))
    return Universal(
        job.model, job.test_fold, job.seed, goal, given.names, before,
        shifted, in_rooms, noise, alerts, known, given.learnt_on, given.recordings,
        _streets_by_package(plan),
    )  # fmt: skip


def _reported(
    plan: AnalysisPlan, package: Path, goal: Goal, waves: Mapping[float, Waveform], sirens: Floats
) -> dict[str, dict[str, tuple[bool, ...]]]:
    """Return by profile and version whether the monitor reports a siren on held-out streets."""
    streets = waveforms(_streets(plan, package))
    some = sirens[: plan.sirens] if goal == "hide" else stretches(streets, plan.sirens, 1)
    white = np.random.default_rng(3).standard_normal(len(waves[0.0])).astype(np.float32)
    versions = {AS_RECORDED: some}
    for snr in _PLAYED_DB:
        versions[f"{snr:g} dB"] = added(waves[snr], some, snr, True, 4)
        versions[f"noise at {snr:g} dB"] = added(white, some, snr, True, 4)
    found: dict[str, dict[str, tuple[bool, ...]]] = {}
    for version, sounds in versions.items():
        scenes = on_street(sounds, streets) if goal == "hide" else _alone(sounds)
        for profile, alerts in raised(own(package), scenes).items():
            found.setdefault(f"{named(package)}, {profile}", {})[version] = alerts
    return found


def _sirens_of(plan: AnalysisPlan, source: Target) -> _Sounds:
    """Return sirens of the source's training data, and of its test fold."""
    task = windows_of(source).task
    clips = task.corpus.clips
    trained = [clips[row] for row in task.parts.train if clips[row].label == SIREN]
    learning, sirens = chosen(trained, _LEARNING), _foreground_sirens(plan, source)
    return _Sounds(
        sounds_of(learning), sounds_of(sirens), tuple(clip.path.stem for clip in sirens),
        _once(recordings(learning)), recordings(sirens),
    )  # fmt: skip


def _streets_of(plan: AnalysisPlan) -> _Sounds:
    """Return streets used in no evaluation, and those held out from every network of the study."""
    corpora = _corpora(plan)
    learning, held = to_learn_on(corpora, plan.packages, "street"), unlearnt_by_study(corpora, "street")
    count = plan.sirens if plan.quick else _STREETS
    return _Sounds(
        stretches(waveforms(learning), _LEARNING, 0), stretches(waveforms(held), count, 1),
        tuple(f"street {n}" for n in range(count)), recordings(learning),
        tuple(recordings(held)[n % len(held)] for n in range(count)),
    )  # fmt: skip


def _once(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({*names}))


def _alone(sounds: Any) -> list[Scene]:
    """Return streets of twice the length with the perturbation throughout, so that alerts have time."""
    return [Scene(f"{n}", "", np.tile(one, 2), 0.0, 2 * SAMPLES / RATE) for n, one in enumerate(sounds)]


def examples(plan: AnalysisPlan) -> list[Work]:
    """Return jobs for pictures and audio of a few clips per network of windows, on the first fold."""
    fold = _fold_for(plan, *plan.packages)
    return [
        Work(
            f"examples/{stem(job)}", {"shown": "fools in 16 bits", **facts(plan, [job], [fold], plan.clips)},
            _example_run(plan, job),
        )
        for job in _on_fold(plan, fold, plan.windowed)
    ]  # fmt: skip


def _example_run(plan: AnalysisPlan, job: Job) -> Found:
    return lambda say: make_examples(_target(plan, job, say), plan.sounds, say)


def _target(plan: AnalysisPlan, job: Job, say: Progress, clips: int | None = None) -> Target:
    return target(job, plan.options, plan.clips if clips is None else clips, not plan.quick, say)


def _on_fold(plan: AnalysisPlan, fold: int, models: Sequence[str]) -> list[Job]:
    """Return one network of each kind, with the first seed."""
    return [Job("honest", model, fold, plan.seeds[0]) for model in models]


def _fold_for(plan: AnalysisPlan, *packages: Path) -> int:
    """Return the first fold held out from all packages; the first of all if there is none."""
    free = [fold for fold in plan.folds if all(fold in unheard(plan, package) for package in packages)]
    return (free or list(plan.folds))[0]
