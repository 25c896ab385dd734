"""The ``run`` command: the only module that constructs its components and wires them together.

Threads and the buffers between them (every loss is counted):

- PortAudio's thread, or the reader of a pipe → ring buffer (``audio.buffer_s``; drops the oldest audio)
- *audio*: ring buffer → events, see :mod:`monitor.stream.listening`; never waits for the threads below
- *event-writer*: queue of 1000 records → SQLite; when full, rejects the newest
- *noise*: queue of 60 minutes of levels → SQLite, then the noise topic; when full, drops the newest
- *clips*: queue of 20 complete recordings → files; when full, drops the newest
- *housekeeping*: deletes what is beyond the bounds of the history
- *mqtt*: outbox rows and retained topics → broker, with up to 20 messages in flight
- *audience*: queue of 1000 → terminal or pipe, and for the page → disk, viewers' queues; when full, skips
- *page*: the server's event loop; a viewer that does not read loses messages
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
from itertools import count
from typing import BinaryIO

from monitor.clock import LiveClock, parse_utc
from monitor.config.load import Config
from monitor.config.notices import configure_notices, local_time, make_notices
from monitor.config.sections import Audio
from monitor.control.control import Control
from monitor.control.store import SettingsStore, settings_path
from monitor.delivery.store.outbox import Outbox
from monitor.errors import AudioError, ConfigError, OutboxError
from monitor.events.notices import Notices
from monitor.health.systemd import Systemd
from monitor.health.vitals import Vitals
from monitor.listeners import Listener
from monitor.pipeline import Pipeline
from monitor.service.audience import Audience
from monitor.service.clips import Clips, open_clips
from monitor.service.delivery import Delivery, DeliveryOptions, open_delivery
from monitor.service.presence import page_address
from monitor.service.publishing import client_id
from monitor.service.push import open_push
from monitor.service.supervisor import Supervisor, Watched
from monitor.sources.base import LiveSource
from monitor.stream.assembly import Assembly, node_name
from monitor.stream.listening import Listening
from monitor.stream.recorder import Recorder, random_ids

log = logging.getLogger(__name__)

_CHECK_S = 0.25
_REMEMBERED_S, _REMEMBERED = 86400.0, 10000
"""How much history counts towards the notice limits, in seconds and in records."""
_JOIN_S = 5.0
"""Seconds allowed for the audio path to end its events and release its source after a stop request."""


def run(
    config: Config,
    assembly: Assembly,
    stop: threading.Event,
    listeners: Sequence[Listener] = (),
    status_sinks: Sequence[Callable[[str], None]] = (),
) -> None:
    """Listen, store events and publish them until ``stop`` is set or standard input ends.

    Parameters
    ----------
    stop : threading.Event
        Ends the run when set.
    listeners, status_sinks : sequence
        Passed to :class:`Audience`.

    Raises
    ------
    UsageError
        Another process is using the history.
    ConfigError, OutboxError, PublishError
        The settings, the history or the embedded broker are unusable.
    AudioError
        The source could never be opened, or can only be reopened by a new process.
    """
    audio = config.settings.audio
    vitals = Vitals()
    with ExitStack() as stack:
        control = Control(config, assembly, SettingsStore(settings_path(config.settings.history_path)))
        delivery = stack.enter_context(open_delivery(config, assembly, _delivery_options(config), control))
        notices = _notices(assembly, delivery.outbox)
        control.follow(lambda state: configure_notices(notices, state.assembly.notices))
        audience = stack.enter_context(closing(Audience(listeners, status_sinks)))
        clips = stack.enter_context(open_clips(config, assembly))
        supervisor = _supervisor(config, assembly, delivery, vitals, audience, clips)
        page = stack.enter_context(_page(config, control, assembly, delivery, supervisor, clips))
        listening = Listening(
            source_opener(audio, assembly.model.card.sample_rate, stop),
            _Streams(node_name(config), delivery.next_seq, vitals, notices, clips),
            (delivery, audience, *page, *stack.enter_context(open_push(config))),
            vitals,
            stop,
            waits=audio.wait and audio.source == "microphone",
            orders=lambda: control.state.orders,
            closes=audio.source != "-",
        )
        path = stack.enter_context(_audio_path(listening, stop))
        while path.is_alive() and not stop.wait(_CHECK_S):
            control.tick()
            supervisor.check()
            delivery.catch_up()
            audience.check()
            for follower in page:
                follower.check()
        path.check()
        supervisor.stopping()
        if not stop.is_set():
            delivery.finish(config.settings.mqtt.timeout_s, stop)


def _notices(assembly: Assembly, outbox: Outbox) -> Notices:
    """Build the notice rules, primed with the last day's records so that a restart repeats no notice."""
    notices = make_notices(assembly.notices, local_time)
    try:
        now = time.time()
        stored = outbox.query(since=now - _REMEMBERED_S, until=now, limit=_REMEMBERED)
    except OutboxError as error:
        log.warning("%s; the limits on notices start anew", error)
        stored = []
    for record in (event.record for event in reversed(stored)):
        notices.remember(record, parse_utc(record.start))
    return notices


