"""What a larger network hears in mixtures of the training sounds, for a small one to learn from.

YAMNet was trained on two million clips and gives each window 1024 numbers; a network that must
predict them beside its labels learns from two folds what two folds alone cannot teach.
The teacher has seen no label of ours. It hears waveforms of the training part alone, so what
holds of the part (no recording of a test fold) holds of the lessons.

Reference: Hinton, Vinyals, Dean, Distilling the Knowledge in a Neural Network, 2015.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.features.logmel import log_mel
from training.audio import Waveform, read
from training.data import SUFFIXES, Clip
from training.errors import DataError
from training.mixing import HEARD_FRAMES, Floats, Recipe, pair_targets
from training.prepare import RATE, FrontEnd, event_sampler, other_sampler, targets_of
from training.splits import Part

EMBEDDING = 1024
TEACHER_FILE = "yamnet_embeddings.tflite"
_HEAD_DECAY, _HEAD_RATE = 0.03, 0.02
_FAR = 4.0
"""Deviations beyond which a number of the embedding counts as this much."""

Tick = Callable[[int], None]


@dataclass(frozen=True)
class LessonPlan:
    """How mixtures are drawn; probabilities 0…1, ranges in dB or as a factor of speed."""

    count: int = 5_000
    negatives: float = 0.25
    unlabelled: float = 0.1
    second: float = 0.45
    second_db: float = 12.0
    background: float = 0.7
    background_db: tuple[float, float] = (-5.0, 25.0)
    partial: float = 0.35
    speed: float = 1.16


@dataclass(frozen=True)
class Lessons:
    """Windows with what the teacher heard in them.

    windows : dB, shape (n, frames, n_mels); targets : shape (n, labels); embedding : shape
    (n, 1024); labelled : shape (n,), 1 where the targets are known, 0 for unlabelled sounds
    """

    windows: NDArray[np.float16]
    targets: Floats
    embedding: NDArray[np.float16]
    labelled: Floats

    def standardised(self) -> Lessons:
        """The same with every column of the embedding at mean 0 and deviation 1."""
        heard = self.embedding.astype(np.float32)
        scaled = (heard - heard.mean(axis=0)) / (heard.std(axis=0) + 1e-3)
        return replace(self, embedding=scaled.clip(-_FAR, _FAR).astype(np.float16))

    def softened(self, share: float) -> Lessons:
        """The same with ``share`` of each target taken from what the embedding says of the labels.

        A linear head on the embedding, held back by weight decay, knows what the corpus's one
        label a clip does not: which of the other classes is in it too. It judges unlabelled
        sounds alone. Needs :meth:`standardised` lessons.
        """
        known = self.labelled > 0
        head = fit_head(self.embedding[known].astype(np.float32), self.targets[known])
        judged = apply_head(head, self.embedding.astype(np.float32))
        weight = np.where(known, share, 1.0)[:, None].astype(np.float32)
        targets = (1 - weight) * self.targets + weight * judged
        return replace(self, targets=targets, labelled=np.ones_like(self.labelled))


def fit_head(embedding: Floats, targets: Floats, steps: int = 400) -> Floats:
    """Logistic regression with weight decay by gradient descent with momentum, shape (1 + 1024, labels)."""
    inputs = np.concatenate([np.ones((len(embedding), 1), np.float32), embedding], axis=1)
    weights = np.zeros((inputs.shape[1], targets.shape[1]), np.float32)
    velocity = np.zeros_like(weights)
    decay = np.full((len(weights), 1), _HEAD_DECAY, np.float32)
    decay[0] = 0.0
    for _ in range(steps):
        error = 1 / (1 + np.exp(-inputs @ weights)) - targets
        velocity = 0.9 * velocity - _HEAD_RATE * (inputs.T @ error / len(inputs) + decay * weights)
        weights += velocity
    return weights


def apply_head(weights: Floats, embedding: Floats) -> Floats:
    scores: Floats = 1 / (1 + np.exp(-(weights[0] + embedding @ weights[1:])))
    return scores


def joined(lessons: Sequence[Lessons]) -> Lessons:
    """All lessons as one."""
    return Lessons(*(np.concatenate([vars(each)[f.name] for each in lessons]) for f in fields(Lessons)))


def unlabelled_sounds(folder: Path) -> tuple[Clip, ...]:
    """Return the recordings in ``folder``, of which nothing is known; none if there is no such folder."""
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    return tuple(Clip(path, "unlabelled", path.stem, "", 0) for path in found)


class Teacher:
    """YAMNet with its embedding as an output.

    Raises
    ------
    DataError : there is no such file, or it is no model with an embedding
    """

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        if not path.is_file():
            raise DataError(f"{path}: no such file; the teacher is YAMNet with its embedding as an output")
        self._interpreter = Interpreter(model_path=str(path), num_threads=1)
        widths = {int(o["shape"][-1]): o["index"] for o in self._interpreter.get_output_details()}
        if EMBEDDING not in widths:
            raise DataError(f"{path}: none of its outputs is an embedding of {EMBEDDING} numbers")
        self._output = widths[EMBEDDING]
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._length = 0

    def __call__(self, samples: Waveform) -> Floats:
        """Return the mean embedding over the whole of ``samples``, 16 kHz."""
        mean: Floats = self.looks(samples).mean(axis=0)
        return mean

    def looks(self, samples: Waveform) -> Floats:
        """Return the embedding of each 0.96 s of ``samples``, every 0.48 s, shape (looks, 1024)."""
        if len(samples) != self._length:
            self._interpreter.resize_tensor_input(self._input, [len(samples)])
            self._interpreter.allocate_tensors()
            self._length = len(samples)
        self._interpreter.set_tensor(self._input, samples)
        self._interpreter.invoke()
        embedding: Floats = self._interpreter.get_tensor(self._output).copy()
        return embedding


class MixtureMaker:
    """Draws mixtures of the part's sounds as waveforms of one window, with their labels."""

    def __init__(self, part: Part, unlabelled: Sequence[Clip], length: int, plan: LessonPlan, recipe: Recipe):
        clips = [*(c for c, _ in part.events), *part.negatives, *part.backgrounds]
        self._sounds = [sounding(read(clip.path, RATE)) for clip in clips]
        self._targets = targets_of(part, recipe)
        self._events = event_sampler(part)
        self._others = other_sampler(part)
        self._unlabelled = [read(clip.path, RATE) for clip in unlabelled]
        self._length, self._plan = length, plan

    def draw(self, rng: np.random.Generator) -> tuple[Waveform, Floats, bool]:
        """Return a window, shape (length,), its targets and whether they are known."""
        plan = self._plan
        if self._unlabelled and rng.random() < plan.unlabelled:
            sound = self._unlabelled[rng.integers(len(self._unlabelled))]
            return self._level(self._placed(sound, rng), rng), np.zeros_like(self._targets[0]), False
        empty = rng.random() < plan.negatives
        first = int((self._others if empty else self._events).draw(1, rng)[0])
        window, targets = self._placed(self._sounds[first], rng), self._targets[first]
        full = (
            bool(np.abs(window[:: self._length // 50]).min() > 0) and len(self._sounds[first]) >= self._length
        )
        loudness = _rms(window)
        if not empty and rng.random() < plan.second:
            second = int(self._events.draw(1, rng)[0])
            gain_db = rng.uniform(-plan.second_db, plan.second_db)
            window = window + _scaled(self._placed(self._sounds[second], rng), loudness, gain_db)
            pair = pair_targets(targets[None], self._targets[second][None], np.array([gain_db]))
            targets = pair[0]
        if rng.random() < plan.background or not full:
            bed = self._placed(self._sounds[int(self._others.draw(1, rng)[0])], rng)
            window = window + _scaled(bed, loudness, -rng.uniform(*plan.background_db))
        return self._level(window, rng), targets, True

    def _placed(self, sound: Waveform, rng: np.random.Generator) -> Waveform:
        """A window of the sound at a random speed: a stretch of a long one, a short one somewhere in it."""
        speed = self._plan.speed ** rng.uniform(-1.0, 1.0)
        taken = int(self._length * speed) + 2
        window = np.zeros(self._length, np.float32)
        if len(sound) > taken:
            start = int(rng.integers(len(sound) - taken))
            sound = sound[start : start + taken]
        sound = np.interp(np.arange(0, len(sound) - 1, speed), np.arange(len(sound)), sound)[: self._length]
        heard = min(len(sound), HEARD_FRAMES * 320)
        if len(sound) >= self._length and rng.random() >= self._plan.partial:
            window[:] = sound
            return window
        start = int(rng.integers(heard - len(sound), self._length - heard + 1))
        lo, hi = max(0, start), min(self._length, start + len(sound))
        window[lo:hi] = sound[lo - start : hi - start]
        return window

    def _level(self, window: Waveform, rng: np.random.Generator) -> Waveform:
        peak = max(float(np.abs(window).max()), 1e-6)
        level: Waveform = (window * (10 ** (rng.uniform(-30.0, 0.0) / 20) / peak)).astype(np.float32)
        return level


def make_lessons(
    part: Part, unlabelled: Sequence[Clip], front_end: FrontEnd, teacher: Path, plan: LessonPlan,
    recipe: Recipe, seed: int, tick: Tick,
) -> Lessons:  # fmt: skip
    """Let the teacher hear ``plan.count`` mixtures; kept in the front end's cache."""
    key = cache_key(part, unlabelled, front_end, plan, recipe.faint_label, seed)
    path = front_end.cache / f"lessons-{key}.npz"
    if path.is_file():
        with np.load(path) as stored:
            return Lessons(*(stored[name] for name in ("windows", "targets", "embedding", "labelled")))
    hear, rng = Teacher(teacher), np.random.default_rng((seed, 10**7))
    maker = MixtureMaker(part, unlabelled, front_end.window, plan, recipe)
    windows, targets, embedding, labelled = [], [], [], []
    for number in range(plan.count):
        samples, target, known = maker.draw(rng)
        windows.append(log_mel(samples, front_end.spec, RATE, 25).astype(np.float16))
        embedding.append(hear(samples))
        targets.append(target)
        labelled.append(float(known))
        if (number + 1) % 1000 == 0:
            tick(number + 1)
    lessons = Lessons(
        np.stack(windows),
        np.stack(targets),
        np.stack(embedding).astype(np.float16),
        np.array(labelled, np.float32),
    )
    partial = path.with_suffix(".part.npz")
    np.savez(partial, **vars(lessons))
    partial.replace(path)
    return lessons


def cache_key(part: Part, unlabelled: Sequence[Clip], front_end: FrontEnd, *settings: Any) -> str:
    described = [asdict(s) if hasattr(s, "__dataclass_fields__") else s for s in settings]
    digest = hashlib.sha256(f"{front_end.spec.model_dump_json()} {described}".encode())
    for clip in (*(c for c, _ in part.events), *part.negatives, *part.backgrounds, *unlabelled):
        digest.update(f"{clip.path.name} {clip.path.stat().st_size}\n".encode())
    return digest.hexdigest()[:20]


def sounding(samples: Waveform) -> Waveform:
    """Without digital silence at the ends, which ESC pads with."""
    audible = np.flatnonzero(np.abs(samples) > np.abs(samples).max() * 10 ** (-50 / 20))
    return samples[audible[0] : audible[-1] + 1] if len(audible) else samples


def _rms(samples: Waveform) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def _scaled(samples: Waveform, reference: float, gain_db: float) -> Waveform:
    scaled: Waveform = samples * np.float32(reference / max(_rms(samples), 1e-7) * 10 ** (gain_db / 20))
    return scaled
