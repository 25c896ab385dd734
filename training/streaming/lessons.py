"""What a larger network hears, moment by moment, in scenes laid out as waveforms.

As :mod:`training.distillation`, but for sequences: the teacher's embedding every 0.48 s stands
beside the labels of every column, and a linear head on it says which classes it hears there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.features.logmel import log_mel
from training.audio import Waveform, read
from training.data import Clip
from training.distillation import Teacher, apply_head, cache_key, fit_head, sounding
from training.mixing import Floats
from training.prepare import RATE, FrontEnd, event_sampler, other_sampler, targets_of
from training.splits import Part
from training.streaming.network import STRIDE
from training.streaming.scenes import Labels, Timing
from training.streams import rms

Tick = Callable[[int], None]
_FRAME = 320
TEACHER_COLUMNS = 6
"""Columns between two of the teacher's looks: 0.48 s."""
FIRST_COLUMN = 11
"""The column that ends when the teacher's first look does, 0.96 s after the beginning."""
_FAR = 4.0


@dataclass(frozen=True)
class LessonPlan:
    """How scenes are drawn; probabilities 0…1, ranges in dB or as a factor of speed."""

    count: int = 2_500
    frames: int = 500
    sounds: tuple[float, ...] = (0.15, 0.25, 0.3, 0.2, 0.1)
    snr_db: tuple[float, float] = (-3.0, 25.0)
    bed: float = 0.9
    distract: float = 0.35
    unlabelled: float = 0.1
    speed: float = 1.16


@dataclass(frozen=True)
class Lessons:
    """Scenes with what the teacher heard in them.

    decibels : shape (n, frames, n_mels); targets and weights : shape (n, columns, labels); embedding :
    shape (n, looks, 1024)
    """

    decibels: NDArray[np.float16]
    targets: NDArray[np.float16]
    weights: NDArray[np.float16]
    embedding: NDArray[np.float16]

    def taught(self, share: float) -> Lessons:
        """Standardise the embedding; take ``share`` of each target from what it says of the labels.

        Where no label is known (weight 0) the teacher alone is heard, at half weight.
        """
        at = looks(self.decibels.shape[1], self.embedding.shape[1])
        heard = self.embedding[:, : len(at)].astype(np.float32)
        flat = heard.reshape(-1, heard.shape[-1])
        scaled = ((flat - flat.mean(axis=0)) / (flat.std(axis=0) + 1e-3)).clip(-_FAR, _FAR)
        targets, weights = self.targets.astype(np.float32), self.weights.astype(np.float32)
        goal, sure = targets[:, at].reshape(len(flat), -1), weights[:, at].reshape(len(flat), -1)
        known = sure.min(axis=1) > 0
        head = fit_head(scaled[known], goal[known])
        judged = apply_head(head, scaled).reshape(len(heard), len(at), -1)
        nearest = np.abs(np.arange(targets.shape[1])[:, None] - at).argmin(axis=1)
        judged = judged[:, nearest]
        mixed = np.where(weights > 0, (1 - share) * targets + share * judged, judged)
        return replace(
            self,
            embedding=scaled.reshape(heard.shape).astype(np.float16),
            targets=mixed.astype(np.float16),
            weights=np.where(weights > 0, weights, 0.5).astype(np.float16),
        )


