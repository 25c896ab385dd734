"""``run`` with its page: what is heard is served, and what is set on the page holds."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import soundfile
from mosquitto import PATIENCE_S, free_port
from running import STREET, Monitor


@contextmanager
def pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    out, into = os.pipe()
    with open(out, "rb") as reading, open(into, "wb") as writing:
        yield reading, writing


def ask(url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=20) as answer:
        return json.loads(answer.read())


def wait(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_run_hears_is_on_its_page_and_a_threshold_set_there_is_kept(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    settings = (
        "audio.source='-'",
        "mqtt.enabled=false",
        "web.enabled=true",
        "web.write=true",
        f"web.port={port}",
    )
    samples, _ = soundfile.read(STREET, dtype="int16", stop=12 * 16000)
    with pipe() as (out, into), Monitor(tmp_path, *settings, stdin=out, options=("--json",)) as monitor:
        monitor.wait_said("page at")
        into.write(samples.tobytes())
        into.flush()
        monitor.wait_printed('"label": "siren"')
        assert ask(f"{url}/facts")["status"]["microphone"] == "listening"
        (event,) = [one for one in ask(f"{url}/events")["events"] if one["label"] == "siren"]
        assert event["type"] == "start"
        key = "classes.siren.threshold"
        assert ask(f"{url}/settings", {"key": key, "value": 0.9})["classes"]["siren"]["enter"] == 0.9
        into.close()
        assert monitor.wait_end() == 0
    with pipe() as (out, _), Monitor(tmp_path, *settings, stdin=out) as again:
        again.wait_said("page at")
        facts = ask(f"{url}/facts")
        assert (facts["classes"]["siren"]["enter"], facts["changed"]) == (0.9, [key])
        found = ask(f"{url}/events/{event['event_id']}")
        assert found["event"]["reason"] is not None
        assert found["picture"] is not None


def test_an_open_page_without_a_password_is_refused_in_one_line(tmp_path: Path) -> None:
    with Monitor(tmp_path, "web.enabled=true", "web.host=0.0.0.0", "mqtt.enabled=false") as monitor:
        assert monitor.wait_end() == 2
    assert "open to everybody; set web.password" in monitor.said[-1]
