"""What ``run`` is made of; the one place that constructs and wires it.

Threads, and what stands between them:

- PortAudio's, or the reader of a pipe → ring (``audio.buffer_s``; the oldest goes, counted)
- *audio*: ring → events, see :mod:`monitor.stream.listening`; never waits for those below
- *event-writer*: queue of 1000 records → SQLite; full, it refuses the newest, counted
- *mqtt*: rows of the outbox and retained topics → broker, 20 messages under way
- *audience*: queue of 1000 → terminal or pipe; full, it skips, counted
- main: signals, health, service manager
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import BinaryIO

from monitor.clock import LiveClock
from monitor.config.load import Config
from monitor.config.sections import Audio
from monitor.delivery.announcer import Announcer
from monitor.delivery.link import connector
from monitor.delivery.lock import ProcessLock
from monitor.delivery.mqtt import MqttPublisher, Retained
from monitor.delivery.outbox import Outbox
from monitor.delivery.writer import EventWriter
from monitor.errors import AudioError, ConfigError
from monitor.health.systemd import Systemd
from monitor.health.vitals import Vitals
from monitor.listeners import Listener
from monitor.model.classifier import Invoke, Scores
from monitor.pipeline import Pipeline
from monitor.records import EventRecord, HopResult
from monitor.service.audience import Audience
from monitor.service.publishing import announcement, broker_settings, client_id, embedded_broker, topics
from monitor.service.supervisor import Supervisor, Watched
from monitor.sources.base import LiveSource
from monitor.stream.assembly import Assembly, node_name
from monitor.stream.listening import Listening
from monitor.stream.recorder import Recorder, cut_off, random_ids

log = logging.getLogger(__name__)

_CHECK_S = 0.25
_JOIN_S = 5.0
"""For the audio path to end its events and give its source back, once told to stop."""


def run(
    config: Config,
    assembly: Assembly,
    stop: threading.Event,
    listeners: Sequence[Listener] = (),
    tellers: Sequence[Callable[[str], None]] = (),
) -> None:
    """Listen, keep and publish until ``stop`` is set or standard input ends.

    Parameters
    ----------
    listeners, tellers : see :class:`Audience`

    Raises
    ------
    UsageError : another process uses the history
    ConfigError, OutboxError, PublishError : settings, the history or the embedded broker are unusable
    AudioError : the source could never be opened, or only a new process can open it again
    """
    audio = config.settings.audio
    open_source = source_opener(audio, assembly.model.card.sample_rate, stop)
    vitals = Vitals()
    with ExitStack() as stack:
        delivery = stack.enter_context(_delivery(config, assembly))
        audience = stack.enter_context(closing(Audience(listeners, tellers)))
        supervisor = _supervisor(assembly, delivery, vitals, audio.stall_s, audience)
        listening = Listening(
            open_source,
            _Streams(assembly, node_name(config), delivery.outbox.last_seq() + 1, vitals),
            (delivery, audience),
            vitals,
            stop,
            waits=audio.wait and audio.source == "microphone",
        )
        path = stack.enter_context(_audio_path(listening, stop))
        while path.is_alive() and not stop.wait(_CHECK_S):
            supervisor.check()
            delivery.catch_up()
            audience.check()
        path.check()
        supervisor.stopping()
        if not stop.is_set():
            delivery.finish(config.settings.mqtt.timeout_s, stop)


def source_opener(audio: Audio, rate: int, stop: threading.Event) -> Callable[[], LiveSource]:
    """What opens the configured source, each time anew.

    rate : Hz that ffmpeg delivers, the model's

    Raises
    ------
    ConfigError : neither the microphone, nor "-", nor a URL
    """
    limits = {"buffer_s": audio.buffer_s, "stall_s": audio.stall_s, "silence_s": audio.silence_s}
    if audio.source == "microphone":
        from monitor.sources.microphone import Microphone

        return lambda: Microphone(audio.device, **limits, stop=stop)
    if audio.source == "-":
        from monitor.sources.raw import RawInput

        return lambda: RawInput(
            _standard_input(),
            rate=audio.raw_rate,
            channels=audio.raw_channels,
            sample_format=audio.raw_format,
            **limits,
            stop=stop,
        )
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", audio.source):
        raise ConfigError(f"audio.source is {audio.source!r}: write microphone, - (standard input) or a URL")
    from monitor.sources.ffmpeg import FfmpegSource

    return lambda: FfmpegSource(audio.source, rate=rate, **limits, stop=stop)


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise AudioError("standard input is closed; pipe raw PCM into it")
    return sys.stdin.buffer


def end_what_was_cut_off(outbox: Outbox) -> None:
    """End the events that an earlier process left open when it was killed."""
    starts = outbox.open_starts()
    outbox.append_all(cut_off(start, seq) for seq, start in enumerate(starts, outbox.last_seq() + 1))
    if starts:
        log.warning("the last run was cut off; ended its open events: %s", ", ".join(s.label for s in starts))


def _supervisor(
    assembly: Assembly, delivery: _Delivery, vitals: Vitals, stall_s: float, audience: Audience
) -> Supervisor:
    watched = Watched(
        model=assembly.model.card.name,
        model_version=assembly.model.card.version,
        vitals=vitals,
        outbox=delivery.outbox,
        writer=delivery.writer,
        publisher=delivery.publisher,
        stall_s=stall_s,
    )
    return Supervisor(watched, Systemd(), audience.on_status)


class _Streams:
    """Makes what each stream needs, its records numbered on from ``first_seq``."""

    def __init__(self, assembly: Assembly, node: str, first_seq: int, vitals: Vitals) -> None:
        self._assembly = assembly
        self._node = node
        self._numbers = count(first_seq)
        self._new_id = random_ids()
        self._vitals = vitals

    def pipeline(self, source_rate: int) -> Pipeline:
        card, parts = self._assembly.model.card, self._assembly.new_parts()
        parts.classifier.invoke = self._timed(parts.classifier.invoke)
        return Pipeline(parts, source_rate=source_rate, rate=card.sample_rate, hop=card.hop)

    def recorder(self, clock: LiveClock) -> Recorder:
        return self._assembly.recorder(
            node=self._node, clock=clock, numbers=self._numbers, new_id=self._new_id
        )

    def _timed(self, invoke: Invoke) -> Invoke:
        def timed(window: Scores) -> Scores:
            began = time.perf_counter()
            outputs = invoke(window)
            self._vitals.on_inference(time.perf_counter() - began)
            return outputs

        return timed


@dataclass(frozen=True)
class _Delivery(Listener):
    """To the disk, and from there to the broker; publisher, announcer : None when nothing is published."""

    outbox: Outbox
    writer: EventWriter
    publisher: MqttPublisher | None = None
    announcer: Announcer | None = None

    def on_hop(self, file: str, hop: HopResult) -> None:
        if self.announcer is not None:
            self.announcer.on_hop(file, hop)

    def on_record(self, record: EventRecord) -> None:
        if self.announcer is not None:
            self.announcer.on_record(record)
        self.writer.put(record)

    def catch_up(self) -> None:
        if self.announcer is not None:
            self.announcer.catch_up()

    def finish(self, timeout_s: float, stop: threading.Event) -> None:
        """Wait until all is acknowledged, until ``stop`` is set, or for ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        self.writer.flush(timeout_s)
        while self.publisher is not None and not self.publisher.wait_delivered(_CHECK_S):
            if stop.is_set() or time.monotonic() > deadline:
                waiting, why = self.outbox.pending_count(), self.publisher.last_error or "mqtt: no answer"
                log.warning("%d records wait in the history for the broker (%s)", waiting, why)
                return


