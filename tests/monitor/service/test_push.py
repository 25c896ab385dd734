"""Notices reach the services, and a service that is away costs nobody anything."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from typing import Any

import pytest
from samples import record

from monitor.errors import ConfigError
from monitor.service.push import Push, apprise_sender

PATIENCE_S = 20.0


class Services:
    """Refuses the first ``refusals`` messages; every attempt can be waited for."""

    def __init__(self, refusals: int = 0) -> None:
        self.attempts: Queue[tuple[str, str]] = Queue()
        self._left = refusals
        self.held = threading.Event()
        self.held.set()

    def __call__(self, title: str, body: str) -> bool:
        self.attempts.put((title, body))
        assert self.held.wait(PATIENCE_S)
        self._left -= 1
        return self._left < 0


def test_what_notifies_is_sent_and_nothing_else() -> None:
    services = Services()
    push = Push(services, "$label at $node", "$level_dbfs dBFS, $unknown")
    push.on_record(record(1, notify=False))
    push.on_record(record(2, label="dog_bark", notify=True))
    push.close()
    assert services.attempts.get(timeout=PATIENCE_S) == ("dog bark at balcony", "-23.4 dBFS, $unknown")
    assert services.attempts.empty()
    assert push.lost == 0


def test_a_refused_notice_is_tried_again_and_then_given_up() -> None:
    for refusals, lost in ((3, 0), (4, 1)):
        services = Services(refusals)
        push = Push(services, "t", "b", pause_s=0.001)
        push.on_record(record(1, notify=True))
        for _ in range(4):
            services.attempts.get(timeout=PATIENCE_S)
        push.close()
        assert push.lost == lost


def test_a_service_that_hangs_makes_nobody_wait_and_the_oldest_go() -> None:
    services = Services()
    services.held.clear()
    push = Push(services, "$score", "b")
    push.on_record(record(0, score=0.0, notify=True))
    assert services.attempts.get(timeout=PATIENCE_S) == ("0.0", "b")
    for number in range(1, 31):
        push.on_record(record(number, score=float(number), notify=True))
    assert push.lost == 10
    services.held.set()
    push.close()
    assert [services.attempts.get(timeout=PATIENCE_S)[0] for _ in range(20)] == [
        str(float(number)) for number in range(11, 31)
    ]


@pytest.fixture
def server() -> Iterator[tuple[int, Queue[dict[str, Any]]]]:
    received: Queue[dict[str, Any]] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield listening.server_port, received
        listening.shutdown()
        thread.join()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_apprise_takes_it_to_a_service(server: tuple[int, Queue[dict[str, Any]]]) -> None:
    port, received = server
    push = Push(apprise_sender([f"json://127.0.0.1:{port}/"], "notices.push.urls"), "$label", "$node")
    push.on_record(record(1, notify=True))
    push.close()
    message = received.get(timeout=PATIENCE_S)
    assert (message["title"], message["message"]) == ("siren", "balcony")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_address_that_is_none_is_named_without_its_secret() -> None:
    with pytest.raises(ConfigError, match=r"^here: number 1 \(nothing://…\) is no address") as refused:
        apprise_sender(["nothing://user:secret@host"], "here")
    assert "secret" not in str(refused.value)
