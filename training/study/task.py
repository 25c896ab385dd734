"""What every trainer of the study is given, and what it gives back."""

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
    """How jobs are run on whatever machine runs them; ``None`` leaves a choice to the model.

    ``data`` is the data folder (None: the machine's own SOUND_DATA); ``threads`` are those of one
    job (0: all cores); ``epochs`` cuts every model's own number.
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

    ``backgrounds`` are for augmentation; ``folder`` keeps the state after each epoch.
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
    """A trained model: ``logits`` of clips by their rows in the corpus, shape (rows, labels)."""

    logits: Callable[[Sequence[int]], Floats]
    history: Sequence[Row]
    best_epoch: int
    cost: Cost
    settings: Mapping[str, Any]


def in_float32(model: Any) -> Any:
    """Let a network that computes in 16 bits give its logits in 32."""
    import keras
    from keras import layers

    return keras.Model(model.input, layers.Activation("linear", dtype="float32")(model.output))