@contextmanager
def _delivery(config: Config, assembly: Assembly) -> Iterator[_Delivery]:
    """Open the history and the way to the broker; at the end write, send and say goodbye."""
    mqtt, path = config.settings.mqtt, config.settings.history_path
    with ExitStack() as stack:
        stack.enter_context(ProcessLock(path))
        outbox = stack.enter_context(closing(Outbox(path)))
        end_what_was_cut_off(outbox)
        if not mqtt.enabled:
            yield _Delivery(outbox, stack.enter_context(closing(EventWriter(outbox))))
            return
        connect = connector(broker_settings(config, client_id(config)))
        names = topics(config, node_name(config), assembly.event_labels)
        stack.enter_context(embedded_broker(config))
        retained = Retained(discovery=announcement(config, names))
        publisher = stack.enter_context(closing(MqttPublisher(connect, names, outbox, retained)))
        announcer = Announcer(publisher, mqtt.level_interval_s)
        told = (announcer.on_committed, publisher.on_recorded)
        writer = stack.enter_context(closing(EventWriter(outbox, told)))
        publisher.start()
        yield _Delivery(outbox, writer, publisher, announcer)


class _AudioPath(threading.Thread):
    """A thread that keeps what it raised."""

    def __init__(self, listening: Listening) -> None:
        super().__init__(name="audio", daemon=True)
        self._listening = listening
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._listening.run()
        except BaseException as error:
            self._error = error

    def check(self) -> None:
        """Raise what ended it."""
        if self._error is not None:
            raise self._error


@contextmanager
def _audio_path(listening: Listening, stop: threading.Event) -> Iterator[_AudioPath]:
    path = _AudioPath(listening)
    path.start()
    try:
        yield path
    finally:
        stop.set()
        path.join(_JOIN_S)
        if path.is_alive():
            log.error("the audio path hangs and is left behind; its open events end at the next start")
