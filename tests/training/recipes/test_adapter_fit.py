"""The head on a network's embedding: what it learns from, how it is fitted, and that the monitor reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from corpora import CLASS_IDS, write_backgrounds, write_corpora

pytest.importorskip("scipy")

from monitor.errors import PackageError
from monitor.model.adapter import read_adapter, write_adapter
from monitor.model.classifier import Classifier
from monitor.records import Level
from training.data.audio import RATE
from training.data.corpora import BACKGROUND, CLASSES, LABELS, load
from training.errors import DataError
from training.features.front_end import HOP
from training.mixing.streams import Scored
from training.networks.yamnet import EMBEDDING, WINDOW, Yamnet
from training.recipes import adapter
from training.recipes.adapter import AdapterOutcome, AdapterPlan, Head, TrainingRows, fit_head, make, rows_of
from training.recipes.adapter_report import write_records
from training.recipes.hearing import Ear, EmbeddedStreams

rng = np.random.default_rng(2)
_SPREAD = rng.normal(0.0, 1.0, (EMBEDDING, 48)).astype(np.float32)
_EDGES = np.geomspace(4, WINDOW // 2, 49).astype(int)


def listen(window: np.ndarray) -> np.ndarray:
    """A network in place of YAMNet: random mixtures of the energies in 48 bands, and rectified."""
    power = np.square(np.abs(np.fft.rfft(window)))[: _EDGES[-1]]
    bands = np.log10(np.add.reduceat(power, _EDGES[:-1]) + 1e-3)
    return np.maximum(_SPREAD @ bands.astype(np.float32), 0.0) / 10.0


def silent(text: str) -> None:
    pass


@pytest.fixture(scope="module", autouse=True)
def few_soundscapes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapter, "SCAPES", 2)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> AdapterOutcome:
    """An adapter fitted on miniature corpora."""
    folder = tmp_path_factory.mktemp("adapter")
    data = write_corpora(folder / "data", folds=(1, 2, 3), classes=tuple(CLASS_IDS))
    write_backgrounds(data, kinds=("street", "rain", "birds"))
    corpora = load(data)
    plan = AdapterPlan((1, 3), (2,), 0, "0.0.1", "sound-training adapter")
    return make(plan, corpora, Ear(listen, "bands"), folder / "cache", folder / "head.npz", silent)


def stream(label: str, onset_s: float, offset_s: float, rows: int = 12) -> Scored:
    times = np.arange(1, rows + 1) * HOP / RATE
    embedding = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
    levels = (Level(-30.0, -20.0, -40.0, 0),) * rows
    return Scored("", label, onset_s, offset_s, times, embedding, levels)


def test_a_window_is_the_sounds_if_it_holds_half_and_background_if_it_holds_none() -> None:
    scene = stream("siren", 2.0, 4.0)
    rows = rows_of(EmbeddedStreams((scene,), (), (), (), ()))
    label = rows.targets.argmax(axis=1)
    # A window is 0.975 s: those that end at 2.5 to 4.0 s hold half of it or more, that at 4.5 s
    # ends half a second late and holds 0.475 s, those up to 2.0 and from 5.0 s on hold nothing.
    expected = [BACKGROUND] * 4 + ["siren"] * 4 + [BACKGROUND] * 3
    assert [LABELS[index] for index in label] == expected
    kept = [row for row in range(12) if row != 8]
    np.testing.assert_array_equal(rows.embedding, scene.scores[kept])


def test_a_sound_shorter_than_a_window_counts_where_half_of_it_is_heard() -> None:
    rows = rows_of(EmbeddedStreams((stream("dog_bark", 2.3, 2.5),), (), (), (), ()))
    barks = [LABELS[index] for index in rows.targets.argmax(axis=1)].count("dog_bark")
    # Windows that end at 2.5 and 3.0 s hold all of it.
    assert barks == 2


def test_backgrounds_and_sounds_of_no_class_are_background_throughout() -> None:
    bed = stream("", 0.0, 6.0)
    targets = rows_of(EmbeddedStreams((), (bed,), (bed,), (), ())).targets
    assert (targets.argmax(axis=1) == LABELS.index(BACKGROUND)).all()
    assert len(targets) == 24


def test_the_head_is_the_logistic_regression_of_each_label() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    embedding = rng.normal(1.0, 2.0, (400, 6)).astype(np.float32)
    truth = embedding @ rng.normal(0, 1, (6, 3)) + rng.normal(0, 2, (400, 3)) > 1.0
    decay = 0.05
    head = fit_head(TrainingRows(embedding, truth.astype(np.float32)), decay)
    deviation = embedding.std(axis=0) + 1e-3
    standardised = (embedding - embedding.mean(axis=0)) / deviation
    for label in range(3):
        reference = linear_model.LogisticRegression(C=1 / (decay * 400), tol=1e-8)
        reference.fit(standardised, truth[:, label])
        expected = reference.decision_function(standardised)
        np.testing.assert_allclose(head.logits(embedding)[:, label], expected, atol=0.05)


def test_more_decay_gives_smaller_weights() -> None:
    embedding = rng.normal(0, 1, (100, 4)).astype(np.float32)
    rows = TrainingRows(embedding, (embedding[:, :1] > 0).astype(np.float32))
    sizes = [np.abs(fit_head(rows, decay).weights).sum() for decay in (0.01, 0.1, 1.0)]
    assert sizes == sorted(sizes, reverse=True)


def test_what_it_makes_is_written_read_and_scores_as_it_was_fitted(made: AdapterOutcome) -> None:
    write_adapter(made.adapter)
    read = read_adapter(made.adapter.path)
    assert read.card == made.adapter.card
    assert list(read.card.classes) == list(CLASSES)
    classifier = Classifier(read.card, read.on(listen), {label: (i,) for i, label in enumerate(LABELS)})
    samples = rng.normal(0, 0.1, 4 * HOP).astype(np.float32)
    scores = [classifier.push(hop).scores for hop in samples.reshape(4, HOP)][-1]
    head = Head(made.adapter.weights, made.adapter.bias)
    logits = head.logits(listen(samples[-WINDOW:])) / read.card.temperature
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits)), atol=1e-4)


def test_it_knows_its_network_from_another(made: AdapterOutcome) -> None:
    adapter = made.adapter
    adapter.check_network(adapter.on(listen), Path("bands.tflite"))
    with pytest.raises(PackageError, match=r"other\.tflite: is not the network"):
        adapter.check_network(adapter.on(lambda window: listen(2 * window)), Path("other.tflite"))


def test_sounds_that_bands_tell_apart_are_told_apart(made: AdapterOutcome) -> None:
    assert made.clips.accuracy > 0.8
    values = {quality.measure: quality.value for quality in made.adapter.card.quality}
    assert values["clip accuracy, ten classes, mean logits"] == round(made.clips.accuracy, 4)
    assert not any(quality.recipe_cv for quality in made.adapter.card.quality)


def test_a_second_making_hears_nothing_anew_and_fits_the_same(made: AdapterOutcome) -> None:
    folder = made.adapter.path.parent

    def deaf(window: np.ndarray) -> np.ndarray:
        # The probe alone is heard again.
        assert len(window) == WINDOW
        assert abs(window.std() - 0.1) < 0.01
        return listen(window)

    plan = AdapterPlan((1, 3), (2,), 0, "0.0.1", "sound-training adapter")
    again = make(plan, load(folder / "data"), Ear(deaf, "bands"), folder / "cache", made.adapter.path, silent)
    np.testing.assert_array_equal(again.adapter.weights, made.adapter.weights)
    same = again.adapter.card.model_copy(update={"created": made.adapter.card.created})
    assert same == made.adapter.card


def test_the_records_hold_every_class_and_background(made: AdapterOutcome, tmp_path: Path) -> None:
    write_records(made, AdapterPlan((1, 3), (2,), 0, "0.0.1", "sound-training adapter"), tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert f"accuracy **{made.clips.accuracy:.3f}**" in page
    assert all(f"| {label} |" in page for label in CLASSES)
    assert len((tmp_path / "classes.csv").read_text().splitlines()) == 1 + len(CLASSES)
    assert len((tmp_path / "backgrounds.csv").read_text().splitlines()) == 1 + len(made.beds)


def test_a_network_that_is_absent_or_has_no_embedding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="it must be YAMNet with its embedding"):
        Yamnet(tmp_path / "absent.tflite")
    odd = tmp_path / "odd.tflite"
    odd.write_bytes(b"\x1c\x00\x00\x00TFL3")
    with pytest.raises(DataError, match=r"odd\.tflite: is no TFLite model"):
        Yamnet(odd)


def test_an_adapter_for_another_path_is_the_same_but_for_it(made: AdapterOutcome, tmp_path: Path) -> None:
    write_adapter(replace(made.adapter, path=tmp_path / "copy.npz"))
    write_adapter(made.adapter)
    assert (tmp_path / "copy.npz").read_bytes() == made.adapter.path.read_bytes()
