"""A node: one source and everything that is its own, from its history to its page.

Threads of a node, and the buffers between them (every loss is counted):

- PortAudio's thread, or the reader of a pipe → ring buffer (``audio.buffer_s``; drops the oldest audio)
- *audio*: ring buffer → events, see :mod:`monitor.stream.listening`; never waits for the threads below
- *event-writer*: queue of 1000 records → SQLite; when full, rejects the newest
- *noise*: queue of 60 minutes of levels → SQLite, then the noise topic; when full, drops the newest
- *clips*: queue of 20 complete recordings → files; when full, drops the newest
- *housekeeping*: deletes what is beyond the bounds of the history
- *mqtt*: outbox rows and retained topics → broker, with up to 20 messages in flight
- *audience* of the page: queue of 1000 → disk, viewers' queues; when full, skips
- *page*: the server's event loop; a viewer that does not read loses messages
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import count

from monitor.clock import LiveClock, parse_utc
from monitor.config.load import Config
from monitor.config.notices import configure_notices, local_time, make_notices
from monitor.control.control import Control
from monitor.control.store import SettingsStore, settings_path
from monitor.delivery.broker.embedded import Login
from monitor.delivery.store.outbox import Outbox
from monitor.delivery.topics import Topics
from monitor.errors import OutboxError
from monitor.events.notices import Notices
from monitor.health.vitals import Vitals
from monitor.listeners import Listener
from monitor.node.opening import source_opener
from monitor.pipeline import Pipeline
from monitor.service.audience import Audience
from monitor.service.clips import Clips, open_clips
from monitor.service.delivery import Delivery, DeliveryOptions, open_delivery
from monitor.service.presence import page_address
from monitor.service.publishing import client_id
from monitor.service.supervisor import Supervisor, Watched
from monitor.stream.assembly import Assembly, node_name
from monitor.stream.listening import Listening
from monitor.stream.recorder import Recorder, random_ids

log = logging.getLogger(__name__)

_REMEMBERED_S, _REMEMBERED = 86400.0, 10000
"""How much history counts towards the notice limits, in seconds and in records."""
_JOIN_S = 5.0
"""Seconds allowed for the audio path to end its events and release its source after a stop request."""


@dataclass(frozen=True)
class Node:
    """A running node.

    Attributes
    ----------
    name
        Its name in topics and records.
    supervisor
        Reports its state.
    """

    name: str
    supervisor: Supervisor
    _config: Config
    _control: Control
    _delivery: Delivery
    _followers: Sequence[Audience]
    _path: _AudioPath

    @property
    def login(self) -> Login | None:
        """The credentials at the embedded broker; None if there is none."""
        return self._delivery.login

    def ended(self) -> bool:
        """Return whether its source has ended by itself; raise the exception that ended it, if any."""
        ended = not self._path.is_alive()
        self._path.check()
        return ended

    def check(self) -> None:
        """Do what is due.

        Raises
        ------
        MonitorError
            The audio path hangs, or a thread ended.
        """
        self._control.tick()
        self.supervisor.check()
        self._delivery.catch_up()
        for follower in self._followers:
            follower.check()

    def finish(self, stop: threading.Event) -> None:
        """Wait until all records are acknowledged, for ``mqtt.timeout_s`` at most."""
        self._delivery.finish(self._config.settings.mqtt.timeout_s, stop)


@contextmanager
def open_node(
    config: Config,
    assembly: Assembly,
    listeners: Sequence[Listener],
    on_status: Callable[[str], None],
    stop: threading.Event,
    others: Sequence[Topics],
    login: Login | None,
) -> Iterator[Node]:
    """Listen, store events and publish them for the duration of the context.

    Parameters
    ----------
    listeners : sequence of Listener
        Follow this node beside its own; must not block.
    on_status : callable
        Called with a human-readable line when the microphone, history or broker status changes.
    stop : threading.Event
        Ends the audio path when set; it is set at the end of the context.
    others : sequence of Topics
        The other nodes of the process; one of several never ends it.
    login : Login or None
        The credentials at an embedded broker that another node runs.

    Raises
    ------
    UsageError
        Another process is using the history.
    ConfigError, OutboxError, PublishError
        The settings, the history or the embedded broker are unusable.
    """
    audio, name, alone = config.settings.audio, node_name(config), not others
    vitals = Vitals(name=None if alone else name)
    waits = audio.source.lower().startswith("wyoming:") or (audio.wait and audio.source == "microphone")
    with ExitStack() as stack:
        control = Control(config, assembly, SettingsStore(settings_path(config.settings.history_path)))
        options = _delivery_options(config, others, login)
        delivery = stack.enter_context(open_delivery(config, assembly, options, control))
        notices = _notices(assembly, delivery.outbox)
        control.follow(lambda state: configure_notices(notices, state.assembly.notices))
        clips = stack.enter_context(open_clips(config, assembly))
        watched = _watched(config, assembly, delivery, vitals, clips)
        supervisor = Supervisor(watched, on_status)
        page = stack.enter_context(_page(config, control, assembly, delivery, supervisor, clips))
        listening = Listening(
            source_opener(audio, assembly.model.card.sample_rate, stop, alone=alone),
            _Streams(name, delivery.next_seq, vitals, notices, clips),
            (delivery, *page, *listeners),
            vitals,
            stop,
            waits="always" if not alone else "at first" if waits else "no",
            orders=lambda: control.state.orders,
            closes=audio.source != "-",
        )
        path = stack.enter_context(_audio_path(listening, stop))
        yield Node(name, supervisor, config, control, delivery, page, path)


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
        closing(Audience(followers.listeners, together=followers.together)) as audience,
    ):
        yield (audience,)


def _delivery_options(config: Config, others: Sequence[Topics], login: Login | None) -> DeliveryOptions:
    settings = config.settings
    return DeliveryOptions(
        node=node_name(config),
        client_id=client_id(config),
        history=settings.history_path,
        mqtt=settings.mqtt.enabled,
        states=True,
        live=True,
        beside=tuple(others),
        login=login,
    )


def _watched(
    config: Config, assembly: Assembly, delivery: Delivery, vitals: Vitals, clips: Clips | None
) -> Watched:
    return Watched(
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
