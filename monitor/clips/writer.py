"""Writes clips to the disk and keeps the folder within its limits, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections import deque

from monitor.clips.folder import ClipFolder
from monitor.clips.limits import ClipLimits
from monitor.clips.stream import MOST_SAMPLES, Clip
from monitor.delivery.repeats import Repeats
from monitor.errors import ClipError

log = logging.getLogger(__name__)

_CAPACITY = 20
_TIDY_S = 600.0
_CLOSE_S = 5.0


class ClipWriter:
    """A thread between the audio path and the folder.

    At most 20 clips are queued, and at most 64 MB. Live, a clip that finds the queue full or that the disk
    refuses is dropped and counted; the event is in the history all the same. In a replay the reader waits,
    and an error of the disk is raised to it.

    Parameters
    ----------
    wait : bool
        Use the replay policy instead of the live one.
    """

    def __init__(self, folder: ClipFolder, limits: ClipLimits, *, wait: bool = False) -> None:
        self._folder = folder
        self._limits = limits
        self._wait = wait
        self._queue: deque[Clip] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._failures = Repeats(every=100)
        self._error: ClipError | None = None
        self.dropped = 0
        """Number of clips that were not kept because the queue was full or the disk refused them."""
        self._thread = threading.Thread(target=self._run, name="clips", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def put(self, clip: Clip) -> None:
        """Queue a clip.

        Raises
        ------
        ClipError
            In a replay, if clips cannot be written.
        """
        with self._changed:
            if self._wait:
                self._changed.wait_for(lambda: self._has_room(clip))
                self._raise()
            if not self._has_room(clip):
                self._drop("the disk is too slow")
                return
            self._queue.append(clip)
            self._changed.notify_all()

    def close(self) -> None:
        """Write what is queued, live within a few seconds, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(None if self._wait else _CLOSE_S)
        if self._thread.is_alive():
            log.error("clips: the disk is too slow; %d clips are lost", len(self._queue))
        self._raise()

    def _raise(self) -> None:
        if self._wait and self._error is not None:
            raise self._error

    def _has_room(self, clip: Clip) -> bool:
        waiting = sum(one.end - one.start for one in self._queue)
        within = waiting + clip.end - clip.start <= 2 * MOST_SAMPLES
        return len(self._queue) < _CAPACITY and within

    def _drop(self, reason: str) -> None:
        self.dropped += 1
        if self._failures.due(reason):
            log.warning("clips: %s; a clip was not kept (%d so far)", reason, self.dropped)

    def _run(self) -> None:
        self._begin()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing, _TIDY_S)
                if not self._queue and self._closing:
                    return
                clip = self._queue[0] if self._queue else None
            if clip is not None:
                self._write(clip)
                with self._changed:
                    self._queue.popleft()
                    self._changed.notify_all()
            self._tidy()

    def _begin(self) -> None:
        try:
            self._folder.prepare()
        except ClipError as error:
            if self._failures.due(str(error)):
                log.warning("%s; no clips are kept", error)
        else:
            self._tidy()

    def _write(self, clip: Clip) -> None:
        try:
            self._folder.write(clip)
        except ClipError as error:
            self._error = error
            self._drop(str(error))
            return
        if self._failures.over():
            log.info("clips: written again")

    def _tidy(self) -> None:
        try:
            self._folder.tidy(self._limits)
        except ClipError as error:
            if self._failures.due(str(error)):
                log.warning("%s; old clips are not deleted", error)
