"""Loading finds everything that can be wrong with a model, before the first window."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tiny import LABELS, RATE, WEIGHTS, WINDOW, card, dense_model

from monitor.config.load import load_config
from monitor.errors import ConfigError, MonitorError, PackageError
from monitor.model.load import ThirdParty, _nearest, load_model
from monitor.model.package import read_package, write_package
from monitor.records import AudioBlock
from monitor.stream.assembly import SHIPPED_MODEL, Assembly, assemble

HOP = WINDOW // 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "other people's (v2).tflite"


def refusal(path: Path, third_party: ThirdParty | None = None) -> str:
    with pytest.raises(MonitorError) as caught:
        load_model(path, third_party or ThirdParty())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def configured(path: Path, *settings: str) -> Assembly:
    return assemble(load_config(None, (f"model.path={str(path)!r}", *settings)))


def test_a_packaged_model_scores_what_its_weights_say(path: Path) -> None:
    write_package(path, dense_model(WEIGHTS), LABELS, card())
    model = load_model(path, ThirdParty())
    assert model.labels == LABELS
    classifier = model.classifier()
    sound = np.random.default_rng(0).uniform(-1, 1, 5 * HOP).astype(np.float32)
    rows = [classifier.push(hop).scores for hop in sound.reshape(5, HOP)]
    for index, row in enumerate(rows[1:], 1):
        window = sound[(index + 1) * HOP - WINDOW : (index + 1) * HOP]
        np.testing.assert_allclose(row, 1 / (1 + np.exp(-WEIGHTS @ window)), atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [(0, 0), (2, 5)])
def test_weights_that_are_not_finite_are_found(path: Path, bad: float, where: tuple[int, int]) -> None:
    weights = WEIGHTS.copy()
    weights[where] = bad
    write_package(path, dense_model(weights, sigmoid=False), LABELS, card(output="logits"))
    assert "values that are not finite" in refusal(path)


@pytest.mark.parametrize("tensor", range(3))
def test_a_weight_of_the_shipped_model_that_is_not_finite_is_found(tmp_path: Path, tensor: int) -> None:
    from ai_edge_litert import schema_py_generated as tfl

    data = SHIPPED_MODEL.read_bytes()
    model = tfl.Model.GetRootAsModel(data, 0)
    tensors = [model.Subgraphs(0).Tensors(i) for i in range(model.Subgraphs(0).TensorsLength())]
    weights = [model.Buffers(t.Buffer()) for t in tensors if t.Type() == tfl.TensorType.FLOAT16]
    largest = sorted((w for w in weights if w.DataLength()), key=lambda w: -w.DataLength())[tensor]
    at = data.index(largest.DataAsNumpy().tobytes()) + largest.DataLength() // 2 // 2 * 2
    path = tmp_path / "bad.tflite"
    path.write_bytes(data[:at] + np.float16(np.nan).tobytes() + data[at + 2 :])
    assert "differs from the checksum in its card" in refusal(path)
    package = read_package(SHIPPED_MODEL)
    assert package.card is not None
    damaged = path.read_bytes()[: len(package.flatbuffer)]
    write_package(path, damaged, package.labels, package.card, package.sounds)
    assert "values that are not finite" in refusal(path)


def test_logits_sold_as_scores_are_found(path: Path) -> None:
    write_package(path, dense_model(10 * WEIGHTS, sigmoid=False), LABELS, card())
    assert "output sigmoid must lie in 0…1; is it logits?" in refusal(path)


def test_another_number_of_outputs_or_inputs_than_the_card_says_is_found(path: Path) -> None:
    write_package(path, dense_model(WEIGHTS[:2]), LABELS, card())
    assert "the model's outputs have sizes [2, 2]" in refusal(path)
    write_package(path, dense_model(WEIGHTS), LABELS, card(window=9))
    assert "the model takes 8 values, its card says 9" in refusal(path)


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.97, 0.999])
def test_a_shipped_model_that_was_cut_off_is_refused(tmp_path: Path, part: float) -> None:
    data = SHIPPED_MODEL.read_bytes()
    path = tmp_path / "cut.tflite"
    path.write_bytes(data[: int(part * len(data))])
    assert refusal(path).startswith(str(path))


def test_a_model_without_a_card_runs_from_config_alone(path: Path) -> None:
    path.write_bytes(dense_model(WEIGHTS, [0.0, 0.0, -100.0]))
    assembly = configured(
        path,
        "model.input=waveform",
        f"model.sample_rate={RATE}",
        "model.labels=[Church bell, Car horn, Nothing]",
        "model.select={ring: [Church bell, Nothing], horn: [Car horn]}",
        "events.classes={ring: {enter: 0.9}}",
    )
    assert assembly.model.labels == ("ring", "horn")
    assert assembly.model.card.hop == HOP
    assert assembly.classes["ring"].enter == 0.9
    sound = np.sign(WEIGHTS[0]).astype(np.float32)
    pipeline = assembly.new_pipeline(RATE)
    rows = [*pipeline.push(AudioBlock(np.tile(sound, 3), 0)), *pipeline.flush()]
    np.testing.assert_allclose(rows[-1].scores, 1 / (1 + np.exp(-WEIGHTS[:2] @ sound)), atol=1e-6)
    assert "ring" in pipeline.active


def test_labels_inside_the_file_or_in_a_text_file_do_as_well(path: Path, tmp_path: Path) -> None:
    content = io.BytesIO(dense_model(WEIGHTS))
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr("their_labels.txt", "a\nb\nc\n")
    path.write_bytes(content.getvalue())
    keys = ("model.input=waveform", f"model.sample_rate={RATE}", "model.select={mine: [c]}")
    assert configured(path, *keys).model.labels == ("mine",)
    listed = tmp_path / "labels.txt"
    listed.write_text("x\n\ny\nc\n", encoding="utf-8")
    assert configured(path, *keys, f"model.labels={listed}").model.labels == ("mine",)
    with pytest.raises(ConfigError, match=r"cannot read .*nowhere"):
        configured(path, *keys, f"model.labels={tmp_path / 'nowhere'}")


WAVEFORM = ThirdParty(input="waveform", sample_rate=RATE, labels=LABELS, select={"x": ["bell"]})


def changed(**changes: object) -> ThirdParty:
    return ThirdParty(**{**WAVEFORM.__dict__, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("third_party", "expected"),
    [
        (ThirdParty(), "the model names no labels; list them in model.labels"),
        (
            ThirdParty(labels=LABELS),
            "config must give model.input: waveform, model.sample_rate and model.select",
        ),
        (changed(input=None), "config must give model.input: waveform"),
        (changed(sample_rate=None), "config must give"),
        (changed(select={}), "config must give"),
        (changed(select={"x": ["bel"]}), "model.select.x: {name} has no label 'bel'; did you mean 'bell'?"),
        (changed(select={"x": ["zzz"]}), "model.select.x: {name} has no label 'zzz'"),
        (changed(labels=("a", "b")), "the model's outputs have sizes [3, 3]"),
        (changed(hop_s=0.0001), "model.hop_s 0.0001 is outside 0…0.008 s"),
        (changed(hop_s=0.009), "model.hop_s 0.009 is outside 0…0.008 s"),
    ],
)
def test_config_that_a_model_without_a_card_needs_is_asked_for(
    path: Path, third_party: ThirdParty, expected: str
) -> None:
    path.write_bytes(dense_model(WEIGHTS))
    assert expected.format(name=path.name) in refusal(path, third_party)


@pytest.mark.parametrize("key", ["input", "sample_rate", "labels", "select"])
def test_config_cannot_contradict_a_card(path: Path, key: str) -> None:
    write_package(path, dense_model(WEIGHTS), LABELS, card())
    third_party = ThirdParty(**{key: getattr(WAVEFORM, key)})
    assert "the model has a card, which says all about it; remove model.input" in refusal(path, third_party)


@pytest.mark.accuracy
def test_yamnet_runs_from_config_alone_and_hears_what_is_there() -> None:
    folder = os.environ.get("SOUND_DATA")
    if not folder:
        pytest.skip("SOUND_DATA names no data")
    from monitor.sources.files import FileSource

    assembly = configured(
        Path(folder) / "yamnet" / "yamnet.tflite",
        "model.input=waveform",
        "model.sample_rate=16000",
        "model.select={siren: [Siren, 'Police car (siren)', 'Ambulance (siren)'], dog: [Dog, Bark]}",
    )
    assert (assembly.window_s, assembly.hop_s) == (0.975, 0.4875)
    clips = sorted(Path(folder).glob("urbansound8k/audio/fold1/*"))
    for label, number in (("siren", "8"), ("dog", "3")):
        column = assembly.model.labels.index(label)
        own = [clip for clip in clips if clip.stem.split("-")[1] == number][::8]
        best = []
        for clip in own:
            source = FileSource(clip)
            pipeline = assembly.new_pipeline(source.rate)
            rows = [row for block in source.blocks() for row in pipeline.push(block)] + list(pipeline.flush())
            best.append(max(row.scores[column] for row in rows))
            source.close()
        assert np.mean(np.array(best) > 0.3) > 0.6, label


def test_a_model_that_is_missing_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(PackageError) as caught:
        configured(tmp_path / "nowhere.tflite")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Barking", "Bark"),
        ("bark", "Bark"),
        ("Sirens", "Siren"),
        ("Ambulance", "Ambulance (siren)"),
        ("Brak", "Bark"),
        ("zzz", None),
    ],
)
def test_the_label_that_was_meant_is_suggested(name: str, meant: str | None) -> None:
    labels = ["Speech", "Bark", "Basking", "Police car (siren)", "Siren", "Ambulance (siren)", "Parking"]
    assert _nearest(name, labels) == meant