def looks(frames: int, count: int) -> NDArray[np.int64]:
    """The columns at whose ends the teacher looked, for as many looks as a scene has columns for."""
    at = FIRST_COLUMN + TEACHER_COLUMNS * np.arange(count)
    return at[at < frames // STRIDE]


def joined(lessons: Sequence[Lessons]) -> Lessons:
    """All lessons as one."""
    return Lessons(*(np.concatenate([getattr(each, f.name) for each in lessons]) for f in fields(Lessons)))


class SceneMaker:
    """Lays scenes as waveforms from the part's sounds."""

    def __init__(
        self, part: Part, unlabelled: Sequence[Clip], plan: LessonPlan, timing: Timing, faint_label: float
    ) -> None:
        clips = [*(c for c, _ in part.events), *part.negatives, *part.backgrounds]
        self._sounds = [sounding(read(clip.path, RATE)) for clip in clips]
        self._targets = targets_of(part, faint_label)
        self._events, self._others = event_sampler(part), other_sampler(part)
        self._unlabelled = [read(clip.path, RATE) for clip in unlabelled]
        self._plan, self._timing = plan, timing

    def draw(self, rng: np.random.Generator) -> tuple[Waveform, Floats, Floats]:
        """Return samples, targets and weights of one scene."""
        plan, length = self._plan, self._plan.frames * _FRAME
        labels = Labels(1, plan.frames // STRIDE, self._timing)
        if self._unlabelled and rng.random() < plan.unlabelled:
            sound = self._unlabelled[int(rng.integers(len(self._unlabelled)))]
            scene = np.resize(self._part_of(sound, rng), length).astype(np.float32)
            targets, weights = labels.finished()
            return self._levelled(scene, rng), targets[0], np.zeros_like(weights[0])
        scene = (1e-4 * rng.standard_normal(length)).astype(np.float32)
        if rng.random() < plan.bed:
            bed = np.resize(self._part_of(self._sounds[int(self._others.draw(1, rng)[0])], rng), length)
            scene += bed * np.float32(0.03 / max(rms(bed), 1e-6))
        level = rms(scene)
        for clip in self._events.draw(int(rng.choice(len(plan.sounds), p=plan.sounds)), rng):
            lo, hi = self._lay(scene, self._sounds[clip], level, rng)
            labels.add(0, self._targets[clip], lo // _FRAME, -(-hi // _FRAME))
        if rng.random() < plan.distract:
            self._lay(scene, self._sounds[int(self._others.draw(1, rng)[0])], level, rng)
        targets, weights = labels.finished()
        return self._levelled(scene, rng), targets[0], weights[0]

    def _lay(
        self, scene: Waveform, sound: Waveform, level: float, rng: np.random.Generator
    ) -> tuple[int, int]:
        sound = self._part_of(sound, rng)
        start = int(rng.integers(-len(sound) // 2, len(scene) - RATE // 5))
        lo, hi = max(0, start), min(len(scene), start + len(sound))
        gain = level / max(rms(sound), 1e-7) * 10 ** (rng.uniform(*self._plan.snr_db) / 20)
        scene[lo:hi] += sound[lo - start : hi - start] * np.float32(gain)
        return lo, hi

    def _part_of(self, sound: Waveform, rng: np.random.Generator) -> Waveform:
        """At most a scene of the sound, at a random speed."""
        speed = self._plan.speed ** rng.uniform(-1.0, 1.0)
        taken = int(self._plan.frames * _FRAME * speed)
        start = int(rng.integers(len(sound) - taken)) if len(sound) > taken else 0
        sound = sound[start : start + taken]
        part = np.interp(np.arange(0, len(sound) - 1, speed), np.arange(len(sound)), sound)
        return part.astype(np.float32) if len(part) else np.zeros(1, np.float32)

    def _levelled(self, scene: Waveform, rng: np.random.Generator) -> Waveform:
        peak = max(float(np.abs(scene).max()), 1e-6)
        return (scene * (10 ** (rng.uniform(-30.0, 0.0) / 20) / peak)).astype(np.float32)


def make_lessons(
    part: Part, unlabelled: Sequence[Clip], front_end: FrontEnd, teacher: Any, plan: LessonPlan,
    timing: Timing, faint_label: float, seed: int, tick: Tick,
) -> Lessons:  # fmt: skip
    """Let the teacher hear ``plan.count`` scenes; kept in the front end's cache."""
    key = cache_key(part, unlabelled, front_end, plan, timing, faint_label, seed)
    path = front_end.cache / f"scenes-{key}.npz"
    if path.is_file():
        with np.load(path) as stored:
            return Lessons(*(stored[f.name] for f in fields(Lessons)))
    hear, rng = Teacher(teacher), np.random.default_rng((seed, 10**8))
    maker = SceneMaker(part, unlabelled, plan, timing, faint_label)
    drawn: list[tuple[Any, ...]] = []
    for number in range(plan.count):
        samples, targets, weights = maker.draw(rng)
        decibels = log_mel(samples, front_end.spec, RATE, 25)
        drawn.append(tuple(a.astype(np.float16) for a in (decibels, targets, weights, hear.looks(samples))))
        if (number + 1) % 500 == 0:
            tick(number + 1)
    lessons = Lessons(*(np.stack(column) for column in zip(*drawn, strict=True)))
    partial = path.with_suffix(".part.npz")
    np.savez(partial, **vars(lessons))
    partial.replace(path)
    return lessons
