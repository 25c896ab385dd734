"""A folder per class becomes a package that the monitor reads; an interrupted run resumes."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result
from corpora import sound

pytest.importorskip("tensorflow")

from monitor.model.load import ThirdParty, load_model
from training.cli import main
from training.data.corpora import Clip
from training.data.folders import Sounds
from training.data.splits import Part
from training.export.conversion import to_tflite
from training.fit.windows import RunSpec
from training.networks.compact import NetworkSpec
from training.recipes import own

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RATE = 16_000
CLASSES = ("drill", "saw")


class Converter:
    """Converts the first network and the last of a run; conversion takes longest.

    The networks between them get the first one's flatbuffer, and a second run gets those of the first: only
    the last, which is compared with Keras, must be its own.
    """

    def __init__(self) -> None:
        self.made: list[bytes] = []
        self._next = 0

    def __call__(self, model: object) -> bytes:
        place, self._next = self._next % (own.GROUPS + 1), self._next + 1
        if self._next > own.GROUPS + 1:
            return self.made[place]
        self.made.append(self.made[0] if 0 < place < own.GROUPS else to_tflite(model))
        return self.made[-1]


def tiny_run(seed: int, epochs: int) -> RunSpec:
    network = NetworkSpec(frames=48, stem=4, blocks=(4, 6), top=8, level="window")
    return RunSpec(network, seed=seed, epochs=epochs, steps=1, batch=4)


def write_sounds(folder: Path) -> Path:
    for kind, label in enumerate(CLASSES):
        (folder / label).mkdir(parents=True)
        for number in range(6):
            samples = sound(4 * kind, number, 0, 0.4 + 0.1 * number, RATE)
            soundfile.write(folder / label / f"{number}.wav", samples, RATE)
    return folder


def make(folder: Path, place: Path, *more: str) -> Result:
    out = str(place / "mine.tflite")
    arguments = ["own", str(folder), "--out", out, "--epochs", "2", "--runs", str(place / "runs"), *more]
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def makings(place: Path) -> tuple[Result, bytes, Result, bytes]:
    """The command twice: what it said, and the package."""
    folder, convert = write_sounds(place / "sounds"), Converter()
    more = ("--licence", "mine alone", "--source", "my workshop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own, "small_run", tiny_run)
        patch.setattr(own, "_SCAPES", (1, 1))
        patch.setattr(own, "to_tflite", convert)
        first = make(folder, place, *more)
        package = (place / "mine.tflite").read_bytes()
        second = make(folder, place, *more)
    return first, package, second, (place / "mine.tflite").read_bytes()


def test_the_package_is_read_by_the_monitor(makings, place: Path) -> None:
    assert makings[0].exit_code == 0, makings[0].output
    loaded = load_model(place / "mine.tflite", ThirdParty())
    card = loaded.card
    assert loaded.package.labels == (*CLASSES, "background")
    assert (card.name, card.licence, card.data_licences) == ("mine", "mine alone", ("my workshop",))
    assert card.negative_labels == ("background",)
    assert {quality.recipe_cv for quality in card.quality} == {True}
    assert all(set(c.profiles) == {"quiet", "sensitive"} for c in card.classes.values())
    scores = loaded.classifier().push(np.zeros(card.hop, np.float32)).scores
    assert scores.shape == (3,)


def test_the_page_says_how_it_was_made_and_of_what(makings, place: Path) -> None:
    folder = place / "runs" / "own-mine" / "records"
    page = (folder / "README.md").read_text()
    command = f"sound-training own {place}/sounds --out {place}/mine.tflite"
    assert command in page
    assert "12 files of 2 classes" in page
    record = json.loads((folder / "record.json").read_text())
    assert record["command"].startswith(command)
    assert len(record["accuracy_of_each_group"]) == 3
    rows = list(csv.DictReader((folder / "classes.csv").read_text().splitlines()))
    assert [(row["class"], row["files"], row["recordings"]) for row in rows] == [
        (label, "6", "6") for label in CLASSES
    ]
    assert sum(int(row["scenes"]) for row in rows) == 12


def test_the_same_command_goes_on_where_it_stopped(makings) -> None:
    first, package, second, again = makings
    assert first.output.count("epoch 2/2") == 4
    assert "min left" in first.output
    assert "epoch" not in second.output
    assert len(package) == len(again)


def test_each_recording_is_judged_by_a_network_that_never_heard_it(makings, place: Path) -> None:
    folders = sorted((place / "runs" / "own-mine").glob("cross*"))
    weights = [np.load(folder / "state.npz")["weight0"] for folder in folders]
    assert len(folders) == own.GROUPS
    assert not any(np.array_equal(weights[0], other) for other in weights[1:])


def test_short_and_long_sounds_are_asked_for_different_patience(place: Path, makings) -> None:
    kept = sorted((place / "runs" / "own-mine" / "sounds").iterdir())
    clip = Clip(kept[0], "own", "a", "a", 0)
    short = own.temper_of(Sounds(("a", "background"), Part(((clip, "a"),), (), ())), "a")
    long_path = place / "long.wav"
    soundfile.write(long_path, np.zeros(5 * RATE), RATE)
    steady = own.temper_of(
        Sounds(("a", "background"), Part(((replace(clip, path=long_path), "a"),), (), ())), "a"
    )
    assert short.shortest_s < 1.0
    assert steady.shortest_s == 2.0
    assert max(steady.attacks_s) > max(short.attacks_s)


def test_bad_input_is_one_line_and_exit_code_3(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = make(tmp_path / "empty", tmp_path)
    assert said.exit_code == 3
    assert said.output.startswith("error: ")
    assert said.output.count("\n") == 1
    bad = CliRunner().invoke(main, ["own", str(tmp_path), "--out", "mine.bin"])
    assert bad.exit_code == 2
