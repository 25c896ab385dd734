"""What is taught from marked moments holds at once, in the running pipeline too, and only that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from samples import ended, record
from tiny import HEADS, LABELS, RATE, SOUNDS, WINDOW, multi_head_card, multi_head_model

from monitor.config.load import load_config
from monitor.control.control import Control
from monitor.control.store import SettingsStore, settings_path
from monitor.delivery.store.outbox import Outbox
from monitor.errors import ControlError
from monitor.history.background import BackgroundSample
from monitor.history.notebook import Judgement, Moment, Notebook
from monitor.history.reader import HistoryReader
from monitor.model.package import write_package
from monitor.model.taught import versions
from monitor.records import AudioBlock
from monitor.service.teaching import Teacher
from monitor.stream.assembly import assemble

NOON = 1_780_000_000.0
SIZE = len(HEADS["embedding"])
SOUND = np.tile([0.8, -0.2, 0.5, -0.6], WINDOW // 4).astype(np.float32)
TITLE = "tiny 1.2.3"


def embedded(chance: np.random.Generator, rows: int, loud: float = 0.0) -> np.ndarray:
    """Embeddings of noise, with the sound in it."""
    heard = 0.05 * chance.normal(size=(rows, WINDOW)) + loud * SOUND
    return np.asarray(heard @ HEADS["embedding"].T, np.float32)


@dataclass
class World:
    control: Control
    notebook: Notebook
    teacher: Teacher
    folder: Path
    outbox: Outbox

    def mark(self, label: str, verdict: str, count: int, loud: float = 1.0) -> None:
        chance = np.random.default_rng(count)
        for number in range(count):
            rows = embedded(chance, 3, loud * chance.uniform(0.6, 1.0))
            at = NOON + 60.0 * number
            self.notebook.judge(Judgement(label, verdict, at, TITLE, embedding=rows))  # type: ignore[arg-type]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    write_package(tmp_path / "ear.tflite", multi_head_model(), LABELS, multi_head_card(), SOUNDS)
    history = tmp_path / "history.db"
    config = load_config(
        overrides=[f"history.path={str(history)!r}", f"model.path={str(tmp_path / 'ear.tflite')!r}"]
    )
    control = Control(config, assemble(config), SettingsStore(settings_path(history)))
    background = BackgroundSample(tmp_path / "background.db", TITLE)
    chance = np.random.default_rng(0)
    for number in range(100):
        background.add(NOON + 7200.0 + 2.0 * number, embedded(chance, round(2.0 * RATE / (WINDOW // 2))))
    with closing(Outbox(history)) as outbox, closing(HistoryReader(history)) as reader:
        teacher = Teacher(control, reader, background)
        yield World(control, Notebook(outbox), teacher, tmp_path / "heads", outbox)


def test_a_sound_taught_from_marked_moments_is_scored_at_once_and_forgotten_at_once(world: World) -> None:
    pipeline = world.control.state.assembly.new_pipeline(RATE)
    world.mark("gate", "missed", 5)
    world.mark("bell", "right", 3)
    assert world.teacher.marks()["marks"] == [
        {"label": "bell", "right": 3, "missed": 0, "false_alarm": 0},
        {"label": "gate", "right": 0, "missed": 5, "false_alarm": 0},
    ]
    made = world.teacher.teach("gate", (), 50.0)
    assert made["text"][1].startswith(("recall    5 of 5", "recall    4 of 5"))
    assembly = world.control.state.assembly
    assert "gate" in assembly.tracked
    pipeline.configure(
        assembly.tracked, loud=None, disabled={}, heads=assembly.heads, rejects=assembly.rejects
    )
    audio = np.concatenate([np.zeros(WINDOW, np.float32), np.tile(0.8 * SOUND, 50)])
    hops = list(pipeline.push(AudioBlock(audio[:, None], 0)))
    assert hops[-1].labels[-1] == "gate"
    assert [one.label for hop in hops for one in hop.decisions if one.type == "start"] == ["gate"]
    listed = world.teacher.heads()
    assert [(one["name"], one["kind"], one["used"], one["versions"]) for one in listed] == [
        ("gate", "sound", True, 1)
    ]
    assert world.teacher.remove("gate", newest=False) == {"name": "gate", "versions": 0}
    assert "gate" not in world.control.state.assembly.tracked
    assert world.teacher.remove("gate", newest=False) is None


def test_a_rejected_sound_raises_its_class_no_more_and_other_sounds_do(world: World) -> None:
    world.mark("bell", "false_alarm", 3)
    made = world.teacher.reject("bell", ())
    assert (made["kind"], made["label"], made["name"]) == ("reject", "bell", "not-bell")
    classifier = world.control.state.assembly.new_parts().classifier
    scores = np.full(len(classifier.labels), 0.9, np.float32)
    false = HEADS["embedding"] @ (0.8 * SOUND)
    other = HEADS["embedding"] @ np.linspace(0.5, -0.5, WINDOW)
    bell = classifier.labels.index("bell")
    rejected = classifier.accepted(scores, np.asarray(false, np.float32))
    assert rejected[bell] == 0.0
    assert np.delete(rejected, bell).min() == np.float32(0.9)
    assert classifier.accepted(scores, np.asarray(other, np.float32)) is scores


def test_chosen_events_teach_a_label_of_their_own(world: World) -> None:
    chance = np.random.default_rng(3)
    for number in range(4):
        start = record(2 * number + 1, label="bell")
        world.outbox.append_all([start, ended(2 * number + 2, start)])
        rows = embedded(chance, 3, 0.9)
        world.notebook.keep_moment(Moment(start.event_id, 0.0, 0.02, None, rows, TITLE))
    chosen = [f"event-{2 * number + 1}" for number in range(3)]
    made = world.teacher.teach("own_dog", chosen, 10.0)
    assert made["expected"]["examples"] == 3
    assert versions(world.folder)["own_dog"]


def test_the_newest_version_can_be_taken_back_alone(world: World) -> None:
    world.mark("gate", "missed", 4)
    world.teacher.teach("gate", (), 50.0)
    world.teacher.teach("gate", (), 1.0)
    assert [one["versions"] for one in world.teacher.heads()] == [2]
    assert world.teacher.remove("gate", newest=True) == {"name": "gate", "versions": 1}
    assert "gate" in world.control.state.assembly.tracked


@pytest.mark.parametrize("label", ["bell", "BELL", "not-mine", "a b", "list", ""])
def test_a_label_that_is_taken_or_none_is_refused(world: World, label: str) -> None:
    with pytest.raises(ControlError, match="label"):
        world.teacher.teach(label, (), 1.0)
    assert versions(world.folder) == {}


def test_too_little_to_teach_from_is_said(world: World) -> None:
    world.mark("gate", "missed", 1)
    with pytest.raises(ControlError, match=r"two examples .*: embeddings of 1, and 3 min of b"):
        world.teacher.teach("gate", (), 1.0)
    with pytest.raises(ControlError, match="embeddings of 0,"):
        world.teacher.reject("bell", ())
    with pytest.raises(ControlError, match="gate makes no events"):
        world.teacher.reject("gate", ())


def test_a_head_that_another_process_stored_is_noticed(world: World, tmp_path: Path) -> None:
    world.mark("gate", "missed", 4)
    clock = 0.0
    world.control._watch._monotonic = lambda: clock
    world.control._watch._looked = clock
    world.teacher.teach("gate", (), 50.0)
    (file,) = versions(world.folder)["gate"]
    file.unlink()
    world.control.tick()
    assert "gate" in world.control.state.assembly.tracked  # looks once a second
    clock = 1.0
    world.control.tick()
    assert "gate" not in world.control.state.assembly.tracked
