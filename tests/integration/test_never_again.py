"""A false alarm that is rejected raises no alert when it is heard again, however long and changing it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile
from running import STREET
from sirens import RATE, long_siren, traffic

from monitor.clock import parse_utc
from monitor.config.load import load_config
from monitor.control.control import Control
from monitor.control.store import SettingsStore, settings_path
from monitor.delivery.store.outbox import Outbox
from monitor.history.background import BackgroundSample
from monitor.history.keeper import MomentKeeper
from monitor.history.notebook import Judgement, Notebook
from monitor.history.reader import HistoryReader
from monitor.listeners import Listener
from monitor.records import EventRecord, HopResult
from monitor.service.teaching import Teacher
from monitor.stream.assembly import assemble
from monitor.stream.replay import Replay, ReplayOptions

NOON = 1_780_000_000.0
LATER_S = 0.2
"""The second time the sound begins at another place within a hop."""


class House(Listener):
    """A monitor with the shipped model and its page's history; its clock follows what is played."""

    def __init__(self, folder: Path) -> None:
        self.began = self.now = NOON
        history = folder / "history.db"
        config = load_config(overrides=(f"history.path={str(history)!r}", "events.profile=sensitive"))
        self.control = Control(config, assemble(config), SettingsStore(settings_path(history)))
        assembly = self.control.state.assembly
        self.outbox, self.reader = Outbox(history), HistoryReader(history)
        title = assembly.model.card.title
        self.keeper = MomentKeeper(
            Notebook(self.outbox),
            BackgroundSample(folder / "background.db", title),
            assembly.classes,
            rate=assembly.model.card.sample_rate,
            hop_s=assembly.hop_s,
            pictures=True,
            model=title,
            utc=lambda: self.now,
        )
        self.teacher = Teacher(self.control, self.reader, self.keeper.background)
        self.folder = folder
        self.records: list[EventRecord] = []

    def on_hop(self, file: str, hop: HopResult) -> None:
        self.now = self.began + hop.time_s

    def on_record(self, record: EventRecord) -> None:
        self.records.append(record)
        self.outbox.append_all([record])

    def hear(self, samples: np.ndarray) -> list[EventRecord]:
        """Return the starts of the events that the monitor makes of a recording."""
        self.began, self.records = self.now + 60.0, []
        path = self.folder / "heard.wav"
        soundfile.write(path, samples, RATE, subtype="PCM_16")
        options = ReplayOptions("house", start_utc=self.began, first_seq=round(self.now))
        replay = Replay(self.control.state.assembly, options, (self, self.keeper), threading.Event())
        assert replay.run([path], pytest.fail) == 0
        return [one for one in self.records if one.type == "start"]

    def reject(self, label: str, heard: list[EventRecord]) -> None:
        """Say *false alarm* of each event of a label, as the page does, and *never again*."""
        for one in heard:
            if one.label == label:
                moment = self.reader.moment(one.event_id)
                assert moment is not None
                title = f"{one.model} {one.model_version}"
                at, rows = parse_utc(one.start), moment.embedding
                self.keeper.notebook.judge(
                    Judgement(label, "false_alarm", at, title, event_id=one.event_id, embedding=rows)
                )
        self.teacher.reject(label, ())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    with closing(house.outbox), closing(house.reader), closing(house.keeper):
        yield house


def later(samples: np.ndarray) -> np.ndarray:
    return np.concatenate([samples[: round(LATER_S * RATE)], samples])


def told(heard: list[EventRecord], *, without: str) -> list[tuple[str, int]]:
    return [(one.label, round(one.start_s)) for one in heard if one.label != without]


def test_the_siren_of_the_street_is_reported_no_more_and_all_else_is(house: House) -> None:
    street, _ = soundfile.read(STREET)
    house.hear(traffic(62.0))
    before = house.hear(street)
    assert [one.label for one in before].count("siren") == 1
    house.reject("siren", before)
    after = house.hear(later(street))
    assert "siren" not in {one.label for one in after}
    assert [label for label, _ in told(after, without="siren")] == [
        label for label, _ in told(before, without="siren")
    ]


def test_a_long_siren_is_rejected_in_every_one_of_its_moments(house: House) -> None:
    street, _ = soundfile.read(STREET)
    house.hear(traffic(62.0))
    others = house.hear(street[12 * RATE :])
    before = house.hear(long_siren())
    assert "siren" in {one.label for one in before}
    house.reject("siren", before)
    assert "siren" not in {one.label for one in house.hear(later(long_siren()))}
    after = house.hear(street[12 * RATE :])
    assert told(after, without="siren") == told(others, without="siren")
