"""``teach``: from recordings to a label that is reported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from calling import Call, Result
from tiny import HEADS, LABELS, RATE, SOUNDS, WINDOW, card, dense_model, multi_head_card, multi_head_model

from monitor.history.background import BackgroundSample
from monitor.model.card import MultiHeadCard
from monitor.model.linear import HeadCard, LinearHead, read_linear_head
from monitor.model.package import write_package
from monitor.model.taught import keep, remove, versions

PATTERN = np.array([0.8, -0.2, 0.5, -0.6])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A package with an embedding, five gates, a background, and a street in which the gate sounds once."""
    package(tmp_path, multi_head_model(), multi_head_card())
    chance = np.random.default_rng(0)

    def noise(seconds: float) -> np.ndarray:
        return 0.05 * chance.normal(size=round(seconds * RATE))

    def gate(seconds: float) -> np.ndarray:
        return np.tile(PATTERN * chance.uniform(0.5, 1.0), round(seconds * RATE / len(PATTERN)))

    for number in range(5):
        write(tmp_path / f"gate-{number}.wav", gate(1.0) + noise(1.0))
    write(tmp_path / "evening.wav", noise(61.0))
    street = noise(6.0)
    street[2000:3000] += gate(1.0)
    write(tmp_path / "street.wav", street)
    return tmp_path


def package(folder: Path, model: bytes, card: MultiHeadCard) -> None:
    write_package(folder / "ear.tflite", model, LABELS, card, SOUNDS)


def write(path: Path, samples: np.ndarray) -> None:
    soundfile.write(path, samples, RATE, subtype="PCM_16")


Run = Callable[..., Result]


@pytest.fixture
def run(call: Call, folder: Path) -> Run:
    """Runs ``sound-monitor`` with the package and a history of the test."""
    sets = (
        f"history.path={folder / 'history.db'}",
        f"model.path={folder / 'ear.tflite'}",
        "mqtt.enabled=false",
    )
    options = [word for one in sets for word in ("--set", one)]
    return lambda *arguments: call(*arguments, *options)


def taught(run: Run, folder: Path, label: str = "gate") -> Result:
    gates = sorted(folder.glob("gate-*.wav"))
    evening = folder / "evening.wav"
    return run("teach", label, *gates, "--background", evening, "--alarms-per-day", "1000")


def test_a_taught_sound_is_reported_until_it_is_forgotten_or_the_model_is_another(
    run: Run, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done = taught(run, folder)
    assert done.code == 0, done.err
    assert "5 of 5" in done.out
    assert "95 % interval" in done.out
    assert starts(run, folder) == [("gate", 2)]
    listed = run("teach", "list").out
    assert "gate.v1.npz" in listed
    changed = {"embedding": -HEADS["embedding"]}
    package(folder, multi_head_model(weights={**HEADS, **changed}), multi_head_card(version="2.0"))
    with_another = run("replay", folder / "street.wav", "--json", "--set", "events.enabled=[]")
    assert (with_another.code, with_another.out) == (0, "")
    assert "teach it again; it is not used" in with_another.err + caplog.text
    assert run("teach", "remove", "gate").code == 0
    assert run("teach", "list").out == ""
    gone = run("teach", "remove", "gate")
    assert (gone.code, gone.err.count("\n")) == (2, 1)


def starts(run: Run, folder: Path) -> list[tuple[str, int]]:
    """Label and second of each alert in the street, the model's own classes left out."""
    street = run("replay", folder / "street.wav", "--json", "--set", "events.enabled=[]")
    assert street.code == 0, street.err
    return [(one["label"], round(one["start_s"])) for one in street.json if one["type"] == "start"]


def test_each_head_of_a_label_is_a_new_version_and_the_newest_holds(folder: Path) -> None:
    shape = {"shortest_s": 0.5, "profiles": {"quiet": {"enter": 0.5, "exit": 0.3}}}
    card = HeadCard.model_validate(
        {
            "schema": 1,
            "name": "gate",
            "version": "0",
            "created": "",
            "model": "tiny",
            "size": 7,
            "probe": [0.0],
            "classes": {"gate": shape},
        }
    )
    head = LinearHead(folder / "x.npz", card, ("gate",), np.ones((1, 7), np.float32), np.zeros(1, np.float32))
    heads = folder / "heads"
    for number in range(1, 12):
        assert keep(heads, "gate", head).path == heads / f"gate.v{number}.npz"
    assert versions(heads)["gate"][-1].name == "gate.v11.npz"
    assert read_linear_head(versions(heads)["gate"][-1]).card.version == "11"
    (heads / "other.npz").write_bytes(b"")
    assert list(versions(heads)) == ["gate"]
    assert remove(heads, "gate") == 11


@pytest.mark.parametrize(
    ("label", "words"),
    [("bell", "the model has this label"), ("door bell", "letters, digits"), ("../x", "letters, digits")],
)
def test_a_label_that_cannot_be_is_refused_in_one_line(
    run: Run, folder: Path, label: str, words: str
) -> None:
    done = taught(run, folder, label)
    assert done.code == 2
    assert words in done.err.splitlines()[-1]


def test_the_background_that_the_page_collected_is_used_where_none_is_named(run: Run, folder: Path) -> None:
    gates = sorted(folder.glob("gate-*.wav"))
    alone = run("teach", "gate", *gates, "--alarms-per-day", "1000")
    assert (alone.code, alone.err.count("\n")) == (2, 1)
    assert "--background" in alone.err
    assert "history.background.db" in alone.err
    assert not (folder / "history.background.db").exists()
    sample = BackgroundSample(folder / "history.background.db", "tiny 1.2.3")
    chance = np.random.default_rng(0)
    for number in range(40):
        heard = 0.05 * chance.normal(size=(round(2.0 * RATE / (WINDOW // 2)), WINDOW))
        sample.add(1e9 + 2.0 * number, np.asarray(heard @ HEADS["embedding"].T, np.float32))
    sample.close()
    done = run("teach", "gate", *gates, "--alarms-per-day", "1000")
    assert done.code == 0, done.err
    assert "5 of 5" in done.out
    assert starts(run, folder) == [("gate", 2)]


def test_a_collected_background_of_another_model_is_none(run: Run, folder: Path) -> None:
    sample = BackgroundSample(folder / "history.background.db", "another 1")
    sample.add(1e9, np.zeros((100, len(HEADS["embedding"])), np.float32))
    sample.close()
    done = run("teach", "gate", *sorted(folder.glob("gate-*.wav")))
    assert (done.code, done.err.count("\n")) == (2, 1)


def test_without_an_embedding_nothing_is_taught(run: Run, folder: Path) -> None:
    write_package(folder / "ear.tflite", dense_model(np.ones((len(LABELS), 8))), LABELS, card())
    done = taught(run, folder)
    assert done.code == 3
    assert "gives no embedding" in done.err.splitlines()[-1]
