"""The audio path of a live monitor: one source after another, each a separate stream.

It runs in its own thread. Nothing between the ring buffer and an event waits for disk, network
or viewers: results are passed to listeners, which queue them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, Protocol

from monitor.clock import LiveClock
from monitor.delivery.repeats import Repeats
from monitor.errors import AudioError
from monitor.health.liveness import Backoff
from monitor.health.vitals import SourceState, Vitals
from monitor.level.minutes import Minute
from monitor.listeners import Listener, Listeners
from monitor.pipeline import Pipeline
from monitor.records import AudioBlock, Decision, HopResult
from monitor.sources.base import DriverStuck, LiveSource, SourceLost, SourceSilent, SourceUnusable
from monitor.sources.channels import ChannelCheck
from monitor.stream.assembly import Assembly
from monitor.stream.noise import MinuteRecorder
from monitor.stream.orders import AskOrders, Orders
from monitor.stream.recorder import Recorder

log = logging.getLogger(__name__)

Waits = Literal["no", "at first", "always"]

_RETRY_FIRST_S = 1.0
_RETRY_CAP_S = 10.0
"""Longest interval between attempts to open, so that a microphone is used soon after it is plugged in."""
_STABLE_S = 10.0
"""After a source has delivered audio for this long, the next attempt to open follows immediately."""
_STUCK_S = 60.0
"""How long to retry a stuck driver before giving up; the sound server may recover meanwhile."""
_LOG_EVERY = 20
"""Consecutive failures between log entries."""
_OFF_POLL_S = 0.1
"""Interval at which an order to listen again is checked while off."""
_CHANNELS_S = 30.0
"""Length of a stream after which its channels are judged."""
_STEP_S = 1.0
"""Longest sleep between two updates of the heartbeat."""


class Streams(Protocol):
    """Creates the parts of each new stream."""

    def pipeline(self, source_rate: int, clock: LiveClock, assembly: Assembly) -> Pipeline: ...

    def recorder(self, source_rate: int, clock: LiveClock, assembly: Assembly) -> Recorder: ...


class Listening:
    """Listens until ``stop`` is set or the source ends by itself (standard input).

    Parameters
    ----------
    open_source
        Opens the source; raises AudioError if it is unavailable.
    listeners
        Called in this thread; they must not block.
    vitals
        Figures of the audio path; written only here.
    waits
        Which sources to wait for: ``"no"``: none that cannot be opened at the start; ``"at first"``: those
        too; ``"always"``: also those that cannot deliver audio, since one of several ends nothing.
    orders
        What to listen for, and whether to listen at all.
    closes
        Whether to close the source while listening is off; standard input cannot be reopened.
    """

    def __init__(
        self,
        open_source: Callable[[], LiveSource],
        streams: Streams,
        listeners: Sequence[Listener],
        vitals: Vitals,
        stop: threading.Event,
        *,
        waits: Waits,
        orders: AskOrders,
        closes: bool = True,
    ) -> None:
        self._orders = orders
        self._closes = closes
        self._open_source = open_source
        self._streams = streams
        self._listeners = Listeners(listeners)
        self._vitals = vitals
        self._stop = stop
        self._waits = waits
        self._opened = False
        self._heard = False
        self._closed_at = 0.0
        self._silent = False
        self._failures = 0
        self._logged = ""

    def run(self) -> None:
        """Run the audio path.

        Raises
        ------
        AudioError
            The source could never be opened, or can never deliver audio.
        DriverStuck
            The source could not be reopened for a minute.
        """
        backoff = Backoff(first_s=_RETRY_FIRST_S, cap_s=_RETRY_CAP_S)
        while not self._stop.is_set():
            began = time.monotonic()
            self._vitals.beat()
            try:
                self._wait_while_off()
                if self._stop.is_set() or self._listen():
                    return
                backoff.reset()
                continue
            except SourceSilent:
                backoff.reset()  # opening succeeded, though slowly
            except SourceLost:
                pass  # already reported
            except AudioError as error:
                if self._gives_up(error):
                    raise
                self._lose(error)
            now = time.monotonic()
            if now - began > _STABLE_S:
                backoff.reset()
            self._sleep_until(began + backoff.next_s())

    def _gives_up(self, error: AudioError) -> bool:
        if self._waits == "always":
            return False
        if not self._opened:
            return self._waits == "no"
        if isinstance(error, SourceUnusable):
            return not self._heard
        return isinstance(error, DriverStuck) and time.monotonic() - self._closed_at > _STUCK_S

    def _wait_while_off(self) -> None:
        """Wait, with the source closed, while listening is off."""
        while self._closes and (off := self._orders().off) and not self._stop.is_set():
            self._switch_off(off)
            self._vitals.beat()
            self._stop.wait(_OFF_POLL_S)

    def _switch_off(self, reason: str) -> None:
        if self._vitals.source != SourceState("off", reason):
            log.info("%snot listening: %s", self._vitals.prefix, reason)
            self._vitals.source = SourceState("off", reason)
            self._listeners.on_off()

    def _listen(self) -> bool:
        """Process one source until it ends or is lost; return False if it was closed by order."""
        source = self._open_source()
        self._opened = True
        stream = _Stream(source, self._streams, self._vitals, self._orders())
        try:
            for block in source.blocks():
                orders = self._orders()
                self._tell(stream.follow(orders), stream.recorder)
                if orders.off is not None:
                    self._switch_off(orders.off)
                    stream.recorder.close()
                    if self._closes:
                        return False
                    self._vitals.beat()
                    continue
                for hop in stream.push(block):
                    self._hear(source, block)
                    self._tell_hop(source.name, hop, stream)
            if not self._stop.is_set() and self._orders().off is None:
                for hop in stream.pipeline.flush():
                    self._tell_hop(source.name, hop, stream)
            self._tell(stream.pipeline.close("stopped"), stream.recorder)
            return True
        except SourceLost as lost:
            self._silent = isinstance(lost, SourceSilent)
            self._lose(lost, f"{source.name}: ")  # reported before closing the source, which may take time
            self._tell(stream.pipeline.close("source_lost"), stream.recorder)
            raise
        finally:
            stream.recorder.close()
            self._tell_minutes(stream.minutes.close(stream.pipeline.last_readings()))
            self._closed_at = time.monotonic()
            source.close()

    def _hear(self, source: LiveSource, block: AudioBlock) -> None:
        # A microphone that was lost because of zeros does not count as recovered while it delivers zeros.
        if self._vitals.source.state != "listening" and (not self._silent or block.samples.any()):
            log.info("%s%s: listening at %d Hz", self._vitals.prefix, source.name, source.rate)
            self._silent, self._heard = False, True
            self._failures, self._logged = 0, ""
            self._vitals.source = SourceState("listening")

    def _tell_hop(self, name: str, hop: HopResult, stream: _Stream) -> None:
        stream.recorder.on_hop(hop)
        self._listeners.on_hop(name, hop)
        self._tell(hop.decisions, stream.recorder)
        self._tell_minutes(stream.minutes.push(hop.readings))

    def _tell_minutes(self, minutes: Iterable[Minute]) -> None:
        for minute in minutes:
            self._listeners.on_minute(minute)

    def _tell(self, decisions: Iterable[Decision], recorder: Recorder) -> None:
        for decision in decisions:
            self._listeners.on_record(recorder.record(decision))

    def _lose(self, error: AudioError, where: str = "") -> None:
        """Report that there is no audio: the first reason is the cause, later ones say why it persists."""
        reason = str(error)
        if self._vitals.source.state != "lost":
            self._vitals.source = SourceState("lost", reason)
        self._failures += 1
        if (reason != self._logged and self._failures <= 2) or self._failures % _LOG_EVERY == 0:
            log.warning("%s%s%s; waiting for it", self._vitals.prefix, where, reason)
        self._logged = reason

    def _sleep_until(self, moment: float) -> None:
        while (left_s := moment - time.monotonic()) > 0 and not self._stop.wait(min(left_s, _STEP_S)):
            self._vitals.beat()


class _Stream:
    """One opened source connected to its pipeline, with its statistics."""

    def __init__(self, source: LiveSource, streams: Streams, vitals: Vitals, orders: Orders) -> None:
        self._clock = LiveClock(source.rate)
        self.pipeline = streams.pipeline(source.rate, self._clock, orders.assembly)
        self._orders, self._assembly = orders, orders.assembly
        self.recorder = streams.recorder(source.rate, self._clock, orders.assembly)
        self.minutes = MinuteRecorder(source.rate, self._clock, orders.assembly.offset_db)
        self._source = source
        self._vitals = vitals
        self._dropped_before_s = vitals.dropped_s
        self._overflows = Repeats(every=100)
        self._overflows_seen = 0
        self._overflows_before = vitals.overflows
        self._channels: ChannelCheck | None = ChannelCheck()

    def follow(self, orders: Orders) -> tuple[Decision, ...]:
        """Apply changed orders and return the events that end because of them."""
        before, self._orders = self._orders, orders
        if orders is before:
            return ()
        if orders.off is not None:
            return self.pipeline.close("stopped")
        wanted = orders.assembly
        if wanted is self._assembly:
            return ()
        self._assembly = wanted
        return self.pipeline.configure(
            wanted.tracked,
            loud=wanted.loud,
            disabled=wanted.disabled,
            heads=wanted.heads,
            rejects=wanted.rejects,
        )

    def push(self, block: AudioBlock) -> Iterator[HopResult]:
        source, vitals = self._source, self._vitals
        self._clock.observe(block)
        self._judge_channels(block)
        end_s = (block.position + len(block.samples)) / source.rate
        origin = (time.monotonic() if block.arrived is None else block.arrived) - end_s
        self.recorder.push(block)
        for hop in self.pipeline.push(block):
            vitals.on_hop(time.monotonic() - origin - hop.time_s)
            yield hop
        vitals.dropped_s = self._dropped_before_s + source.dropped / source.rate
        if source.overflows > self._overflows_seen:
            self._overflows_seen = source.overflows
            vitals.overflows = self._overflows_before + source.overflows
            if self._overflows.due("overflow"):
                lost = f"{vitals.prefix}{source.name}"
                log.warning("%s: the driver lost audio (%d times)", lost, source.overflows)

    def _judge_channels(self, block: AudioBlock) -> None:
        """Report once what is odd about the channels."""
        channels = self._channels
        if channels is None:
            return
        channels.push(block.samples)
        if block.position > _CHANNELS_S * self._source.rate:
            for finding in channels.findings():
                log.warning("%s%s: %s", self._vitals.prefix, self._source.name, finding)
            self._channels = None
