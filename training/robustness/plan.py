"""Who is analysed, on what, and how hard is tried."""

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
from training.robustness.targets.subjects import chosen
from training.stream_eval.peers import unheard_folds
from training.study.folds import Corpus, labelled
from training.study.task import Options
from training.study.trainers.windowed import is_windowed

_QUICK_PLAYED = 25


@dataclass(frozen=True)
class AnalysisPlan:
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
    def effort(self) -> FeatureEffort:
        return QUICK if self.quick else FeatureEffort()

    @property
    def sound_effort(self) -> in_sound.SoundEffort:
        return in_sound.QUICK if self.quick else in_sound.SoundEffort()

    @property
    def played(self) -> int:
        """Clips of each fold that others hear: every receiver hears each of them nine times."""
        return min(self.clips or _QUICK_PLAYED, _QUICK_PLAYED) if self.quick else self.clips

    @property
    def sources(self) -> tuple[str, ...]:
        """The networks that sounds are made against; through the published features that takes minutes."""
        return self.windowed if self.quick else self.models

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


def unheard(plan: AnalysisPlan, package: Path) -> tuple[int, ...]:
    """The plan's folds on which a package may be judged: of the others its weights have heard clips."""
    heard_none_of = unheard_folds(load_model(package, ThirdParty()).card)
    return tuple(fold for fold in plan.folds if fold in heard_none_of)


def digest(file: Path) -> str:
    """Changes with the file's content; nothing where there is none."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else ""


def facts(plan: AnalysisPlan, jobs: Sequence[Job], folds: Iterable[int], count: int = 0) -> dict[str, Any]:
    """What findings depend on beside effort: the networks' weights, ``count`` clips of each fold (0: all).

    A network that is trained anew, or other recordings under the same names, make them out of date.
    """
    options = plan.options
    clips = _clips(data_root(options.data), options.corpus)
    heard = {fold: _sizes(chosen([c for c in clips if c.fold == fold], count)) for fold in folds}
    return {"weights": {str(job): digest(state_of(job, options)) for job in jobs}, "clips": heard}


@lru_cache(maxsize=1)
def _clips(root: Path, corpus: Corpus) -> tuple[Clip, ...]:
    return labelled(load(root), corpus).clips


def _sizes(clips: Sequence[Clip]) -> str:
    named = sorted(f"{clip.path.name} {clip.path.stat().st_size}" for clip in clips)
    return f"{len(clips)} {hashlib.sha256(chr(10).join(named).encode()).hexdigest()[:16]}"
