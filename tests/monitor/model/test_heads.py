"""Several heads of one inference: each column of scores is what its head says of the outputs."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import EMBEDDING, HEADS, LABELS, SOUNDS, WINDOW, multi_head_card, multi_head_model

from monitor.config.load import load_config
from monitor.errors import ConfigError, PackageError
from monitor.model.card import OTHER_SOUNDS, ClassCard
from monitor.model.heads import ModelOutputs, SoundsHead, SupportedClasses
from monitor.model.linear import HeadCard, LinearHead, probe_embedding, read_linear_head, write_linear_head
from monitor.model.load import LoadedModel, ThirdParty, load_model
from monitor.model.package import read_package, write_package
from monitor.model.runtime import Runtime
from monitor.stream.assembly import Assembly, assemble

HOP = WINDOW // 2
window = np.random.default_rng(1).uniform(-1, 1, WINDOW).astype(np.float32)


def logistic(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "heads.tflite"
    write_package(path, multi_head_model(), LABELS, multi_head_card(), SOUNDS)
    return path


def load(path: Path) -> LoadedModel:
    return load_model(path, ThirdParty())


def configured(path: Path, *keys: str) -> Assembly:
    return assemble(load_config(None, (f"model.path={str(path)!r}", *keys)))


def last(classifier: object) -> object:
    """What the classifier makes of :data:`window`, hop by hop."""
    return [classifier.push(hop) for hop in window.reshape(2, HOP)][-1]  # type: ignore[attr-defined]


@pytest.mark.parametrize("order", list(permutations(HEADS)))
def test_outputs_are_found_by_their_size_whatever_order_the_file_has(order: tuple[str, ...]) -> None:
    sizes = tuple(len(weights) for weights in HEADS.values())
    runtime = Runtime(multi_head_model(order), Path("m"), outputs=sizes)
    expected = np.concatenate([weights @ window for weights in HEADS.values()])
    np.testing.assert_allclose(runtime.run(window), expected, atol=1e-5)
    assert runtime.output_size == sum(sizes)


def test_an_output_of_the_card_that_the_model_lacks_is_refused(path: Path) -> None:
    write_package(path, multi_head_model(["classes", "sounds"]), LABELS, multi_head_card(), SOUNDS)
    with pytest.raises(PackageError, match=r"no output has 7 values.*sizes \[3, 5\]"):
        load(path)


def test_two_outputs_of_one_size_are_refused(path: Path) -> None:
    model = multi_head_model(["classes", "sounds", "sounds", "embedding"])
    write_package(path, model, LABELS, multi_head_card(), SOUNDS)
    with pytest.raises(PackageError, match="two outputs have 5 values"):
        load(path)


def test_one_inference_gives_scores_sounds_embedding_and_features(path: Path) -> None:
    found = last(load(path).classifier())
    logits = HEADS["classes"] @ window
    logits[1] = 0.5 * logits[1] + 2.0 * (HEADS["sounds"] @ window)[1] - 1.0
    np.testing.assert_allclose(found.scores, logistic(logits), atol=1e-5)
    np.testing.assert_allclose(found.sounds, HEADS["sounds"] @ window, atol=1e-5)
    np.testing.assert_allclose(found.embedding, HEADS["embedding"] @ window, atol=1e-5)
    assert found.features is None  # the model takes a waveform


def test_without_a_support_a_class_is_what_its_head_says(path: Path) -> None:
    write_package(path, multi_head_model(), LABELS, multi_head_card(support={}), SOUNDS)
    np.testing.assert_allclose(
        last(load(path).classifier()).scores, logistic(HEADS["classes"] @ window), atol=1e-5
    )


def test_without_a_class_head_the_sounds_alone_score_the_classes(path: Path) -> None:
    support = {
        "bell": {"labels": ["Bell", "Knock"], "head": 0.0, "weight": 1.5},
        "horn": {"labels": ["Car horn"], "head": 0.0, "bias": 0.25},
    }
    card = multi_head_card(outputs={"sounds": 5, "embedding": 7}, support=support, negative_labels=[])
    write_package(path, multi_head_model(["embedding", "sounds"]), ("bell", "horn"), card, SOUNDS)
    sounds = HEADS["sounds"] @ window
    expected = logistic(np.array([1.5 * max(sounds[0], sounds[3]), sounds[1] + 0.25]))
    np.testing.assert_allclose(last(load(path).classifier()).scores, expected, atol=1e-5)


@given(st.lists(st.floats(-20, 20, width=32), min_size=5, max_size=5))
def test_a_sound_scores_the_highest_of_its_labels(values: list[float]) -> None:
    head = SoundsHead(multi_head_card(), SOUNDS, ["animal", "Bell"])
    scores = head.scores(ModelOutputs(sounds=np.array(values, np.float32)))
    np.testing.assert_allclose(scores, logistic(np.array([max(values[2], values[4]), values[0]])), atol=1e-6)
    assert head.classes == {"animal": multi_head_card().sounds["animal"], "Bell": OTHER_SOUNDS}


@given(st.floats(-5, 5, width=32), st.floats(-5, 5, width=32))
def test_more_evidence_of_a_support_never_lowers_the_score(low: float, high: float) -> None:
    low, high = sorted((low, high))
    classes = SupportedClasses(multi_head_card(), LABELS, SOUNDS)
    head, sounds = np.zeros(3, np.float32), np.zeros(5, np.float32)
    rows = []
    for value in (low, high):
        sounds[1] = value
        rows.append(classes.logits(ModelOutputs(classes=head, sounds=sounds)))
    assert rows[0][1] <= rows[1][1]
    np.testing.assert_array_equal(rows[0][[0, 2]], rows[1][[0, 2]])


def test_sounds_of_the_config_are_columns_behind_the_models_own(path: Path) -> None:
    assembly = configured(path, "events.sounds=[knock, 'Dog, bark']", "events.classes={knock: {enter: 0.9}}")
    assert assembly.labels == (*LABELS, "knock", "Dog, bark")
    assert assembly.event_labels == ("bell", "horn", "knock", "Dog, bark")
    assert (assembly.classes["knock"].enter, assembly.classes["Dog, bark"].enter) == (0.9, 0.5)
    found = last(assembly.new_parts().classifier)
    np.testing.assert_allclose(found.scores[3:], logistic((HEADS["sounds"] @ window)[3:]), atol=1e-5)
    np.testing.assert_array_equal(found.scores[:3], last(load(path).classifier()).scores)


def test_sounds_are_off_unless_asked_for_and_enabled_chooses_among_classes_alone(path: Path) -> None:
    assert configured(path).event_labels == ("bell", "horn")
    assembly = configured(path, "events.enabled=[horn]", "events.sounds=[knock]")
    assert assembly.event_labels == ("horn", "knock")


def test_a_profile_that_a_sound_lacks_is_quiet(path: Path) -> None:
    assembly = configured(path, "events.sounds=[knock, Cat]", "events.profile=sensitive")
    assert (assembly.classes["knock"].enter, assembly.classes["Cat"].enter) == (0.7, 0.3)


def test_a_rejected_window_voids_the_classes_and_leaves_the_sounds(path: Path) -> None:
    card = multi_head_card(reject={"negative_over": 0.5})
    write_package(path, multi_head_model(), LABELS, card, SOUNDS)
    classifier = configured(path, "events.sounds=[knock]").new_parts().classifier
    scores = np.array([0.9, 0.9, 0.6, 0.8], np.float32)
    np.testing.assert_array_equal(classifier.accepted(scores), np.float32([0, 0, 0, 0.8]))


@pytest.mark.parametrize(
    ("sounds", "expected"),
    [
        ("[knok]", "'knok' is no sound of model tiny; nearest are: knock"),
        ("[dog]", "'dog' is no sound of model tiny; nearest are: Dog, bark"),
        ("[zzz]", "'zzz' is no sound of model tiny; there are animal, knock and every label of AudioSet"),
        ("[horn]", "horn is a class of the model; it is reported without being listed"),
        ("[Cat, Cat]", "Cat is listed twice"),
    ],
)
def test_a_sound_that_cannot_be_is_refused_in_a_line(path: Path, sounds: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(path, f"events.sounds={sounds}")
    assert str(caught.value).startswith(f"--set: events.sounds: {expected}")
    assert "\n" not in str(caught.value)


def test_a_model_without_sounds_says_so() -> None:
    with pytest.raises(ConfigError, match=r"events\.sounds: model urban-sounds has no sounds"):
        assemble(load_config(None, ("model.path=models/urban-sounds-0.6.0.tflite", "events.sounds=[knock]")))


BAD_CARDS = {
    "no outputs": ({"outputs": {}}, "classes or sounds must be given"),
    "two of a size": ({"outputs": {"classes": 3, "sounds": 5, "embedding": 5}}, r"sizes \[3, 5, 5\] must"),
    "other labels": ({"outputs": {"classes": 4, "sounds": 5}}, "outputs.classes is 4, labels.txt has 3"),
    "other sounds": ({"outputs": {"classes": 3, "sounds": 6}}, "outputs.sounds is 6, sounds.txt has 5"),
    "no sounds": ({"outputs": {"classes": 3}}, "support and sounds need outputs.sounds"),
    "unknown support": ({"support": {"cow": {"labels": ["Cat"]}}}, r"support names \['cow'\]"),
    "unknown label": ({"support": {"horn": {"labels": ["Cow"]}}}, "support.horn: sounds.txt has no 'Cow'"),
    "no label": ({"support": {"horn": {"labels": []}}}, "support.horn.labels\n"),
    "head alone": ({"outputs": {"sounds": 5}}, r"without outputs\.classes .* need a support"),
    "probabilities": ({"output": "sigmoid"}, "describes logits"),
    "a class as sound": (
        {"sounds": {"horn": {"labels": ["Cat"], "shortest_s": 1, "profiles": {"quiet": {}}}}},
        "stand both in sounds and among the labels",
    ),
    "a label as sound": (
        {"sounds": {"Cat": {"labels": ["Cat"], "shortest_s": 1, "profiles": {"quiet": {}}}}},
        "'Cat' is both in sounds.txt and a name in the card",
    ),
    "old schema": ({"schema": 1}, "must be 2"),
    "unknown key": ({"colour": 1}, "colour"),
}


@pytest.mark.parametrize("kind", BAD_CARDS)
def test_a_card_of_several_heads_that_contradicts_itself_is_refused(path: Path, kind: str) -> None:
    changes, message = BAD_CARDS[kind]
    with pytest.raises((ValueError, PackageError), match=message):
        write_package(path, multi_head_model(), LABELS, multi_head_card(**changes), SOUNDS)


def test_a_package_of_several_heads_is_read_as_written_and_twice_the_same_bytes(path: Path) -> None:
    package = read_package(path)
    assert (package.labels, package.sounds) == (LABELS, SOUNDS)
    assert package.card is not None
    assert package.card.model_sha256 is not None
    assert package.card.model_copy(update={"model_sha256": None}) == multi_head_card()
    first = path.read_bytes()
    write_package(path, package.flatbuffer, package.labels, multi_head_card(), package.sounds)
    assert path.read_bytes() == first


rng = np.random.default_rng(5)
QUIET = ClassCard.model_validate({"shortest_s": 0.5, "profiles": {"quiet": {}}})


def taught(file: Path, model: LoadedModel, **changes: object) -> LinearHead:
    """A head of two labels on the embedding of ``model``."""
    weights = rng.normal(0, 1, (2, EMBEDDING)).astype(np.float32)
    bias = rng.normal(0, 1, 2).astype(np.float32)
    embedding = probe_embedding(model.card, model.classifier())
    values = {
        "schema": 1,
        "name": "mine",
        "version": "1",
        "created": "",
        "model": "tiny 1.2.3",
        "size": EMBEDDING,
        "probe": (weights @ embedding + bias).tolist(),
        "temperature": 1.5,
        "classes": {"kettle": QUIET, "gate": QUIET},
        **changes,
    }
    return LinearHead(file, HeadCard.model_validate(values), ("gate", "kettle"), weights, bias)


def test_a_linear_head_scores_labels_of_its_own_on_the_embedding(path: Path, tmp_path: Path) -> None:
    model = load(path)
    file = tmp_path / "mine.npz"
    made = taught(file, model)
    write_linear_head(made)
    first = file.read_bytes()
    head = read_linear_head(file)
    write_linear_head(head)
    assert file.read_bytes() == first
    head.check_model(probe_embedding(model.card, model.classifier()), "tiny")
    classifier = model.classifier(heads=[SoundsHead(multi_head_card(), SOUNDS, ["knock"]), head])
    assert classifier.labels == (*LABELS, "knock", "gate", "kettle")
    logits = made.weights @ (HEADS["embedding"] @ window) + made.bias
    np.testing.assert_allclose(last(classifier).scores[-2:], logistic(logits / 1.5), atol=1e-5)
    assert head.classes == {"kettle": QUIET, "gate": QUIET}


def test_a_linear_head_is_refused_by_another_model(path: Path, tmp_path: Path) -> None:
    head = taught(tmp_path / "mine.npz", load(path))
    with pytest.raises(PackageError, match=r"fitted on tiny 1\.2\.3, not on model other: logits differ"):
        head.check_model(np.ones(EMBEDDING, np.float32), "other")
    with pytest.raises(PackageError, match=r"an embedding of 7 numbers .*; model old has none"):
        head.check_model(None, "old")
    with pytest.raises(PackageError, match="model small has 3"):
        head.check_model(np.ones(3, np.float32), "small")


def test_a_centred_head_rejects_where_a_logit_exceeds_the_distance(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "not-gate.npz"
    centre = np.linspace(-1.0, 1.0, EMBEDDING).astype(np.float32)
    made = replace(taught(file, load(path), rejects=("gate",), centred=True), centre=centre)
    write_linear_head(made)
    head = read_linear_head(file)
    for embedding in np.random.default_rng(5).normal(0.0, 1.0, (50, EMBEDDING)).astype(np.float32):
        length = np.sqrt(((embedding - centre) ** 2).sum())
        assert head.rejects(embedding) == (made.logits(embedding).max() > length)
    with pytest.raises(PackageError, match=r"centre\.npy and the card disagree"):
        write_linear_head(replace(made, centre=centre[1:]))
    with pytest.raises(PackageError, match="disagree"):
        write_linear_head(replace(made, centre=None))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": {"gate": QUIET}}, "disagree on: kettle"),
        ({"probe": [0.0]}, "weights, bias and probe have shapes"),
        ({"size": 8}, "2 labels on 8 numbers need"),
        ({"schema": 2}, "must be 1"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_linear_head_that_contradicts_itself_is_not_written(
    path: Path, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises((ValueError, PackageError), match=message):
        write_linear_head(taught(tmp_path / "mine.npz", load(path), **changes))
    assert not (tmp_path / "mine.npz").exists()
