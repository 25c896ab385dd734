"""The distillation set: mixtures of training sounds with the teacher's embeddings.

YAMNet was trained on two million clips; a student that predicts its 1024-dimensional embedding
beside the labels learns more than the labels of two folds provide. The teacher has seen none of
our labels and processes waveforms of the training part only, so the distillation set is as free of
test recordings as that part.

Reference: Hinton, Vinyals, Dean, Distilling the Knowledge in a Neural Network, 2015.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.features.logmel import log_mel
from training.base.arrays import Floats
from training.base.atomic import atomic_write
from training.base.maths import amplitude_of_db
from training.base.progress import Tick
from training.data.audio import RATE, Waveform, read
from training.data.corpora import Clip
from training.data.splits import Part
from training.data.trimming import sounding
from training.features.alterations import room_response
from training.features.front_end import FrontEnd
from training.fit.distillation import apply_head, cache_key, fit_head
from training.mixing.mixer import HEARD_FRAMES, pair_targets
from training.mixing.prepare import event_sampler, other_sampler, targets_of
from training.mixing.streams import rms
from training.networks.yamnet import Yamnet

_FRAME = 320
_FAR = 4.0
"""Standard deviations at which standardised embedding values are clipped."""


@dataclass(frozen=True)
class LessonPlan:
    """How mixtures are drawn; probabilities 0…1, ranges in dB or as speed factors."""

    count: int = 10_000
    negatives: float = 0.25
    unlabelled: float = 0.15
    second: float = 0.45
    second_db: float = 12.0
    background: float = 0.7
    background_db: tuple[float, float] = (-5.0, 25.0)
    partial: float = 0.35
    speed: float = 1.16
    room: float = 0.0
    room_s: tuple[float, float] = (0.2, 1.5)
    room_db: tuple[float, float] = (-5.0, 10.0)


@dataclass(frozen=True)
class Lessons:
    """A distillation set: windows with preceding context, and the teacher's embedding of each window.

    Parameters
    ----------
    windows
        Log-mel in dB, shape (n, lead + frames, n_mels).
    targets
        Shape (n, labels).
    embedding
        Shape (n, 1024).
    labelled
        Shape (n,); 1 where the targets are known, 0 for unlabelled sounds.
    """

    windows: NDArray[np.float16]
    targets: Floats
    embedding: NDArray[np.float16]
    labelled: Floats

    def digest(self) -> str:
        """Return a digest that identifies this distillation set."""
        return hashlib.sha256(self.embedding.tobytes() + self.targets.tobytes()).hexdigest()[:12]

    def taught(self, share: float) -> Lessons:
        """Standardise the embedding and replace ``share`` of each target by the teacher's prediction.

        The prediction comes from a regularised linear head on the embedding. It adds what a single label
        per clip cannot express: other classes in the same clip. Unlabelled sounds get its targets alone.
        """
        heard = self.embedding.astype(np.float32)
        scaled = ((heard - heard.mean(axis=0)) / (heard.std(axis=0) + 1e-3)).clip(-_FAR, _FAR)
        known = self.labelled > 0
        head = fit_head(scaled[known], self.targets[known])
        weight = np.where(known, share, 1.0)[:, None].astype(np.float32)
        targets = (1 - weight) * self.targets + weight * apply_head(head, scaled)
        return replace(self, targets=targets, embedding=scaled.astype(np.float16))


def joined(lessons: Sequence[Lessons]) -> Lessons:
    """Concatenate distillation sets."""
    return Lessons(*(np.concatenate([getattr(each, f.name) for each in lessons]) for f in fields(Lessons)))


class MixtureMaker:
    """Draws waveform mixtures of the part's sounds, a window and its lead each, with labels.

    Parameters
    ----------
    lead
        Samples before the window.
    length
        Samples of the window.
    """

    def __init__(
        self, part: Part, unlabelled: Sequence[Clip], lead: int, length: int, plan: LessonPlan,
        faint_label: float,
    ) -> None:  # fmt: skip
        clips = [*(c for c, _ in part.events), *part.negatives, *part.backgrounds]
        self._sounds = [sounding(read(clip.path, RATE)) for clip in clips]
        self._targets = targets_of(part, faint_label)
        self._events, self._others = event_sampler(part), other_sampler(part)
        self._unlabelled = [read(clip.path, RATE) for clip in unlabelled]
        self._past = RATE // 2 if plan.room else 0
        self._lead, self._length, self._plan = lead + self._past, length, plan

    def draw(self, rng: np.random.Generator) -> tuple[Waveform, Floats, bool]:
        """Return samples, shape (lead + length,), the window's targets and whether they are known."""
        plan = self._plan
        if self._unlabelled and rng.random() < plan.unlabelled:
            sound = self._unlabelled[int(rng.integers(len(self._unlabelled)))]
            mixture = self._placed(sound, rng)[0]
            return self._levelled(mixture[self._past :], rng), np.zeros_like(self._targets[0]), False
        empty = rng.random() < plan.negatives
        first = int((self._others if empty else self._events).draw(1, rng)[0])
        (mixture, full), targets = self._placed(self._sounds[first], rng), self._targets[first]
        loudness = rms(mixture[self._lead :])
        if not empty and rng.random() < plan.second:
            second = int(self._events.draw(1, rng)[0])
            gain_db = rng.uniform(-plan.second_db, plan.second_db)
            mixture = mixture + self._scaled(self._placed(self._sounds[second], rng)[0], loudness, gain_db)
            targets = pair_targets(targets[None], self._targets[second][None], np.array([gain_db]))[0]
        if plan.room and rng.random() < plan.room:
            mixture = self._in_room(mixture, loudness, rng)
        if rng.random() < plan.background or not full:
            bed, _ = self._placed(self._sounds[int(self._others.draw(1, rng)[0])], rng)
            mixture = mixture + self._scaled(bed, loudness, -rng.uniform(*plan.background_db))
        return self._levelled(mixture[self._past :], rng), targets, True

    def _in_room(self, mixture: Waveform, loudness: float, rng: np.random.Generator) -> Waveform:
        from scipy.signal import fftconvolve

        rt60_s = float(np.exp(rng.uniform(*np.log(self._plan.room_s))))
        response = room_response(RATE, rt60_s, rng.uniform(*self._plan.room_db), rng)
        return self._scaled(fftconvolve(mixture, response)[: len(mixture)], loudness, 0.0)

    def _placed(self, sound: Waveform, rng: np.random.Generator) -> tuple[Waveform, bool]:
        """Place a sound at a random speed, long ones cropped; return it and whether it fills the window."""
        speed = self._plan.speed ** rng.uniform(-1.0, 1.0)
        whole = self._lead + self._length
        taken = int(whole * speed) + 2
        if len(sound) > taken:
            begin = int(rng.integers(len(sound) - taken))
            sound = sound[begin : begin + taken]
        played = np.interp(np.arange(0, len(sound) - 1, speed), np.arange(len(sound)), sound)[:whole]
        heard = min(len(played), HEARD_FRAMES * _FRAME)
        full = len(played) >= self._length and bool(rng.random() >= self._plan.partial)
        if full:
            start = int(rng.integers(self._length - len(played), 1))
        else:
            start = int(rng.integers(heard - len(played), self._length - heard + 1))
        placed = np.zeros(whole, np.float32)
        at = self._lead + start
        lo, hi = max(0, at), min(whole, at + len(played))
        placed[lo:hi] = played[lo - at : hi - at]
        return placed, full

    def _scaled(self, samples: Waveform, reference: float, gain_db: float) -> Waveform:
        loudness = max(rms(samples[self._lead :]), 1e-7)
        scaled: Waveform = samples * np.float32(reference / loudness * amplitude_of_db(gain_db))
        return scaled

    def _levelled(self, mixture: Waveform, rng: np.random.Generator) -> Waveform:
        peak = max(float(np.abs(mixture).max()), 1e-6)
        return (mixture * (amplitude_of_db(rng.uniform(-30.0, 0.0)) / peak)).astype(np.float32)


