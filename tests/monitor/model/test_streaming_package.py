"""A package with a state: what it hears hop by hop is what it hears at once, whatever came before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monitor.errors import PackageError
from monitor.features.logmel import log_mel
from monitor.features.spec import LogMelSpec
from monitor.model.load import LoadedModel, ThirdParty, load_model
from monitor.model.package import read_package, write_package
from monitor.model.runtime import StreamingRuntime

PACKAGE = Path(__file__).parents[3] / "models" / "urban-sounds-0.6.0.tflite"


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return load_model(PACKAGE, ThirdParty())


def _noise(loaded: LoadedModel, hops: int, seed: int) -> np.ndarray:
    samples = 0.1 * np.random.default_rng(seed).standard_normal(hops * loaded.card.hop)
    return samples.astype(np.float32)


def _scores(loaded: LoadedModel, samples: np.ndarray) -> np.ndarray:
    classifier = loaded.classifier()
    return np.stack([classifier.push(hop).scores for hop in samples.reshape(-1, loaded.card.hop)])


def test_the_daemon_hears_what_the_model_hears_after_silence(loaded: LoadedModel) -> None:
    card, spec = loaded.card, loaded.card.front_end
    assert isinstance(spec, LogMelSpec)
    assert card.state is not None
    silence, sound = np.zeros(20 * card.hop, np.float32), _noise(loaded, 12, 0)
    frames = card.hop // spec.hop
    rows = log_mel(np.concatenate([silence, sound]), spec, card.sample_rate, frames)
    made = read_package(PACKAGE)
    runtime = StreamingRuntime(made.flatbuffer, PACKAGE, outputs=len(made.labels), state=card.state)
    state, logits = np.zeros(card.state, np.float32), []
    for hop in rows.reshape(-1, frames, spec.n_mels):
        outputs, state = runtime.step(hop, state)
        logits.append(outputs)
    expected = 1 / (1 + np.exp(-np.stack(logits[20:]) / card.temperature))
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(_scores(loaded, sound), expected, atol=1e-5)


def test_what_came_before_the_window_leaves_no_trace(loaded: LoadedModel) -> None:
    sound = _noise(loaded, 6, 1)
    one, other = (np.concatenate([before, sound]) for before in (_noise(loaded, 4, 2), _noise(loaded, 4, 3)))
    first, second = _scores(loaded, one), _scores(loaded, other)
    # The first of its hops still sees the hop before.
    np.testing.assert_array_equal(first[6:], second[6:])
    assert np.abs(first[4] - second[4]).max() > 1e-4


def test_streams_of_one_model_do_not_mix(loaded: LoadedModel) -> None:
    one, other = _noise(loaded, 10, 1), _noise(loaded, 10, 2)
    apart = _scores(loaded, one), _scores(loaded, other)
    first, second = loaded.classifier(), loaded.classifier()
    hops = zip(one.reshape(10, -1), other.reshape(10, -1), strict=True)
    mixed = [(first.push(a).scores, second.push(b).scores) for a, b in hops]
    np.testing.assert_array_equal(np.stack([a for a, _ in mixed]), apart[0])
    np.testing.assert_array_equal(np.stack([b for _, b in mixed]), apart[1])


def test_a_reset_forgets_the_stream(loaded: LoadedModel) -> None:
    classifier, hop = loaded.classifier(), _noise(loaded, 1, 3)
    fresh = classifier.push(hop).scores
    for other in _noise(loaded, 8, 4).reshape(8, -1):
        classifier.push(other)
    classifier.reset()
    np.testing.assert_array_equal(classifier.push(hop).scores, fresh)


def test_a_state_of_another_size_is_refused_in_one_line(tmp_path: Path) -> None:
    wrong, made = tmp_path / "wrong.tflite", read_package(PACKAGE)
    assert made.card is not None
    assert made.card.state is not None
    size = made.card.state + 1
    write_package(wrong, made.flatbuffer, made.labels, made.card.model_copy(update={"state": size}))
    with pytest.raises(PackageError, match=f"must have the {size} values of the card's state"):
        load_model(wrong, ThirdParty())
