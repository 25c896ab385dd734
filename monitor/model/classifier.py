"""A model as the pipeline uses it: takes a hop of audio, returns a calibrated score per label."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.errors import PackageError
from monitor.features.logmel import LogMel
from monitor.features.spec import MelSpec
from monitor.features.window import SlidingWindow
from monitor.model.card import Card
from monitor.model.heads import Head, Rejecting, SupportedClasses, sigmoid, split
from monitor.model.streaming import Carried, Step, StreamingModel
from monitor.records import Samples

Scores = NDArray[np.float32]
Invoke = Callable[[NDArray[np.float32]], NDArray[np.float32]]
OnInference = Callable[[float], None]
Rejects = Mapping[str, Sequence[Rejecting]]


class FrontEnd(Protocol):
    """Converts a hop of samples to the rows that make up a window."""

    def push(self, samples: Samples) -> NDArray[np.float32]: ...

    def reset(self) -> None: ...


class Memory(Protocol):
    """Holds what the model needs of a stream's past: its rows, or a state derived from them."""

    def push(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the input of the model after adding the new ``rows``."""

    def reset(self) -> None: ...


class Waveform:
    """The front end of models that take raw samples; each sample is a row."""

    def push(self, samples: Samples) -> Samples:
        return samples

    def reset(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Inference:
    """The results of one hop.

    Attributes
    ----------
    scores
        Calibrated scores, the model's labels first, then those of the heads, shape (labels,), 0 … 1.
    features
        New rows of the front end, shape (frames, bands); None for waveforms.
    sounds
        Logits of the ``sounds`` output; None if there is none.
    embedding
        Shape (n,); None if there is none.
    """

    scores: Scores
    features: NDArray[np.float32] | None = None
    sounds: NDArray[np.float32] | None = None
    embedding: NDArray[np.float32] | None = None


class Classifier:
    """Front end, memory, inference and calibration of one stream.

    ``front_end``, ``memory``, ``invoke`` and :meth:`calibrated` are the steps of :meth:`push`, accessible
    so that they can be measured individually.

    Parameters
    ----------
    card
        Properties of the model.
    model
        Maps a window of the card's size to raw outputs (with a card of schema 2, concatenated in the order
        of its ``outputs``); or a streaming model.
    groups
        Indices of the outputs that each label stands for; its score is their maximum.
    classes
        How the labels of a card of schema 2 are scored; None for other cards.
    heads, rejects
        See :meth:`configure`.
    on_inference
        Called after each inference with its duration in seconds.
    """

    def __init__(
        self,
        card: Card,
        model: Invoke | StreamingModel,
        groups: Mapping[str, Sequence[int]],
        on_inference: OnInference | None = None,
        *,
        classes: SupportedClasses | None = None,
        heads: Sequence[Head] = (),
        rejects: Rejects | None = None,
    ) -> None:
        own = tuple(groups)
        self._own = own
        self.configure(heads, rejects)
        self._classes = classes
        self._card = card
        self.memory: Memory
        self.invoke: Invoke
        self.front_end = _front_end(card)
        self._has_features = isinstance(card.front_end, MelSpec)
        if isinstance(model, StreamingModel):
            self.memory = carried = Carried(model)
            self.invoke = carried.invoke
        else:
            self.memory = _window(card, self.front_end)
            self.invoke = model
        if on_inference is not None:
            self.invoke = _timed(self.invoke, on_inference)
        self._groups = None if _is_identity(groups) else [np.array(group) for group in groups.values()]
        self._negative = [i for i, label in enumerate(own) if label in card.negative_labels]

    def configure(self, heads: Sequence[Head], rejects: Rejects | None = None) -> None:
        """Use other heads from the next hop on.

        Parameters
        ----------
        heads
            Heads that add columns to the model's own.
        rejects
            By label, the heads that keep it from making events.
        """
        self.labels = (*self._own, *(label for head in heads for label in head.labels))
        self._heads = tuple(heads)
        self._rejects = [
            (self.labels.index(label), tuple(those))
            for label, those in (rejects or {}).items()
            if label in self.labels
        ]

    def push(self, hop: Samples) -> Inference:
        """Add ``card.hop`` samples and return the inference for the window that ends with them."""
        rows = self.front_end.push(hop)
        raw = self.invoke(self.memory.push(rows))
        outputs = split(self._card, raw)
        features = rows if self._has_features else None
        return Inference(self.calibrated(raw), features, outputs.sounds, outputs.embedding)

    def calibrated(self, raw: NDArray[np.float32]) -> Scores:
        """Return the scores of raw outputs; a label's score is the highest of its group."""
        outputs = split(self._card, raw)
        own = outputs.classes if self._classes is None else self._classes.logits(outputs)
        assert own is not None  # a card without a class head has supports
        scores = calibrate(own, self._card.output, self._card.temperature)
        if self._groups is not None:
            scores = np.array([scores[group].max() for group in self._groups], np.float32)
        if not self._heads:
            return scores
        return np.concatenate([scores, *(head.scores(outputs) for head in self._heads)])

    def accepted(self, scores: Scores, embedding: NDArray[np.float32] | None = None) -> Scores:
        """Return the scores used for events: zeros for labels that are rejected in this window.

        The card's reject rule states that a window contains none of the model's classes; it does not apply
        to the labels of other heads. Rejecting heads apply to the labels they were taught for.
        """
        rule = self._card.reject
        rejected = np.zeros(len(scores), np.bool_)
        if rule is not None and any(scores[i] >= rule.negative_over for i in self._negative):
            rejected[: len(self._own)] = True
        if embedding is not None:
            for column, heads in self._rejects:
                rejected[column] |= any(head.rejects(embedding) for head in heads)
        return np.where(rejected, np.float32(0.0), scores) if rejected.any() else scores

    def reset(self) -> None:
        """Begin a new stream."""
        self.front_end.reset()
        self.memory.reset()


