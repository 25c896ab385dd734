"""The default model without a fold: its network in Keras, and its package.

Both are made by ``sound-training default --left-out``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monitor.features.spec import KaldiLogMelSpec
from monitor.model.card import MultiHeadCard, Support
from monitor.model.package import read_package
from training.data.corpora import CLASSES, data_root
from training.errors import DataError
from training.fit.windows import Scaling
from training.networks import mn04
from training.recipes.transfer.fine_tune import trained
from training.recipes.transfer.left_out import package_path
from training.recipes.transfer.make import run_name
from training.recipes.transfer.trunk import Pretrained, whole
from training.records.jobs import Job
from training.robustness.targets.front_end import DB_OF_LN, on_features, on_waveforms
from training.study.task import Options

DEFAULT = "default"
"""Name of the default model among the networks."""


@dataclass(frozen=True)
class HeldOut:
    """A network that held out a fold, and its package.

    Parameters
    ----------
    logits
        Windows, shape (batch, frames, bands), to ten logits with the card's support.
    """

    logits: Callable[..., Any]
    package: Path
    spec: KaldiLogMelSpec
    rate: int

    @property
    def on_features(self) -> Callable[[Any], Any]:
        """The network as a function of dB; see :func:`.front_end.on_features`."""
        return on_features(self.logits, self.spec, self._scaling, self.rate)

    @property
    def on_waveforms(self) -> Callable[[Any], Any]:
        """The network as a function of sounds at its rate; see :func:`.front_end.on_waveforms`."""
        return on_waveforms(self.logits, self.spec, self._scaling, self.rate)

    @property
    def _scaling(self) -> Scaling:
        normalisation = self.spec.normalisation
        (std,) = normalisation.std
        return Scaling(np.asarray(normalisation.mean, np.float32) * np.float32(DB_OF_LN), std * DB_OF_LN)


def state_path(job: Job, options: Options) -> Path:
    """Return the path of the weights: in the folder ``default`` beside the study's runs."""
    return _runs(options) / run_name(job.test_fold, job.seed) / "state.npz"


def held_out_package(job: Job, options: Options) -> Path:
    """Return the path of the package that held out the job's fold."""
    return package_path(_runs(options), job.test_fold, job.seed)


def held_out(job: Job, options: Options) -> HeldOut:
    """Return the default model that held out the job's fold.

    Raises
    ------
    DataError
        If it has not been made.
    """
    package = held_out_package(job, options)
    if not package.is_file():
        raise DataError(
            f"{package}: no such file; make it first: sound-training default --seeds {job.seed} --left-out"
        )
    card = read_package(package).card
    assert isinstance(card, MultiHeadCard)
    assert isinstance(card.front_end, KaldiLogMelSpec)
    pretrained = Pretrained.under(data_root(options.data))
    network = whole(pretrained, trained(pretrained, state_path(job, options).parent), batch=None)
    names = mn04.audioset_labels(pretrained.labels)
    return HeldOut(supported(network, card.support, names), package, card.front_end, card.sample_rate)


def supported(network: Any, supports: Mapping[str, Support], names: tuple[str, ...]) -> Callable[..., Any]:
    """Return the network with its class logits supported by AudioSet's, as the daemon computes them."""
    import tensorflow as tf

    groups = [[names.index(name) for name in supports[label].labels] for label in CLASSES]
    head, weight, bias = (
        np.array([getattr(supports[label], part) for label in CLASSES], np.float32)
        for part in ("head", "weight", "bias")
    )

    def logits(windows: Any, training: bool = False) -> Any:
        classes, audioset, _ = network(windows, training=training)
        highest = tf.stack([tf.reduce_max(tf.gather(audioset, g, axis=1), axis=1) for g in groups], axis=1)
        return head * classes[:, : len(CLASSES)] + weight * highest + bias

    return logits


def _runs(options: Options) -> Path:
    return options.runs.parent / "default"
