"""The input and the result of every trainer of the study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.base.arrays import Floats
from training.base.progress import Progress
from training.data.corpora import Clip
from training.fit.loop import Row
from training.networks.compact import Cost
from training.records.jobs import Job
from training.study.folds import Corpus, Labelled, Parts

Precision = Literal["float32", "mixed_bfloat16"]
BATCH = 64


@dataclass(frozen=True)
class Options:
    """How jobs are run; None leaves a choice to the model.

    Attributes
    ----------
    data
        Data folder; None: SOUND_DATA of the machine that runs the job.
    epochs
        Upper limit of the epochs of every model.
    threads
        Threads of one job; 0: all cores.
    """

    data: Path | None
    corpus: Corpus = "urbansound8k"
    cache: Path = Path(".cache/features")
    runs: Path = Path("runs/study")
    epochs: int | None = None
    precision: Precision | None = None
    threads: int = 0


@dataclass(frozen=True)
class Task:
    """One job with its clips.

    Attributes
    ----------
    backgrounds
        For augmentation.
    folder
        Keeps the state after each epoch.
    """

    job: Job
    corpus: Labelled
    parts: Parts
    backgrounds: tuple[Clip, ...]
    options: Options
    folder: Path
    report: Progress

    def epochs(self, planned: int) -> int:
        return min(planned, self.options.epochs or planned)

    def truth(self, rows: Sequence[int]) -> NDArray[np.int64]:
        return np.array([self.corpus.truth[row] for row in rows], np.int64)


@dataclass(frozen=True)
class Fitted:
    """A trained model; ``logits`` maps rows of the corpus to logits, shape (rows, labels)."""

    logits: Callable[[Sequence[int]], Floats]
    history: Sequence[Row]
    best_epoch: int
    cost: Cost
    settings: Mapping[str, Any]