def make_lessons(
    part: Part, unlabelled: Sequence[Clip], front_end: FrontEnd, lead: int, teacher: Path, plan: LessonPlan,
    faint_label: float, seed: int, tick: Tick,
) -> Lessons:  # fmt: skip
    """Run the teacher on ``plan.count`` mixtures; the result is kept in the front end's cache.

    Parameters
    ----------
    lead
        Frames of context before each window.
    """
    key = cache_key(part, unlabelled, front_end, plan, faint_label, lead, seed)
    path = front_end.cache / f"mixtures-{key}.npz"
    if path.is_file():
        with np.load(path) as stored:
            return Lessons(*(stored[f.name] for f in fields(Lessons)))
    hear, rng = Yamnet(teacher), np.random.default_rng((seed, 10**7))
    before = lead * _FRAME
    maker = MixtureMaker(part, unlabelled, before, front_end.window, plan, faint_label)
    drawn = []
    for number in range(plan.count):
        samples, targets, known = maker.draw(rng)
        decibels = log_mel(samples, front_end.spec, RATE, 4).astype(np.float16)
        embedding = hear.embeddings(samples[before:]).mean(axis=0).astype(np.float16)
        drawn.append((decibels, targets, embedding, np.float32(known)))
        if (number + 1) % 1000 == 0:
            tick(number + 1)
    lessons = Lessons(*(np.stack(column) for column in zip(*drawn, strict=True)))
    with atomic_write(path) as partial, partial.open("wb") as file:
        np.savez(file, **vars(lessons))
    return lessons
