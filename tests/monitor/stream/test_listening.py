"""The audio path of a live monitor: what becomes of sources that fail, and of a machine that is too slow."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count

import numpy as np
import pytest
from streams import HOP, RATE, pipeline

from monitor.clock import LiveClock
from monitor.config.notice_sections import Notices
from monitor.config.notices import make_notices, utc_time
from monitor.errors import AudioError
from monitor.health.vitals import SourceState, Vitals
from monitor.listeners import Listener
from monitor.pipeline import Pipeline
from monitor.records import AudioBlock, EventRecord, HopResult
from monitor.sources.base import DriverStuck, SourceLost, SourceSilent, SourceUnusable
from monitor.sources.live import Patience, live_blocks
from monitor.sources.ring import CaptureRing
from monitor.stream.assembly import Assembly
from monitor.stream.listening import Listening, Waits
from monitor.stream.orders import Orders
from monitor.stream.recorder import Origin, Recorder, counted_ids

PATIENCE_S = 20.0
HOP_S = HOP / RATE
BARE = Assembly(model=None, classes={}, loud=None)  # type: ignore[arg-type]
ON, OFF = Orders(BARE), Orders(BARE, "switched off")


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.stream.listening._RETRY_FIRST_S", 0.01)


class Streams:
    """Streams around the small model, their records numbered from 1."""

    def __init__(self) -> None:
        self.numbers = count(1)
        self.ids = counted_ids()
        self.notices = make_notices(Notices(), utc_time)

    def pipeline(self, source_rate: int, clock: LiveClock, assembly: Assembly) -> Pipeline:
        return pipeline(source_rate)

    def recorder(self, source_rate: int, clock: LiveClock, assembly: Assembly) -> Recorder:
        origin = Origin(node="n", model="m", model_version="1", rate=RATE)
        return Recorder(origin, clock=clock, numbers=self.numbers, new_id=self.ids, notices=self.notices)


def noise(hops: int) -> AudioBlock:
    """Loud enough to switch both labels on."""
    samples = np.random.default_rng(hops).normal(0.0, 0.3, hops * HOP).astype(np.float32)
    return AudioBlock(samples, 0, time.monotonic())


def zeros(hops: int) -> AudioBlock:
    return AudioBlock(np.zeros(hops * HOP, np.float32), 0, time.monotonic())


class Source:
    """Delivers what it is given, then raises or ends."""

    name = "source"
    rate = RATE
    overflows = 0
    dropped = 0

    def __init__(self, *blocks: AudioBlock, end: Exception | Callable[[], None] | None = None) -> None:
        self._blocks = blocks
        self._end = end
        self.closed = False

    def blocks(self) -> Iterator[AudioBlock]:
        yield from self._blocks
        if isinstance(self._end, Exception):
            raise self._end
        if self._end is not None:
            self._end()

    def close(self) -> None:
        self.closed = True


class Ear(Listener):
    """Remembers what it was told, and how the monitor was at the time."""

    def __init__(self, vitals: Vitals) -> None:
        self.offs = 0
        self.vitals = vitals
        self.records: list[EventRecord] = []
        self.at_hops: list[str] = []
        self.at_ends: list[SourceState] = []
        self.hops: list[HopResult] = []

    def on_hop(self, file: str, hop: HopResult) -> None:
        self.hops.append(hop)
        self.at_hops.append(self.vitals.source.state)

    def on_off(self) -> None:
        self.offs += 1

    def on_record(self, record: EventRecord) -> None:
        self.records.append(record)
        if record.type == "end":
            self.at_ends.append(self.vitals.source)


class Case:
    """A monitor whose attempts to open give these sources and errors one after the other."""

    def __init__(
        self, attempts: Sequence[Source | AudioError], *, waits: Waits = "no", closes: bool = True
    ) -> None:
        self.vitals = Vitals()
        self.ear = Ear(self.vitals)
        self.stop = threading.Event()
        self.attempts = list(attempts)
        self.orders = ON
        self.listening = Listening(
            self.open,
            Streams(),
            [self.ear],
            self.vitals,
            self.stop,
            waits=waits,
            orders=lambda: self.orders,
            closes=closes,
        )

    def open(self) -> Source:
        attempt = self.attempts.pop(0)
        if isinstance(attempt, AudioError):
            raise attempt
        return attempt

    def told(self) -> list[tuple[str, str, str | None]]:
        return [(record.label, record.type, record.reason) for record in self.ear.records]


def test_a_source_that_ends_by_itself_is_heard_to_its_tail_and_its_events_are_stopped() -> None:
    samples = noise(5).samples[: 4 * HOP + 300]
    source = Source(AudioBlock(samples, 0, time.monotonic()))
    case = Case([source])
    case.listening.run()
    assert [hop.position for hop in case.ear.hops] == [HOP, 2 * HOP, 3 * HOP, 4 * HOP, 4 * HOP + 300]
    assert {told for told in case.told() if told[1] == "end"} == {
        ("low", "end", "stopped"),
        ("high", "end", "stopped"),
    }
    assert source.closed


def test_a_lost_source_ends_its_events_says_why_first_and_is_opened_again() -> None:
    first, second = Source(noise(5), end=SourceLost("no audio for 3 s")), Source(noise(5))
    case = Case([first, AudioError("still away"), second])
    case.listening.run()
    assert [reason for _, kind, reason in case.told() if kind == "end"] == 2 * ["source_lost"] + 2 * [
        "stopped"
    ]
    assert case.ear.at_ends[:2] == 2 * [SourceState("lost", "no audio for 3 s")]
    assert case.vitals.source == SourceState("listening")
    assert first.closed
    assert second.closed
    assert [record.seq for record in case.ear.records] == list(range(1, 9))
    assert len({record.event_id for record in case.ear.records}) == 4


def test_each_stream_begins_at_zero() -> None:
    case = Case([Source(noise(3), end=SourceLost("gone")), Source(noise(3))])
    case.listening.run()
    assert [hop.position for hop in case.ear.hops] == 2 * [HOP, 2 * HOP, 3 * HOP]


def test_the_first_reason_stays_while_the_source_cannot_be_opened() -> None:
    case = Case([Source(noise(1), end=SourceLost("ended")), AudioError("busy"), AudioError("away")])
    case.attempts.append(Source(end=case.stop.set))
    case.listening.run()
    assert case.vitals.source == SourceState("lost", "ended")


def test_losses_that_the_driver_reports_are_counted_over_all_streams() -> None:
    first, second = Source(noise(1), end=SourceLost("ended")), Source(noise(1))
    first.overflows, second.overflows = 3, 2
    case = Case([first, second])
    case.listening.run()
    assert case.vitals.overflows == 5


def test_zeros_alone_do_not_bring_back_a_source_that_was_lost_to_them() -> None:
    case = Case(
        [
            Source(noise(1), end=SourceSilent("digital silence for 10 s")),
            Source(zeros(3), end=SourceSilent("digital silence for 10 s")),
            Source(zeros(1), AudioBlock(noise(1).samples, HOP, time.monotonic())),
        ]
    )
    case.listening.run()
    assert case.ear.at_hops == ["listening", "lost", "lost", "lost", "lost", "listening"]


def test_zeros_bring_back_a_source_that_was_lost_for_another_reason() -> None:
    case = Case([Source(noise(1), end=SourceLost("ended")), Source(zeros(1))])
    case.listening.run()
    assert case.vitals.source == SourceState("listening")


def test_a_source_that_was_never_there_is_an_error_unless_it_is_waited_for() -> None:
    with pytest.raises(AudioError, match="not there"):
        Case([AudioError("not there")]).listening.run()
    patient = Case([AudioError("not there"), AudioError("not there"), Source(noise(1))], waits="at first")
    patient.listening.run()
    assert patient.vitals.source == SourceState("listening")


def test_a_source_that_can_never_be_heard_ends_the_monitor_unless_it_was_heard_before() -> None:
    unusable = SourceUnusable("no such protocol")
    with pytest.raises(SourceUnusable):
        Case([Source(end=unusable)]).listening.run()
    case = Case([Source(noise(1), end=SourceLost("ended")), Source(end=unusable), Source(noise(1))])
    case.listening.run()
    assert case.vitals.source == SourceState("listening")


@pytest.mark.parametrize("error", [SourceUnusable("no such protocol"), AudioError("not there")])
def test_one_of_several_sources_is_tried_for_ever_whatever_it_lacks(error: AudioError) -> None:
    attempts = [error, Source(end=error), error, Source(noise(1), end=DriverStuck("hangs")), Source(noise(1))]
    case = Case(attempts, waits="always")
    case.listening.run()
    assert case.attempts == []
    assert case.vitals.source == SourceState("listening")


def test_waiting_is_said_once_and_then_at_every_twentieth_attempt(caplog: pytest.LogCaptureFixture) -> None:
    case = Case([*(AudioError("not there") for _ in range(40)), Source(noise(1))], waits="at first")
    with caplog.at_level(logging.WARNING, "monitor.stream.listening"), pytest.MonkeyPatch.context() as patch:
        patch.setattr("monitor.stream.listening._RETRY_CAP_S", 0.01)
        case.listening.run()
    assert [record.getMessage() for record in caplog.records] == 3 * ["not there; waiting for it"]


def test_a_driver_that_only_a_new_process_frees_ends_the_monitor_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("monitor.stream.listening._STUCK_S", 0.05)
    case = Case([Source(noise(1), end=SourceLost("gone")), *(DriverStuck("hangs") for _ in range(100))])
    with pytest.raises(DriverStuck):
        case.listening.run()
    assert 0 < len(case.attempts) < 100


def test_stop_ends_the_wait_for_a_source() -> None:
    case = Case([], waits="at first")
    case.attempts = [AudioError("not there")] * 1000
    thread = threading.Thread(target=case.listening.run)
    thread.start()
    case.stop.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


class FastSource:
    """A ring that is filled much faster than the reader reads, as by a machine that is too slow."""

    name = "fast"
    rate = RATE
    overflows = 0

    def __init__(self, buffer_hops: int, hops: int, stop: threading.Event) -> None:
        self._ring = CaptureRing(buffer_hops * HOP, 1, RATE)
        self._stop = stop
        self._writer = threading.Thread(target=self._write, args=(hops,))
        self._writer.start()

    @property
    def dropped(self) -> int:
        return self._ring.dropped

    def _write(self, hops: int) -> None:
        for _ in range(hops):
            self._ring.write(noise(1).samples.reshape(-1, 1), time.monotonic())
            self._stop.wait(0.001)
        self._ring.end("done")

    def blocks(self) -> Iterator[AudioBlock]:
        yield from live_blocks(self._ring, RATE, Patience(), self._stop)

    def close(self) -> None:
        self._writer.join(PATIENCE_S)


class Slow(Listener):
    """Takes its time over each hop, and notes how old the audio was."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self.last_s = 0.0
        self.gaps_s = 0.0

    def on_hop(self, file: str, hop: HopResult) -> None:
        self.gaps_s += hop.time_s - self.last_s - HOP_S
        self.last_s = hop.time_s
        time.sleep(0.01)


