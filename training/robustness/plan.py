"""The plan of the analyses: models, data and attack effort."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from monitor.model.load import ThirdParty, load_model
from training.data.corpora import Clip, data_root, load
from training.records.jobs import Job
from training.robustness.attacks import in_sound
from training.robustness.attacks.in_features import QUICK, FeatureEffort
from training.robustness.targets.held_out import DEFAULT, held_out_package, state_path
from training.robustness.targets.subjects import chosen
from training.stream_eval.systems import unheard_folds
from training.study.folds import Corpus, labelled
from training.study.task import Options
from training.study.trainers.augmented import is_windowed

_QUICK_PLAYED = 25
_SIRENS, _QUICK_SIRENS = 20, 6


@dataclass(frozen=True)
class AnalysisPlan:
    """Models and packages, folds, clips of each fold (0: all), and paths.

    ``packages`` are evaluated on folds that their cards list as held out. ``quick`` trains nothing and
    reduces the effort; ``options`` hold the paths of data, features and states; ``out`` receives the
    page; ``sounds`` receives audio examples, which contain recordings and stay out of the repository.
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
    def effort(self) -> FeatureEffort:
        return QUICK if self.quick else FeatureEffort()

    @property
    def sound_effort(self) -> in_sound.SoundEffort:
        return in_sound.QUICK if self.quick else in_sound.SoundEffort()

    @property
    def played(self) -> int:
        """Clips of each fold for transferred attacks: every receiver evaluates each of them nine times."""
        return min(self.clips or _QUICK_PLAYED, _QUICK_PLAYED) if self.quick else self.clips

    @property
    def sirens(self) -> int:
        """Sirens of a fold that the running monitor is given."""
        return _QUICK_SIRENS if self.quick else _SIRENS

    @property
    def sources(self) -> tuple[str, ...]:
        """The source networks of transferred attacks; attacks through the published features take minutes."""
        return self.streamed if self.quick else self.models

    @property
    def streamed(self) -> tuple[str, ...]:
        """The networks of a stream: on the monitor's windows, and the default."""
        return tuple(model for model in self.models if model == DEFAULT or is_windowed(model))

    @property
    def windowed(self) -> tuple[str, ...]:
        """The study's networks on the monitor's windows, where gradients reach the waveform."""
        return tuple(model for model in self.models if is_windowed(model))

    def jobs(self, models: Iterable[str]) -> list[Job]:
        return [Job("honest", m, fold, seed) for m in models for seed in self.seeds for fold in self.folds]


def stem(job: Job) -> str:
    """Return the job's name among the records."""
    return f"{job.model}-fold{job.test_fold}-seed{job.seed}"


def state_of(job: Job, options: Options) -> Path:
    """Return the path of the trained network's weights."""
    if job.model == DEFAULT:
        return state_path(job, options)
    return options.runs / options.corpus / str(job) / "state.npz"


def unheard(plan: AnalysisPlan, package: Path) -> tuple[int, ...]:
    """Return the plan's folds held out from a package's training."""
    heard_none_of = unheard_folds(load_model(package, ThirdParty()).card)
    return tuple(fold for fold in plan.folds if fold in heard_none_of)


def digest(file: Path) -> str:
    """Return a digest of the file's content; "" if there is no file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else ""


def facts(plan: AnalysisPlan, jobs: Sequence[Job], folds: Iterable[int], count: int = 0) -> dict[str, Any]:
    """Return the inputs of findings beside effort: weights, and ``count`` clips per fold (0: all).

    Retrained networks or changed recordings under the same names invalidate findings.
    """
    options = plan.options
    clips = _clips(data_root(options.data), options.corpus)
    heard = {fold: _sizes(chosen([c for c in clips if c.fold == fold], count)) for fold in folds}
    weights = {str(job): digest(state_of(job, options)) for job in jobs}
    rules = {
        f"{job}, package": digest(held_out_package(job, options)) for job in jobs if job.model == DEFAULT
    }
    return {"weights": {**weights, **rules}, "clips": heard}


@lru_cache(maxsize=1)
def _clips(root: Path, corpus: Corpus) -> tuple[Clip, ...]:
    return labelled(load(root), corpus).clips


def _sizes(clips: Sequence[Clip]) -> str:
    named = sorted(f"{clip.path.name} {clip.path.stat().st_size}" for clip in clips)
    return f"{len(clips)} {hashlib.sha256(chr(10).join(named).encode()).hexdigest()[:16]}"
