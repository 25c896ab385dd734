"""What is told of a live monitor, and when."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from monitor.delivery.payloads import Health
from monitor.errors import AudioError, MonitorError, OutboxError
from monitor.health.vitals import SourceState, Vitals
from monitor.service.supervisor import ServiceReport, Supervisor, Watched


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Outbox:
    broken = False
    damage: str | None = None

    def expired_count(self) -> int:
        return 3

    def pending_count(self) -> int:
        if self.broken:
            raise OutboxError("disk")
        return 7


@dataclass
class Writer:
    dropped: int = 0
    failed: str | None = None


@dataclass
class Publisher:
    connected: bool = False
    last_error: str | None = None
    told: list[Health] = field(default_factory=list)

    def publish_health(self, health: Health) -> None:
        self.told.append(health)


@dataclass
class Systemd:
    watchdog_s: float | None = None
    told: list[str] = field(default_factory=list)

    def tell(self, *lines: str) -> None:
        self.told += lines


@dataclass
class Worker:
    alive: bool = True
    dropped: int = 0


class Case:
    def __init__(
        self, *, published: bool = True, watchdog_s: float | None = None, name: str | None = None
    ) -> None:
        self.clock = Clock()
        self.vitals = Vitals(self.clock, name=name)
        self.outbox, self.writer, self.publisher = Outbox(), Writer(), Publisher()
        self.systemd = Systemd(watchdog_s)
        self.mqtt, self.clips = Worker(), Worker()
        self.words: list[str] = []
        watched = Watched(
            model="m",
            model_version="1",
            vitals=self.vitals,
            outbox=self.outbox,  # type: ignore[arg-type]
            writer=self.writer,  # type: ignore[arg-type]
            publisher=self.publisher if published else None,  # type: ignore[arg-type]
            stall_s=3.0,
            clips=self.clips,  # type: ignore[arg-type]
            workers={"event-writer": Worker(), "mqtt": self.mqtt},
        )
        self.supervisor = Supervisor(watched, self.words.append, self.clock)
        self.report = ServiceReport([self.supervisor], self.systemd, self.clock)  # type: ignore[arg-type]

    def check_for(self, seconds: float, *, beats: bool = True) -> int:
        """Check four times a second; returns how often health was told."""
        before = len(self.publisher.told)
        for _ in range(round(4 * seconds)):
            if beats:
                self.vitals.beat()
            self.supervisor.check()
            self.report.check()
            self.clock.now += 0.25
        return len(self.publisher.told) - before


@pytest.fixture
def case() -> Case:
    case = Case()
    case.check_for(1)
    return case


def test_health_is_told_every_minute(case: Case) -> None:
    assert case.check_for(240) == 4


def test_health_is_told_at_each_change_at_once(case: Case) -> None:
    for change in (
        lambda: setattr(case.vitals, "source", SourceState("listening")),
        lambda: setattr(case.publisher, "connected", True),
        lambda: setattr(case.vitals, "source", SourceState("lost", "ended")),
        lambda: setattr(case.vitals, "source", SourceState("lost", "silent")),
        lambda: setattr(case.writer, "failed", "disk full"),
        lambda: setattr(case.publisher, "connected", False),
    ):
        assert case.check_for(2) == 0
        change()
        assert case.check_for(0.25) == 1
    health = case.publisher.told[-1]
    assert (health.microphone, health.reason, health.history) == ("lost", "silent", "disk full")


def test_health_carries_the_figures(case: Case) -> None:
    case.vitals.on_inference(0.0015)
    case.vitals.on_hop(0.25)
    case.vitals.source = SourceState("listening")
    case.writer.dropped = 2
    case.clips.dropped = 4
    case.check_for(0.25)
    health = case.publisher.told[-1]
    assert (health.inference_ms, health.delay_s, health.queue, health.dropped_events) == (1.5, 0.25, 7, 2)
    assert health.expired == 3
    assert health.dropped_clips == 4
    assert health.uptime_s == 1.0


def test_lost_audio_is_told_within_seconds_and_not_at_every_check(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    case.check_for(10)
    case.vitals.dropped_s = 1.5
    assert case.check_for(4) == 1
    assert case.publisher.told[-1].dropped_s == 1.5
    case.vitals.dropped_s = 2.5
    assert case.check_for(0.5) == 0
    assert case.check_for(5) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "this machine is too slow: 1.5 s of audio lost so far",
        "this machine is too slow: 2.5 s of audio lost so far",
    ]


def test_a_history_that_cannot_be_read_does_not_stop_the_health(case: Case) -> None:
    case.outbox.broken = True
    assert case.check_for(60) == 1
    assert case.publisher.told[-1].queue == 0


def test_an_audio_path_without_a_sign_of_life_ends_the_monitor(case: Case) -> None:
    case.vitals.beat()
    case.check_for(63, beats=False)
    case.clock.now += 0.2
    with pytest.raises(AudioError, match="has hung for 63 s"):
        case.supervisor.check()


def test_a_process_that_was_stopped_as_a_whole_has_not_hung(case: Case) -> None:
    case.check_for(1)
    for _ in range(2):
        case.clock.now += 3600  # SIGSTOP, a frozen container, a suspended virtual machine
        case.check_for(60, beats=False)
    with pytest.raises(AudioError, match="has hung for 63 s"):
        case.check_for(10, beats=False)


def test_a_thread_that_ended_ends_the_monitor(case: Case) -> None:
    case.mqtt.alive = False
    with pytest.raises(MonitorError, match="the thread mqtt ended unexpectedly"):
        case.supervisor.check()


def test_people_hear_of_microphone_and_broker_in_one_line() -> None:
    case = Case()
    case.check_for(1)
    case.vitals.source = SourceState("listening")
    case.publisher.last_error = "mqtt h:1883: connection refused"
    case.check_for(1)
    case.publisher.connected, case.publisher.last_error = True, None
    case.vitals.source = SourceState("lost", "ended")
    case.check_for(1)
    assert case.words == [
        "starting; mqtt: connecting",
        "listening; mqtt h:1883: connection refused",
        "lost (ended); mqtt: connected",
    ]


def test_the_service_manager_hears_ready_once_and_the_watchdog_in_time() -> None:
    case = Case(published=False, watchdog_s=30.0)
    case.check_for(1)
    assert case.systemd.told == ["STATUS=starting", "WATCHDOG=1"]
    case.vitals.source = SourceState("listening")
    case.check_for(1)
    case.vitals.source = SourceState("lost", "ended")
    case.check_for(118)
    told = case.systemd.told
    assert told[2:5] == ["STATUS=listening", "READY=1", "STATUS=lost (ended)"]
    assert told.count("READY=1") == 1
    assert told.count("WATCHDOG=1") == 12


def test_trouble_is_what_keeps_it_from_hearing_and_no_broker_or_pause() -> None:
    case = Case()
    assert case.supervisor.trouble == "microphone: starting"
    case.vitals.source = SourceState("listening")
    assert case.supervisor.trouble == "the model has not run yet"
    case.vitals.on_inference(0.002)
    case.publisher.last_error = "mqtt: refused"
    assert case.supervisor.trouble is None
    case.vitals.source = SourceState("lost", "no audio for 5 s")
    assert case.supervisor.trouble == "microphone: lost (no audio for 5 s)"
    case.vitals.source = SourceState("off", "switched off")
    assert case.supervisor.trouble is None
    case.clock.now += 9.0
    assert case.supervisor.trouble == "the audio path has not answered for 9 s"


def test_several_nodes_are_one_service_that_is_ready_when_each_of_them_is() -> None:
    kitchen, yard, systemd = Case(name="kitchen"), Case(name="yard", published=False), Systemd(30.0)
    report = ServiceReport([kitchen.supervisor, yard.supervisor], systemd, kitchen.clock)  # type: ignore[arg-type]
    kitchen.vitals.source = SourceState("listening")
    for case in (kitchen, yard):
        case.check_for(0.25)
    report.check()
    assert systemd.told == ["STATUS=kitchen: listening; mqtt: connecting | yard: starting", "WATCHDOG=1"]
    yard.vitals.source = SourceState("lost", "no camera")
    yard.check_for(0.25)
    report.check()
    assert systemd.told[2:] == [
        "STATUS=kitchen: listening; mqtt: connecting | yard: lost (no camera)",
        "READY=1",
    ]


def test_of_several_nodes_the_one_that_hangs_is_named() -> None:
    case = Case(name="yard")
    case.vitals.beat()
    with pytest.raises(AudioError, match=r"^yard: the audio path has hung"):
        case.check_for(70, beats=False)
