"""Replay recordings through the live path; each file is a stream of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from monitor.clips.stream import StreamClips
from monitor.clock import FileClock
from monitor.config.notices import local_time, make_notices, utc_time
from monitor.errors import AudioError
from monitor.level.minutes import Minute
from monitor.listeners import Listener, Listeners
from monitor.records import AudioBlock, Decision, HopResult
from monitor.sources.channels import ChannelCheck
from monitor.sources.files import FileSource, shown_path
from monitor.stream.assembly import Assembly
from monitor.stream.noise import MinuteRecorder
from monitor.stream.recorder import Recorder, counted_ids, random_ids

log = logging.getLogger(__name__)

_PACE_S = 0.05
"""Length of the blocks of a replay in real time, seconds."""


@dataclass(frozen=True)
class ReplayOptions:
    """How files are replayed.

    Parameters
    ----------
    start_utc : float or None
        Start of every file in seconds since 1970; None uses each file's own time, in real time the present.
    deterministic : bool
        Use counted ids, and time zero if no start is given, so that two replays give equal bytes.
    realtime : bool
        Replay in real time.
    first_seq : int
        Sequence number of the first record.
    clips : callable or None
        Returns what records the events of a stream, given the rate of its source; None records nothing.
    """

    node: str
    start_utc: float | None = None
    deterministic: bool = False
    realtime: bool = False
    first_seq: int = 1
    clips: Callable[[int], StreamClips] | None = None


class Replay:
    """Runs files one after another through new pipelines and passes the results to the listeners."""

    def __init__(
        self, assembly: Assembly, options: ReplayOptions, listeners: Sequence[Listener], stop: threading.Event
    ) -> None:
        self._assembly = assembly
        self._options = options
        self._listeners = Listeners(listeners)
        self._stop = stop
        self._numbers = count(options.first_seq)
        self._new_id = counted_ids() if options.deterministic else random_ids()
        # The same bytes in every time zone.
        self._notices = make_notices(assembly.notices, utc_time if options.deterministic else local_time)

    def run(self, files: Iterable[Path], report: Callable[[AudioError], None]) -> int:
        """Replay all files; report unreadable ones and continue.

        Returns
        -------
        int
            Number of unreadable files.
        """
        bad = 0
        for file in files:
            if self._stop.is_set():
                break
            try:
                self._replay_file(file)
            except AudioError as error:
                bad += 1
                report(error)
        return bad

    def _replay_file(self, file: Path) -> None:
        try:
            source = FileSource(file)
        except Exception as error:
            raise _as_audio_error(shown_path(file), error) from error
        try:
            self._replay_source(source, source.name)
        finally:
            source.close()

    def _replay_source(self, source: FileSource, name: str) -> None:
        clock = self._clock(source)
        pipeline = self._assembly.new_pipeline(source.rate, clock)
        recorder = self._recorder(source.rate, clock, name)
        minutes = MinuteRecorder(source.rate, clock, self._assembly.offset_db)
        self._listeners.on_file(name, source.duration_s)
        damage: AudioError | None = None
        channels = ChannelCheck()

        def hops() -> Iterator[HopResult]:
            nonlocal damage
            blocks = source.blocks()
            try:
                for block in paced(blocks, source.rate, self._stop) if self._options.realtime else blocks:
                    channels.push(block.samples)
                    recorder.push(block)
                    yield from pipeline.push(block)
                    if self._stop.is_set():
                        return
            except Exception as error:  # no failure of one file may keep the others from being heard
                damage = _as_audio_error(name, error)
            yield from pipeline.flush()

        for hop in hops():
            recorder.on_hop(hop)
            self._listeners.on_hop(name, hop)
            self._record(recorder, hop.decisions)
            self._tell_minutes(minutes.push(hop.readings))
        self._record(recorder, pipeline.close("stopped"))
        recorder.close()
        self._tell_minutes(minutes.close(pipeline.last_readings()))
        for finding in channels.findings():
            log.warning("%s: %s", name, finding)
        if damage is not None:
            raise damage

    def _recorder(self, source_rate: int, clock: FileClock, name: str) -> Recorder:
        return self._assembly.recorder(
            node=self._options.node,
            clock=clock,
            numbers=self._numbers,
            new_id=self._new_id,
            notices=self._notices,
            file=name,
            clips=self._options.clips and self._options.clips(source_rate),
        )

    def _clock(self, source: FileSource) -> FileClock:
        options = self._options
        if options.deterministic:
            return FileClock(options.start_utc or 0.0, "deterministic")
        own = time.time() if options.realtime else source.started_utc
        return FileClock(own if options.start_utc is None else options.start_utc)

    def _record(self, recorder: Recorder, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            self._listeners.on_record(recorder.record(decision))

    def _tell_minutes(self, minutes: Iterable[Minute]) -> None:
        for minute in minutes:
            self._listeners.on_minute(minute)


def _as_audio_error(name: str, error: Exception) -> AudioError:
    if isinstance(error, AudioError):
        return error
    log.debug("%s", name, exc_info=error)
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return AudioError(f"{name}: cannot be replayed to its end ({reason}); the other files are")


def paced(blocks: Iterable[AudioBlock], rate: int, stop: threading.Event) -> Iterator[AudioBlock]:
    """Yield the blocks in real time, in pieces of 50 ms."""
    began = time.monotonic()
    step = max(1, round(_PACE_S * rate))
    for block in blocks:
        for start in range(0, len(block.samples), step):
            piece = block.samples[start : start + step]
            end_s = (block.position + start + len(piece)) / rate
            if stop.wait(max(0.0, began + end_s - time.monotonic())):
                return
            yield AudioBlock(piece, block.position + start, time.monotonic())
