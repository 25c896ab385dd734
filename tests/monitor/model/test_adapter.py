"""An adapter is a model's other half: checked as strictly as a package, and known by its network."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import LABELS, WEIGHTS, WINDOW, any_length_model, card, dense_model

from monitor.config.load import load_config
from monitor.errors import ConfigError, MonitorError, PackageError
from monitor.model.adapter import (
    Adapter,
    AdapterCard,
    probe_window,
    read_adapter,
    to_log_odds,
    write_adapter,
)
from monitor.model.card import Card
from monitor.model.load import ThirdParty, load_model
from monitor.model.package import write_package
from monitor.stream.assembly import assemble

HOP = WINDOW // 2
rng = np.random.default_rng(4)
HEAD = rng.normal(0, 1, (len(LABELS), WINDOW)).astype(np.float32)
BIAS = rng.normal(0, 1, len(LABELS)).astype(np.float32)
NETWORK = any_length_model()


def network(window: np.ndarray) -> np.ndarray:
    """What the network of these tests gives."""
    return (1 / (1 + np.exp(-window))).astype(np.float32)


def make(path: Path, gives: str = "embedding", **changes: object) -> Adapter:
    """An adapter that fits :data:`NETWORK`; ``changes`` are those of its card."""
    given = network(probe_window(WINDOW))
    probe = HEAD @ (to_log_odds(given) if gives == "scores" else given) + BIAS
    about = {"name": "sigmoids", "size": WINDOW, "gives": gives, "probe": probe.tolist()}
    values = card(output="logits").model_dump(by_alias=True) | {"network": about} | changes
    return Adapter(path, AdapterCard.model_validate(values), LABELS, HEAD, BIAS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "head.npz"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = tmp_path / "network.tflite"
    file.write_bytes(NETWORK)
    return file


def test_what_is_written_is_read_and_twice_the_same_bytes(path: Path) -> None:
    made = make(path)
    write_adapter(made)
    first = path.read_bytes()
    read = read_adapter(path)
    assert (read.card, read.labels) == (made.card, LABELS)
    np.testing.assert_array_equal(read.weights, HEAD)
    np.testing.assert_array_equal(read.bias, BIAS)
    write_adapter(read)
    assert path.read_bytes() == first
    with np.load(path) as ordinary:
        np.testing.assert_array_equal(ordinary["weights"], HEAD)


@pytest.mark.parametrize("gives", ["embedding", "scores"])
def test_the_monitor_scores_what_network_and_head_say(path: Path, model: Path, gives: str) -> None:
    write_adapter(make(path, gives, temperature=1.5))
    keys = (
        f"model.path={str(model)!r}",
        f"model.adapter={str(path)!r}",
        "events.classes={bell: {enter: 0.9}}",
    )
    assembly = assemble(load_config(None, keys))
    assert assembly.model.labels == LABELS
    assert list(assembly.classes) == ["bell", "horn"]
    assert assembly.classes["bell"].enter == 0.9
    classifier = assembly.model.classifier()
    window = np.random.default_rng(0).uniform(-1, 1, WINDOW).astype(np.float32)
    scores = [classifier.push(hop).scores for hop in window.reshape(2, HOP)][-1]
    features = window if gives == "scores" else network(window)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-(HEAD @ features + BIAS) / 1.5)), atol=1e-5)


def test_log_odds_undo_the_sigmoid_and_stay_finite() -> None:
    values = np.linspace(-8, 8, 33, dtype=np.float32)
    np.testing.assert_allclose(to_log_odds(network(values)), values, atol=1e-2)
    assert np.isfinite(to_log_odds(np.array([0.0, 1.0], np.float32))).all()


def test_another_network_of_the_same_shape_is_refused(path: Path, tmp_path: Path) -> None:
    write_adapter(make(path))
    other = tmp_path / "other.tflite"
    other.write_bytes(dense_model(rng.normal(0, 1, (WINDOW, WINDOW))))
    with pytest.raises(
        PackageError, match=r"other\.tflite: is not the network that .* was fitted on \(sigmoids\)"
    ):
        load_model(other, ThirdParty(adapter=path))


def test_a_network_of_another_size_is_refused(path: Path, tmp_path: Path) -> None:
    write_adapter(make(path))
    other = tmp_path / "other.tflite"
    other.write_bytes(dense_model(WEIGHTS))
    with pytest.raises(
        PackageError, match=r"no output has 8 values, .*an adapter reads; the model's outputs have"
    ):
        load_model(other, ThirdParty(adapter=path))
    other.write_bytes(dense_model(rng.normal(0, 1, (WINDOW, 2 * WINDOW))))
    with pytest.raises(PackageError, match="the model takes 16 values, its card says 8"):
        load_model(other, ThirdParty(adapter=path))


def test_an_adapter_goes_with_a_network_alone(path: Path, model: Path, tmp_path: Path) -> None:
    write_adapter(make(path))
    with pytest.raises(ConfigError, match=r"remove model\.input"):
        load_model(model, ThirdParty(adapter=path, input="waveform"))
    package = tmp_path / "package.tflite"
    write_package(package, dense_model(WEIGHTS), LABELS, card())
    with pytest.raises(ConfigError, match="the model has a card"):
        load_model(package, ThirdParty(adapter=path))
    with pytest.raises(ConfigError, match=r"model\.adapter: needs the network in model\.path"):
        assemble(load_config(None, (f"model.adapter={str(path)!r}",)))


BAD_CARDS = {
    "a package's": (lambda values: values.pop("network"), "network: Field required"),
    "unknown key": (lambda values: values.update(colour="red"), "colour: Extra inputs"),
    "scores sold as logits": (lambda values: values.update(output="sigmoid"), "a linear head gives logits"),
    "another schema": (lambda values: values.update(schema=2), "card schema 2, this version reads 1"),
    "another label": (lambda values: values.update(negative_labels=["hush"]), "disagree on: backgr"),
    "a smaller network": (lambda values: values["network"].update(size=7), "weights, bias and probe have"),
    "a short probe": (lambda values: values["network"].update(probe=[0.0]), "weights, bias and probe have"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_CARDS)
def test_a_card_that_does_not_fit_is_refused(path: Path, kind: str) -> None:
    change, message = BAD_CARDS[kind]
    write_adapter(make(path))
    entries = unpacked(path)
    values = json.loads(entries["card.json"])
    change(values)
    packed(path, {**entries, "card.json": json.dumps(values).encode()})
    assert message in refusal(path)


def npy(array: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **options)
    return stream.getvalue()


BAD_WEIGHTS = {
    "pickle": (npy(np.array([{}], object)), "must be float32"),
    "doubles": (npy(HEAD.astype(np.float64)), "must be float32, in C order and complete"),
    "columns first": (npy(np.asfortranarray(HEAD)), "must be float32, in C order and complete"),
    "cut short": (npy(HEAD)[:-4], "must be float32, in C order and complete"),
    "too long": (npy(HEAD) + b"more", "must be float32, in C order and complete"),
    "no array": (b"weights", "its weights cannot be read"),
    "another version": (npy(HEAD, version=(2, 0)), "must be a .npy of version 1.0"),
    "other shape": (npy(HEAD[:2]), "weights, bias and probe have shapes"),
    "not finite": (npy(HEAD * np.float32(np.nan)), "not finite; fit it again"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_WEIGHTS)
def test_weights_that_do_not_fit_are_refused(path: Path, kind: str) -> None:
    data, message = BAD_WEIGHTS[kind]
    write_adapter(make(path))
    packed(path, {**unpacked(path), "weights.npy": data})
    assert message in refusal(path)


def cut(part: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(part * len(data))]


@pytest.mark.parametrize("change", [cut(0.0), cut(0.5), cut(0.97), lambda data: b"PK\3\4" + bytes(100)])
def test_a_damaged_file_is_refused(path: Path, change: Callable[[bytes], bytes]) -> None:
    write_adapter(make(path))
    path.write_bytes(change(path.read_bytes()))
    assert "must name an .npz adapter" in refusal(path)


def test_a_file_without_weights_or_no_file_is_refused(path: Path, tmp_path: Path) -> None:
    assert "cannot read the model" in refusal(path)
    assert "is no regular file" in refusal(tmp_path)
    write_adapter(make(path))
    entries = unpacked(path)
    del entries["bias.npy"]
    packed(path, entries)
    assert "its weights cannot be read" in refusal(path)


def test_nothing_that_would_be_refused_is_written(path: Path) -> None:
    with pytest.raises(PackageError, match="weights, bias and probe have shapes"):
        write_adapter(replace(make(path), bias=BIAS[:1]))
    assert not path.exists()


def test_an_adapters_card_is_a_card_that_takes_a_waveform() -> None:
    assert issubclass(AdapterCard, Card)
    with pytest.raises(ValueError, match="a linear head gives logits"):
        make(Path("x"), output="softmax")


def refusal(path: Path) -> str:
    with pytest.raises(MonitorError) as caught:
        read_adapter(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


def unpacked(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path: Path, entries: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