def test_a_machine_that_is_too_slow_loses_the_oldest_audio_counts_it_and_stays_near_the_present() -> None:
    case = Case([])
    source = FastSource(buffer_hops=5, hops=400, stop=case.stop)
    slow = Slow(case)
    case.attempts = [source, Source(end=case.stop.set)]  # type: ignore[list-item]
    case.listening = Listening(
        case.open, Streams(), [slow], case.vitals, case.stop, waits="no", orders=lambda: ON
    )
    case.listening.run()
    assert case.vitals.dropped_s == source.dropped / RATE > 1.0
    # What is missing between the hops is what was dropped: positions jump over it.
    assert slow.gaps_s == pytest.approx(case.vitals.dropped_s, abs=2 * HOP_S)
    assert slow.last_s == pytest.approx(400 * HOP_S, abs=2 * HOP_S)
    # Never older than the ring, the block in hand and the hop that is filled.
    assert case.vitals.delay_s is not None
    assert case.vitals.delay_s < (5 + 5 + 1) * HOP_S


class Ordered(Source):
    """Gives an order before each of its blocks."""

    def __init__(self, case: Case, *steps: tuple[Orders, AudioBlock]) -> None:
        super().__init__()
        self._case = case
        self._steps = steps

    def blocks(self) -> Iterator[AudioBlock]:
        for orders, block in self._steps:
            self._case.orders = orders
            yield block


