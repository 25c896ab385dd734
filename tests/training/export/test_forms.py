"""Forms of a network: converted, compared with Keras window by window, refused by what they fail."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recordings import make_part

pytest.importorskip("tensorflow")

from small_network import write_small

from monitor.model.load import ThirdParty, load_model
from training.base.maths import logistic
from training.data.audio import read
from training.data.corpora import CLASSES, LABELS
from training.errors import DataError, ExportError
from training.export.form_packages import write_forms
from training.export.forms import HERE, THERE, Checked, make_forms, refusals
from training.export.forms_report import write_page
from training.export.timed import Timed
from training.export.trained_network import TrainedNetwork, read_network
from training.fit.predict import predict

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ZEROS = np.zeros((8, 3), np.float32)


def silent(text: str) -> None:
    pass


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory):
    return make_part(tmp_path_factory.mktemp("recordings"), recordings=6)


@pytest.fixture(scope="module")
def made(part, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run's folder, and the package of its network."""
    return write_small(tmp_path_factory.mktemp("made"), part)


@pytest.fixture(scope="module")
def network(made) -> TrainedNetwork:
    return read_network(*made)


@pytest.fixture(scope="module")
def checked(network: TrainedNetwork, part) -> list[Checked]:
    return make_forms(network, part.events, None, silent, ("float32", "int8"))


def test_every_form_that_passes_is_a_package_that_the_monitor_runs(network, checked, tmp_path: Path) -> None:
    plain, small = checked
    assert not plain.refused
    assert plain.differences[HERE] < 1e-5
    assert plain.agreement == 1.0
    assert 1e-5 < small.differences[HERE] < 0.5
    assert set(small.window_us) == {HERE}
    paths = write_forms(network, [plain, replace(small, refused=())], "export …", tmp_path)
    assert [path.name for path in paths] == ["small-float32.tflite", "small-int8.tflite"]
    for path in paths:
        loaded = load_model(path, ThirdParty())
        assert set(loaded.card.classes) == set(CLASSES)
        form = path.stem.removeprefix("small-")
        own = {one.measure: one.value for one in loaded.card.quality if one.command == "export …"}
        found = {"float32": plain, "int8": small}[form]
        assert own[f"clip accuracy as {form}"] == pytest.approx(found.accuracy, rel=1e-3)
        scores = loaded.classifier().push(np.zeros(network.card.hop, np.float32)).scores
        assert scores.shape == (len(LABELS),)
    shown = write_page(network, checked, "sound-training export", tmp_path / "page").read_text()
    assert "| int8 |" in shown
    assert "tflite_runtime was not tried" in shown


def test_windows_are_those_of_the_daemon_hop_by_hop(network: TrainedNetwork, part) -> None:
    clip = part.events[0][0]
    card, windows = network.card, network.windows([clip], 3)
    samples = read(clip.path, card.sample_rate)[: card.window + 2 * card.hop]
    logits = predict(network.model, windows)
    classifier = load_model(network.package.path, ThirdParty()).classifier()
    scores = [classifier.push(hop).scores for hop in samples.reshape(-1, card.hop)]
    np.testing.assert_allclose(scores[-3:], logistic(logits), atol=1e-5)


def test_a_form_that_is_refused_is_not_written(network, checked, tmp_path: Path) -> None:
    plain = checked[0]
    (path,) = write_forms(network, [plain], "export …", tmp_path)
    assert write_forms(network, [replace(plain, refused=("differs",))], "export …", tmp_path) == []
    assert not path.exists()


def test_a_package_of_another_network_is_refused(made, part, tmp_path: Path) -> None:
    network = read_network(*made)
    network.model.set_weights([weight + 0.1 for weight in network.model.get_weights()])
    with pytest.raises(ExportError, match="it was made of another"):
        make_forms(network, part.events, None, silent, ("float32",))


def test_a_training_that_is_absent_or_not_finished_or_another_is_named(made, tmp_path: Path) -> None:
    run, package = made
    with pytest.raises(DataError, match="no training is in it"):
        read_network(tmp_path, package)
    shutil.copytree(run, tmp_path / "run")
    spec = json.loads((run / "spec.json").read_text())
    for changed, said in (
        ({"epochs": 5}, "1 of 5 epochs are trained"),
        ({"network": {**spec["run"]["network"], "rings": [2]}}, "has other fields: rings"),
    ):
        (tmp_path / "run" / "spec.json").write_text(json.dumps({**spec, "run": spec["run"] | changed}))
        with pytest.raises(DataError, match=said):
            read_network(tmp_path / "run", package)


def _timed(outputs: np.ndarray, refused: str = "") -> Timed:
    return Timed(outputs.tolist(), 1.0, refused)


@pytest.mark.parametrize(
    ("found", "agreement", "lost", "reason"),
    [
        ({HERE: _timed(ZEROS), THERE: _timed(ZEROS)}, 1.0, 0.0, ""),
        ({HERE: _timed(ZEROS + 0.2)}, 1.0, 0.0, "differs from Keras by 0.2"),
        ({HERE: _timed(ZEROS * np.nan)}, 1.0, 0.0, "differs from Keras by nan"),
        ({HERE: _timed(ZEROS), THERE: _timed(ZEROS + 0.2)}, 1.0, 0.0, "tflite_runtime: differs"),
        ({HERE: _timed(ZEROS), THERE: _timed(ZEROS[:0], "no op")}, 1.0, 0.0, "tflite_runtime: no op"),
        ({HERE: _timed(ZEROS)}, 0.9, 0.0, "takes 10.0% of clips for another class"),
        ({HERE: _timed(ZEROS)}, 1.0, 0.02, "loses 2.0% of accuracy"),
    ],
)
def test_a_form_is_refused_by_what_it_fails(found, agreement, lost, reason) -> None:
    said = "; ".join(refusals("int8", found, ZEROS, agreement, lost))
    assert reason in said
    assert bool(said) == bool(reason)
