"""Who is analysed, on what, and how hard is tried."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from monitor.model.load import ThirdParty, load_model
from training.peers import unheard_folds
from training.robustness.in_features import QUICK, Effort
from training.study.records import Job
from training.study.task import Options
from training.study.windowed import is_windowed

_SOUND_STEPS, _QUICK_SOUND_STEPS = 20, 10
_QUICK_PLAYED = 25


@dataclass(frozen=True)
class Plan:
    """Models and packages, folds, clips of each fold (0: all), and where things are.

    ``packages`` are judged on folds that their cards call unheard. ``quick`` trains nothing and tries
    less; ``options`` say where data, features and states are; ``out`` takes the page, ``sounds`` the
    examples that can be listened to, which hold recordings and so stay out of the repository.
    """

    options: Options
    models: tuple[str, ...]
    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    clips: int
    quick: bool
    packages: tuple[Path, ...] = ()
    out: Path = Path("docs/results/robustness")
    sounds: Path = Path("runs/robustness-sounds")

    @property
    def effort(self) -> Effort:
        return QUICK if self.quick else Effort()

    @property
    def sound_steps(self) -> int:
        return _QUICK_SOUND_STEPS if self.quick else _SOUND_STEPS

    @property
    def played(self) -> int:
        """Clips of each fold that others hear: every receiver hears each of them nine times."""
        return min(self.clips or _QUICK_PLAYED, _QUICK_PLAYED) if self.quick else self.clips

    @property
    def windowed(self) -> tuple[str, ...]:
        """The networks of the monitor's windows: gradients reach the sound itself."""
        return tuple(model for model in self.models if is_windowed(model))

    def jobs(self, models: Iterable[str]) -> list[Job]:
        return [Job("honest", m, fold, seed) for m in models for seed in self.seeds for fold in self.folds]


def stem(job: Job) -> str:
    """The job's name among the records."""
    return f"{job.model}-fold{job.test_fold}-seed{job.seed}"


def state_of(job: Job, options: Options) -> Path:
    """Where the network's weights are once it is trained."""
    return options.runs / options.corpus / str(job) / "state.npz"


def unheard(plan: Plan, package: Path) -> tuple[int, ...]:
    """The plan's folds on which a package may be judged: of the others its weights have heard clips."""
    heard_none_of = unheard_folds(load_model(package, ThirdParty()).card)
    return tuple(fold for fold in plan.folds if fold in heard_none_of)


def digest(package: Path) -> str:
    """Changes with the package's content."""
    return hashlib.sha256(package.read_bytes()).hexdigest()[:16]
