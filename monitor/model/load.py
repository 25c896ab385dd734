"""Load and test a model: the shipped package or a third-party model."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, Protocol

from monitor.errors import ConfigError, PackageError
from monitor.features.spec import WaveformSpec
from monitor.model.adapter import Adapter, read_adapter
from monitor.model.card import Card, ClassCard, MultiHeadCard
from monitor.model.classifier import Classifier, OnInference, Rejects, after_silence, input_shape, self_test
from monitor.model.heads import Head, SupportedClasses, Values
from monitor.model.linear import probe_embedding
from monitor.model.package import ModelPackage, read_package
from monitor.model.runtime import Runtime, StreamingRuntime
from monitor.settings import ClassSettings

_THIRD_PARTY_SHORTEST_S = 0.5
_ONLY_THE_ADAPTER = "remove model.input, sample_rate, hop_s, output, labels and select"
_NOT_WITH_A_CARD = "remove model.input, sample_rate, hop_s, output, labels, select and adapter"


@dataclass(frozen=True)
class ThirdParty:
    """The configuration of a model that has no card; an adapter brings its own."""

    input: Literal["waveform"] | None = None
    sample_rate: int | None = None
    hop_s: float | None = None
    output: Literal["logits", "sigmoid", "softmax"] = "sigmoid"
    labels: tuple[str, ...] = ()
    select: Mapping[str, Sequence[str]] = field(default_factory=dict)
    adapter: Path | None = None


class NewClassifier(Protocol):
    """Makes the classifier of a new stream; for heads see :meth:`Classifier.configure`."""

    def __call__(
        self,
        on_inference: OnInference | None = None,
        *,
        heads: Sequence[Head] = (),
        rejects: Rejects | None = None,
    ) -> Classifier: ...


@dataclass(frozen=True)
class LoadedModel:
    """A tested model: its card (generated for third-party models) and a factory for classifiers.

    Attributes
    ----------
    labels
        The model's own labels, in the order of their scores.
    """

    package: ModelPackage
    card: Card
    labels: tuple[str, ...]
    runtime: str
    classifier: NewClassifier

    @cached_property
    def probe(self) -> Values | None:
        """The embedding of seeded noise, which identifies the model; None if it has no embedding."""
        return probe_embedding(self.card, self.classifier())


def load_model(path: Path, third_party: ThirdParty, *, threads: int = 1, prefer: str = "auto") -> LoadedModel:
    """Read, validate and test a model; every error of the model is found here.

    Raises
    ------
    PackageError
        See :func:`read_package`, :class:`Runtime`, :func:`self_test`.
    ConfigError
        The configuration lacks keys that a third-party model needs, or selects a label it does not have.
    """
    package = read_package(path)
    if package.card is not None and third_party != ThirdParty():
        raise ConfigError(f"{path}: the model has a card, which says all about it; {_NOT_WITH_A_CARD}")
    if third_party.adapter is not None:
        if third_party != ThirdParty(adapter=third_party.adapter):
            raise ConfigError(
                f"{third_party.adapter}: the adapter says all of its model; {_ONLY_THE_ADAPTER}"
            )
        return _load_adapted(package, read_adapter(third_party.adapter), threads, prefer)
    outputs = third_party.labels or package.labels
    if package.card is not None and package.card.state is not None:
        return _load_streaming(package, package.card, package.card.state, threads, prefer)
    if isinstance(package.card, MultiHeadCard):
        return _load_multi_head(package, package.card, threads, prefer)
    runtime = Runtime(package.flatbuffer, path, outputs=len(outputs), threads=threads, prefer=prefer)
    if not outputs:
        raise ConfigError(f"{path}: the model names no labels; list them in model.labels")
    card = package.card or _third_party_card(path, third_party, runtime.input_size)
    _check_input(path, card, runtime.input_size)
    self_test(card, runtime.run, len(outputs), path)
    groups = _groups(path, third_party.select, outputs)
    return LoadedModel(
        package, card, tuple(groups), runtime.name, partial(Classifier, card, runtime.run, groups)
    )


def _load_multi_head(package: ModelPackage, card: MultiHeadCard, threads: int, prefer: str) -> LoadedModel:
    """Load a model with several outputs per inference."""
    path, labels, sizes = package.path, package.labels, card.outputs.sizes
    runtime = Runtime(package.flatbuffer, path, outputs=sizes, threads=threads, prefer=prefer)
    _check_input(path, card, runtime.input_size)
    self_test(card, runtime.run, sum(sizes), path)
    groups = _groups(path, {}, labels)
    classes = SupportedClasses(card, labels, package.sounds)
    classifier = partial(Classifier, card, runtime.run, groups, classes=classes)
    return LoadedModel(package, card, labels, runtime.name, classifier)


def _load_streaming(package: ModelPackage, card: Card, state: int, threads: int, prefer: str) -> LoadedModel:
    path, labels = package.path, package.labels
    runtime = StreamingRuntime(
        package.flatbuffer, path, outputs=len(labels), state=state, threads=threads, prefer=prefer
    )
    _check_input(path, card, runtime.input_size)
    model = after_silence(card, runtime.step)
    self_test(card, model, len(labels), path)
    groups = _groups(path, {}, labels)
    return LoadedModel(package, card, labels, runtime.name, partial(Classifier, card, model, groups))


def _load_adapted(package: ModelPackage, adapter: Adapter, threads: int, prefer: str) -> LoadedModel:
    """Load a third-party network with an adapter on top."""
    path, card, size = package.path, adapter.card, adapter.card.network.size
    runtime = Runtime(
        package.flatbuffer, path, outputs=size, inputs=card.window, threads=threads, prefer=prefer
    )
    _check_input(path, card, runtime.input_size)
    invoke = adapter.on(runtime.run)
    self_test(card, invoke, len(adapter.labels), path)
    adapter.check_network(invoke, path)
    groups = _groups(path, {}, adapter.labels)
    return LoadedModel(package, card, adapter.labels, runtime.name, partial(Classifier, card, invoke, groups))


def _third_party_card(path: Path, config: ThirdParty, window: int) -> Card:
    if config.input is None or config.sample_rate is None or not config.select:
        raise ConfigError(
            f"{path}: the model has no card; config must give model.input: waveform, model.sample_rate "
            "and model.select (your label: [its labels])"
        )
    hop = window // 2 if config.hop_s is None else round(config.hop_s * config.sample_rate)
    if not 0 < hop <= window:
        raise ConfigError(
            f"model.hop_s {config.hop_s} is outside 0…{window / config.sample_rate:g} s, the window of {path}"
        )
    shape = ClassCard(shortest_s=_THIRD_PARTY_SHORTEST_S, profiles={"quiet": ClassSettings()})
    return Card(
        schema=1,
        name=re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem),
        version="0",
        created="",
        licence="unknown",
        data_licences=(),
        sample_rate=config.sample_rate,
        window=window,
        hop=hop,
        front_end=WaveformSpec(),
        output=config.output,
        classes=dict.fromkeys(config.select, shape),
        warmup="silence",
    )


def _check_input(path: Path, card: Card, size: int) -> None:
    expected = math.prod(input_shape(card))
    if size != expected:
        raise PackageError(f"{path}: the model takes {size} values, its card says {expected}")


def _groups(
    path: Path, select: Mapping[str, Sequence[str]], outputs: Sequence[str]
) -> dict[str, tuple[int, ...]]:
    if not select:
        return {label: (i,) for i, label in enumerate(outputs)}
    index = {label: i for i, label in enumerate(outputs)}
    groups = {}
    for label, names in select.items():
        for name in names:
            if name not in index:
                near = _nearest(name, list(index))
                hint = f"; did you mean {near!r}?" if near else ""
                raise ConfigError(f"model.select.{label}: {path.name} has no label {name!r}{hint}")
        groups[label] = tuple(index[name] for name in names)
    return groups


def _nearest(name: str, labels: Sequence[str]) -> str | None:
    """Return the label that was probably meant: one with the same stem before one of similar letters."""
    word = name.casefold()
    stems = [
        label for label in labels if word.startswith(label.casefold()) or label.casefold().startswith(word)
    ]
    if stems:
        return min(stems, key=lambda label: abs(len(label) - len(name)))
    folded = {label.casefold(): label for label in labels}
    near = difflib.get_close_matches(word, folded, 1)
    return folded[near[0]] if near else None
