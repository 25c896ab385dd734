"""Train any network whose input is the monitor's window."""

from __future__ import annotations

from training.base.variants import base_of
from training.study.task import Task
from training.study.trainers import augmented, shipped
from training.study.trainers.augmented import WindowedNetwork

_TRAINERS = {
    **dict.fromkeys(augmented.SETTINGS, augmented.train),
    **dict.fromkeys(shipped.SETTINGS, shipped.train),
}


def is_windowed(model: str) -> bool:
    """Return whether the model's input is the monitor's window."""
    return base_of(model) in _TRAINERS


def train(task: Task) -> WindowedNetwork:
    """Train a network, or load it if the task's folder holds all its epochs."""
    return _TRAINERS[base_of(task.job.model)](task)