@contextmanager
def _page(
    config: Config,
    control: Control,
    assembly: Assembly,
    delivery: Delivery,
    supervisor: Supervisor,
    clips: Clips | None,
) -> Iterator[tuple[Audience, ...]]:
    """Serve the page if it is enabled; its stream listeners get a queue of their own."""
    if not config.settings.web.enabled:
        yield ()
        return
    from monitor.service.page import open_page
    from monitor.web.facts import Status

    def status() -> Status:
        return Status(supervisor.health, delivery.connected, supervisor.trouble)

    with (
        open_page(config, assembly, delivery, status, node_name(config), control, clips) as followers,
        closing(Audience(followers)) as audience,
    ):
        yield (audience,)


def source_opener(audio: Audio, rate: int, stop: threading.Event) -> Callable[[], LiveSource]:
    """Return a function that opens the configured source afresh on each call.

    Parameters
    ----------
    rate : int
        Sample rate of the model, Hz. ffmpeg delivers exactly this rate, a microphone at least
        this rate if it can.

    Raises
    ------
    ConfigError
        The source is not the microphone, "-" or a URL.
    """
    limits = {"buffer_s": audio.buffer_s, "stall_s": audio.stall_s, "silence_s": audio.silence_s}
    if audio.source == "microphone":
        from monitor.sources.microphone import Microphone

        return lambda: Microphone(audio.device, model_rate=rate, **limits, stop=stop)
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


def _delivery_options(config: Config) -> DeliveryOptions:
    settings = config.settings
    return DeliveryOptions(
        node=node_name(config),
        client_id=client_id(config),
        history=settings.history_path,
        mqtt=settings.mqtt.enabled,
        states=True,
        live=True,
    )


def _supervisor(
    config: Config,
    assembly: Assembly,
    delivery: Delivery,
    vitals: Vitals,
    audience: Audience,
    clips: Clips | None,
) -> Supervisor:
    watched = Watched(
        model=assembly.model.card.name,
        model_version=assembly.model.card.version,
        vitals=vitals,
        outbox=delivery.outbox,
        writer=delivery.writer,
        publisher=delivery.publisher,
        stall_s=config.settings.audio.stall_s,
        page=page_address(config),
        workers=delivery.workers,
        clips=None if clips is None else clips.writer,
    )
    return Supervisor(watched, Systemd(), audience.on_status)


class _Streams:
    """Creates the pipeline and recorder of each stream, numbering records from ``first_seq`` onwards."""

    def __init__(
        self, node: str, first_seq: int, vitals: Vitals, notices: Notices, clips: Clips | None
    ) -> None:
        self._clips = clips
        self._notices = notices
        self._node = node
        self._numbers = count(first_seq)
        self._new_id = random_ids()
        self._vitals = vitals

    def pipeline(self, source_rate: int, clock: LiveClock, assembly: Assembly) -> Pipeline:
        return assembly.new_pipeline(source_rate, clock, self._vitals.on_inference)

    def recorder(self, source_rate: int, clock: LiveClock, assembly: Assembly) -> Recorder:
        return assembly.recorder(
            node=self._node,
            clock=clock,
            numbers=self._numbers,
            new_id=self._new_id,
            notices=self._notices,
            clips=None if self._clips is None else self._clips.of_stream(source_rate),
        )


class _AudioPath(threading.Thread):
    """The audio thread; keeps the exception that ended it."""

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
        """Raise the exception that ended the thread, if any."""
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
