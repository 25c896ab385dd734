"""Pushes notices through Apprise, for example to a phone or a mailbox, without Home Assistant.

Nothing here makes the audio path wait: when the queue is full, the oldest notice is dropped and counted.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from string import Template

from monitor.config.load import Config
from monitor.errors import ConfigError
from monitor.listeners import Listener
from monitor.records import EventRecord

log = logging.getLogger(__name__)

Send = Callable[[str, str], bool]
"""Sends a title and a body; returns whether every service accepted them. May block, must not raise."""

_QUEUE = 20
_ATTEMPTS = 4
_FIRST_PAUSE_S = 5.0
_CLOSE_S = 5.0
FIELDS = ("label", "node", "start", "level_dbfs", "over_background_db", "duration_s", "score")
"""Fields available in templates, for example ``$label``."""


@contextmanager
def open_push(config: Config) -> Iterator[tuple[Listener, ...]]:
    """Push notices if the configuration lists any push URLs; yield what must follow the stream."""
    push = config.settings.notices.push
    if not push.urls:
        yield ()
        return
    send = apprise_sender(push.urls, config.where("notices", "push", "urls"))
    with closing(Push(send, push.title, push.body)) as pushing:
        yield (pushing,)


def apprise_sender(urls: Sequence[str], where: str) -> Send:
    """Return a function that sends messages through these services.

    Parameters
    ----------
    urls : sequence of str
        Apprise URLs; they contain secrets and are never logged.
    where : str
        Location in the configuration, for error messages.

    Raises
    ------
    ConfigError
        Apprise is missing, or a URL does not belong to any of its services.
    """
    try:
        import apprise
    except ImportError as error:
        raise ConfigError(f"{where}: needs apprise; pip install apprise") from error
    # Apprise logs addresses; failures are reported here instead.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    services = apprise.Apprise()
    for number, url in enumerate(urls, 1):
        if not services.add(url):
            scheme = url.partition(":")[0]
            raise ConfigError(f"{where}: number {number} ({scheme}://…) is no address that Apprise knows")
    return lambda title, body: bool(services.notify(body=body, title=title))


class Push(Listener):
    """Sends a message for each record with ``notify`` set, from its own thread.

    Parameters
    ----------
    send : callable
        Sends one message.
    title, body : str
        Templates; see :data:`FIELDS`.
    pause_s : float
        Pause before the second attempt, seconds; each further pause is three times as long.
    """

    def __init__(self, send: Send, title: str, body: str, pause_s: float = _FIRST_PAUSE_S) -> None:
        self._send = send
        self._templates = (Template(title), Template(body))
        self._pause_s = pause_s
        self._queue: deque[tuple[str, str]] = deque()
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self.lost = 0
        """Number of notices given up because every attempt failed or too many were queued."""
        self._thread = threading.Thread(target=self._run, name="push", daemon=True)
        self._thread.start()

    def on_record(self, record: EventRecord) -> None:
        if not record.notify:
            return
        values = {name: getattr(record, name) for name in FIELDS}
        values["label"] = record.label.replace("_", " ")
        title, body = (template.safe_substitute(values) for template in self._templates)
        with self._changed:
            if len(self._queue) >= _QUEUE:
                self._queue.popleft()
                self._give_up("too many wait")
            self._queue.append((title, body))
            self._changed.notify()

    def close(self) -> None:
        """Try once to send each queued notice, within a few seconds."""
        self._closing.set()
        with self._changed:
            self._changed.notify()
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing.is_set())
                if not self._queue:
                    return
                title, body = self._queue.popleft()
            if not self._sent(title, body):
                self._give_up("the services do not take it")

    def _sent(self, title: str, body: str) -> bool:
        pause_s = self._pause_s
        for attempt in range(_ATTEMPTS):
            if self._send(title, body):
                return True
            if attempt < _ATTEMPTS - 1 and self._closing.wait(pause_s):
                return False
            pause_s *= 3
        return False

    def _give_up(self, why: str) -> None:
        self.lost += 1
        log.warning("push: a notice is given up (%s; %d so far)", why, self.lost)