def later(block: AudioBlock, hops: int) -> AudioBlock:
    return AudioBlock(block.samples, hops * HOP, time.monotonic())


def test_switched_off_events_end_and_the_source_is_closed_until_switched_on() -> None:
    case = Case([])
    first = Ordered(case, (ON, noise(5)), (OFF, later(noise(5), 5)), (OFF, later(noise(5), 10)))
    second = Source(noise(3))
    case.attempts = [first, second]
    waited: list[float] = []

    def wait(timeout: float) -> bool:
        assert first.closed
        assert case.vitals.source == SourceState("off", "switched off")
        waited.append(timeout)
        if len(waited) == 3:
            case.orders = ON
        return False

    case.stop.wait = wait  # type: ignore[method-assign, assignment]
    case.listening.run()
    assert [hop.position for hop in case.ear.hops] == [h * HOP for h in (1, 2, 3, 4, 5, 1, 2, 3)]
    assert [reason for _, kind, reason in case.told() if kind == "end"] == 4 * ["stopped"]
    assert (case.ear.offs, case.vitals.source) == (1, SourceState("listening"))


def test_a_pipe_is_read_on_while_switched_off_and_nothing_of_it_is_analysed() -> None:
    case = Case([], closes=False)
    steps = [(ON, noise(5)), (OFF, later(noise(5), 5)), (OFF, later(noise(5), 10)), (ON, later(noise(2), 15))]
    case.attempts = [Ordered(case, *steps)]
    case.listening.run()
    assert [hop.position // HOP for hop in case.ear.hops] == [1, 2, 3, 4, 5, 16, 17]
    assert [reason for _, kind, reason in case.told() if kind == "end"] == 4 * ["stopped"]
    assert case.ear.offs == 1


def test_a_monitor_that_starts_switched_off_says_so_and_opens_nothing() -> None:
    case = Case([])
    case.orders = OFF
    case.stop.wait = lambda timeout: case.stop.set()  # type: ignore[method-assign, assignment, return-value]
    case.listening.run()
    assert (case.ear.offs, case.vitals.source) == (1, SourceState("off", "switched off"))