def _timed(invoke: Invoke, on_inference: OnInference) -> Invoke:
    def timed(window: NDArray[np.float32]) -> NDArray[np.float32]:
        began = time.perf_counter()
        outputs = invoke(window)
        on_inference(time.perf_counter() - began)
        return outputs

    return timed


def calibrate(raw: NDArray[np.float32], output: str, temperature: float) -> Scores:
    """Return probabilities: independent for ``logits`` and ``sigmoid``, summing to one for ``softmax``.

    Reference: Guo et al., On Calibration of Modern Neural Networks, 2017 (a single temperature).
    """
    if output == "logits":
        return sigmoid(raw / np.float32(temperature))
    if temperature == 1.0:
        return raw
    safe = np.clip(raw, 1e-7, 1.0 - 1e-7)
    if output == "sigmoid":
        return sigmoid(np.log(safe / (1.0 - safe)) / np.float32(temperature))
    powered = safe ** np.float32(1.0 / temperature)
    probabilities: Scores = powered / powered.sum()
    return probabilities


def after_silence(card: Card, step: Step) -> StreamingModel:
    """Return the model of ``step``, with the state after a window of silence as the start of its streams."""
    assert card.state is not None
    frames = _front_end(card).push(np.zeros(card.hop, np.float32))
    state = np.zeros(card.state, np.float32)
    for _ in range(_hops(card)):
        _, state = step(frames, state)
    return StreamingModel(step, state)


def self_test(card: Card, model: Invoke | StreamingModel, outputs: int, where: object) -> None:
    """Run the model on a window of zeros and on one of seeded noise.

    Raises
    ------
    PackageError
        The model fails, returns a wrong number of outputs, or one that is not finite.
    """
    shape = input_shape(card)
    noise = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    invoke, calls = (Carried(model).invoke, _hops(card)) if isinstance(model, StreamingModel) else (model, 1)
    for name, rows in [("zeros", np.zeros(shape, np.float32))] * calls + [("noise", noise)] * calls:
        raw = invoke(rows)
        if raw.shape != (outputs,):
            raise PackageError(f"{where}: {raw.size} outputs for {outputs} labels")
        if not np.isfinite(raw).all():
            raise PackageError(
                f"{where}: the model gives values that are not finite for {name}; convert it again"
            )
        if card.output != "logits" and (raw.min() < 0 or raw.max() > 1):
            raise PackageError(f"{where}: output {card.output} must lie in 0…1; is it logits?")


def _is_identity(groups: Mapping[str, Sequence[int]]) -> bool:
    return [list(group) for group in groups.values()] == [[i] for i in range(len(groups))]


def input_shape(card: Card) -> tuple[int, ...]:
    """Return the shape of one inference's input: the rows of a window, or a streaming model's new rows."""
    spec = card.front_end
    if not isinstance(spec, MelSpec):
        return (card.window,)
    return (spec.frames if card.state is None else card.hop // spec.hop), spec.n_mels


def _hops(card: Card) -> int:
    """Return the number of hops in a window."""
    return -(-card.window // card.hop)


def _front_end(card: Card) -> FrontEnd:
    spec = card.front_end
    if not isinstance(spec, MelSpec):
        return Waveform()
    return LogMel(spec, card.sample_rate, card.hop // spec.hop)


def _window(card: Card, front_end: FrontEnd) -> SlidingWindow:
    length, *row = input_shape(card)
    silence = front_end.push(np.zeros(card.hop, np.float32))[-1]
    front_end.reset()
    return SlidingWindow(length, tuple(row), warmup=card.warmup, silence=silence)
