"""What ``sound-training robustness`` runs: every analysis of the chosen models and folds as a job."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from training.robustness.in_features import QUICK, Effort, attack_features
from training.robustness.in_sound import attack_sound
from training.robustness.jobs import Say, Work
from training.robustness.planted import MARGINS_DB, planted
from training.robustness.targets import target
from training.study import augmented
from training.study.records import Job
from training.study.task import Options
from training.study.variants import base_of

PARTS = ("features", "sound")
_SOUND_STEPS, _QUICK_SOUND_STEPS = 20, 10


@dataclass(frozen=True)
class Plan:
    """Who is analysed, on how many clips of each fold (0: all), and how hard is tried.

    ``quick`` trains nothing and tries less; ``options`` say where data, features and states are.
    """

    options: Options
    models: tuple[str, ...]
    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    clips: int
    quick: bool

    @property
    def effort(self) -> Effort:
        return QUICK if self.quick else Effort()

    def jobs(self, models: Iterable[str]) -> list[Job]:
        return [Job("honest", m, fold, seed) for m in models for seed in self.seeds for fold in self.folds]


def works(plan: Plan, parts: Sequence[str]) -> list[Work]:
    """Return the analyses of ``parts`` in the order in which they are run."""
    return [work for part in PARTS if part in parts for work in _PARTS[part](plan)]


def _features(plan: Plan) -> list[Work]:
    effort = plan.effort
    toys = [
        Work(f"features/{name}", {"effort": asdict(effort), "margin_db": margin}, _planted(name, effort))
        for name, margin in MARGINS_DB.items()
    ]
    settings = {"effort": asdict(effort), "clips": plan.clips}
    return toys + [
        Work(f"features/{_stem(job)}", settings, _feature_run(plan, job)) for job in plan.jobs(plan.models)
    ]


def _planted(name: str, effort: Effort) -> Callable[[Say], Sequence[Any]]:
    return lambda say: [attack_features(planted(name, MARGINS_DB[name]), effort, say)]


def _feature_run(plan: Plan, job: Job) -> Callable[[Say], Sequence[Any]]:
    def found(say: Say) -> Sequence[Any]:
        attacked = target(job, plan.options, plan.clips, not plan.quick, say)
        return [attack_features(attacked, plan.effort, say)]

    return found


def _sound(plan: Plan) -> list[Work]:
    steps = _QUICK_SOUND_STEPS if plan.quick else _SOUND_STEPS
    jobs = plan.jobs(model for model in plan.models if base_of(model) in augmented.SETTINGS)
    settings = {"steps": steps, "clips": plan.clips}
    return [Work(f"sound/{_stem(job)}", settings, _sound_run(plan, job, steps)) for job in jobs]


def _sound_run(plan: Plan, job: Job, steps: int) -> Callable[[Say], Sequence[Any]]:
    def found(say: Say) -> Sequence[Any]:
        attacked = target(job, plan.options, plan.clips, not plan.quick, say)
        return [attack_sound(attacked, steps, say)]

    return found


def _stem(job: Job) -> str:
    return f"{job.model}-fold{job.test_fold}-seed{job.seed}"


_PARTS: dict[str, Callable[[Plan], list[Work]]] = {"features": _features, "sound": _sound}
