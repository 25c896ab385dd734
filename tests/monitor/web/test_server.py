"""The server as clients meet it: what it answers, what it refuses, and what a viewer that hangs costs."""

from __future__ import annotations

import csv
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from samples import ended, record
from serving import LABELS, PATIENCE_S, Served, served, wait_for
from websockets.exceptions import InvalidStatus

from monitor.errors import ConfigError
from monitor.history.notebook import Moment
from monitor.records import Near
from monitor.web.app import ENDPOINTS
from monitor.web.guard import COOKIE, Rules
from monitor.web.hub import QUEUE
from monitor.web.server import bind


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as server:
        yield server


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, write=True) as server:
        yield server


def fill(server: Served, count: int = 5) -> None:
    for number in range(count):
        at = f"2026-05-01T22:00:{number:02}.000Z"
        start = record(2 * number + 1, start=at, label=LABELS[number % 2])
        server.outbox.append_all([start, ended(2 * number + 2, start)])


def test_events_come_in_pages(reading: Served) -> None:
    fill(reading)
    status, first = reading.json("/api/events?limit=2")
    assert status == 200
    _, second = reading.json(f"/api/events?limit=2&after={first['next']}")
    assert [e["start"][17:19] for e in first["events"] + second["events"]] == ["04", "03", "02", "01"]
    _, sirens = reading.json("/api/events?label=siren")
    assert {event["label"] for event in sirens["events"]} == {"siren"}


def test_an_event_comes_with_its_picture(reading: Served) -> None:
    fill(reading, 1)
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    reading.backend.notebook.keep_moment(Moment("event-1", 11.5, 0.02, picture, None, "ear 1"))
    status, found = reading.json("/api/events/event-1")
    assert status == 200
    assert found["event"]["reason"] == "released"
    assert found["picture"]["bands"] == 4
    assert reading.json("/api/events/event-99")[0] == 404


def test_counts_precision_and_peaks(writing: Served) -> None:
    fill(writing)
    span = "since=1777593600&until=1777852800"
    assert writing.json(f"/api/counts?by=day&{span}")[1]["counts"] == [
        ["dog_bark", "2026-05-01", 2],
        ["siren", "2026-05-01", 3],
    ]
    assert writing.json("/api/precision?weeks=8")[1] == {"weeks": []}
    assert writing.json("/api/peaks?label=siren&days=7")[1] == {"peaks": []}


def test_exports_hold_all_events(reading: Served) -> None:
    fill(reading)
    status, headers, text = reading.ask("/api/export?format=csv")
    assert status == 200
    assert "attachment" in headers["content-disposition"]
    rows = list(csv.DictReader(text.decode().splitlines()))
    assert [row["label"] for row in rows] == ["siren", "dog_bark", "siren", "dog_bark", "siren"]
    everything = reading.json("/api/export?format=json&label=dog_bark")[1]
    assert len(everything) == 2
    assert reading.json("/api/export?format=json&since=4000000000")[1] == []


def test_a_verdict_is_stored_with_the_embedding_of_the_event(writing: Served) -> None:
    fill(writing, 1)
    embedding = np.full(4, 7, np.float32)
    writing.backend.notebook.keep_moment(Moment("event-1", 0.0, 0.02, None, embedding, "urban-sounds 0.1.0"))
    status, answer = writing.json("/api/verdicts", "POST", {"verdict": "false_alarm", "event_id": "event-1"})
    assert (status, answer) == (200, {"verdict": "false_alarm", "embedding": True})
    assert writing.json("/api/events/event-1")[1]["event"]["verdict"] == "false_alarm"
    assert [one.label for one in writing.backend.reader.marked("urban-sounds 0.1.0", 4)] == ["siren"]
    assert writing.json("/api/verdicts/event-1", "DELETE")[0] == 200
    assert writing.json("/api/events/event-1")[1]["event"]["verdict"] is None


def test_a_missed_sound_is_marked_with_the_embedding_of_now(writing: Served) -> None:
    writing.hop(1)
    status, answer = writing.json("/api/verdicts", "POST", {"verdict": "missed", "label": "bell"})
    assert (status, answer["embedding"]) == (200, True)
    (marked,) = writing.backend.reader.marked("ear 1", 4)
    assert (marked.label, marked.rows.tolist()) == ("bell", [[1.0] * 4])
    now = time.time()
    for span in ({"since": now - 3600}, {"since": now - 5, "until": now - 10}, {"until": now + 3600}):
        assert writing.json("/api/verdicts", "POST", {"verdict": "missed", "label": "bell", **span})[0] == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"verdict": "right"}, 422),
        ({"verdict": "right", "event_id": "event-1", "label": "siren"}, 422),
        ({"verdict": "missed"}, 422),
        ({"verdict": "wrong", "event_id": "event-1"}, 422),
        ({"verdict": "right", "event_id": "event-1", "x": 1}, 422),
        ({"verdict": "right", "event_id": "x" * 65}, 422),
        ({"verdict": "right", "event_id": "gone"}, 404),
        ([], 422),
        (b"{", 400),
        (b"[" * 60000, 400),
    ],
)
def test_a_body_that_says_nothing_is_refused_in_one_line(writing: Served, body: object, status: int) -> None:
    found, answer = writing.json("/api/verdicts", "POST", body)
    assert found == status
    assert "\n" not in answer["error"]


def test_a_setting_is_changed_or_refused_in_one_line(writing: Served) -> None:
    with writing.live() as live:
        for _ in range(2):
            live.recv(PATIENCE_S)
        key = "classes.siren.threshold"
        status, facts = writing.json("/api/settings", "POST", {"key": key, "value": 0.7})
        assert (status, facts["classes"]["siren"]["enter"], facts["changed"]) == (200, 0.7, [key])
        while (told := json.loads(live.recv(PATIENCE_S)))["type"] != "facts":
            pass
        assert told["facts"]["classes"]["siren"]["enter"] == 0.7
    status, answer = writing.json("/api/settings", "POST", {"key": "nothing", "value": True})
    assert (status, answer["error"]) == (422, "nothing: no such setting")


def test_without_write_nothing_can_be_changed(reading: Served) -> None:
    fill(reading, 1)
    for endpoint in ENDPOINTS:
        if endpoint.writes:
            path = endpoint.path.replace("{event_id}", "event-1").replace("{label}", "siren")
            status, answer = reading.json(path, endpoint.method, {})
            assert (status, answer["error"]) == (403, "this page may only read; set web.write: true")


@pytest.mark.parametrize(
    "path",
    [
        "/api/events?limit=501",
        "/api/events?limit=x",
        "/api/events?since=-1",
        "/api/events?since=nan",
        "/api/events?since=1e300",
        "/api/events?after=x",
        "/api/events?unknown=1",
        "/api/events?" + "&".join(["label=a"] * 65),
        "/api/counts?by=hour&since=0&until=9999999999",
        "/api/counts?by=year&since=0&until=1",
        "/api/precision?weeks=" + "9" * 5000,
        "/api/peaks?label=siren&days=1e9",
        "/api/peaks",
    ],
)
def test_parameters_out_of_range_are_refused_in_one_line(reading: Served, path: str) -> None:
    status, answer = reading.json(path)
    assert status == 422
    assert 0 < len(answer["error"]) < 300


def test_a_giant_address_is_refused(reading: Served) -> None:
    with socket.create_connection(("127.0.0.1", reading.port), PATIENCE_S) as raw:
        raw.sendall(b"GET /?" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 400 " in raw.recv(100)
    assert reading.ask("/healthz")[0] == 200


def test_a_giant_body_without_a_length_is_refused(writing: Served) -> None:
    with socket.create_connection(("127.0.0.1", writing.port), PATIENCE_S) as raw:
        head = "POST /api/verdicts HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        raw.sendall(head.encode())
        for _ in range(5):
            raw.sendall(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
        assert b" 413 " in raw.recv(100)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/%2e%2e/errors.py",
        "/..%2f..%2fetc/passwd",
        "/static/",
        "/x",
    ],
)
def test_nothing_outside_the_static_folder_is_served(reading: Served, path: str) -> None:
    assert reading.ask(path)[0] == 404


def test_a_foreign_host_is_refused(reading: Served) -> None:
    for path in ("/", "/api/events", "/static/app.css", "/healthz"):
        assert reading.ask(path, Host="evil.example")[0] == 403
    with pytest.raises(InvalidStatus):
        reading.live(Origin="http://evil.example")


def test_a_cross_origin_post_changes_nothing(writing: Served) -> None:
    fill(writing, 1)
    body = {"verdict": "right", "event_id": "event-1"}
    assert writing.json("/api/verdicts", "POST", body, Origin="http://evil.example")[0] == 403
    assert writing.json("/api/events/event-1")[1]["event"]["verdict"] is None


def test_every_answer_carries_the_security_headers(reading: Served) -> None:
    for path in ("/", "/api/events", "/nothing", "/healthz"):
        _, headers, _ = reading.ask(path)
        assert "'unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_the_password_is_asked_for_and_given_once(tmp_path: Path) -> None:
    with served(tmp_path, rules=Rules(password="correct horse")) as server:
        assert server.ask("/api/facts")[0] == 401
        status, _, page = server.ask("/", Accept="text/html")
        assert status == 401
        assert b"<form" in page
        assert server.ask("/login", "POST", b"password=wrong")[0] == 401
        status, headers, _ = server.ask("/login", "POST", b"password=correct+horse")
        assert status == 303
        cookie = headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "path=" not in cookie.lower()
        value = cookie.split(";")[0]
        assert server.ask("/api/facts", Cookie=value)[0] == 200
        assert server.ask("/api/facts", Cookie=f"{COOKIE}={'0' * 64}")[0] == 401
        with pytest.raises(InvalidStatus):
            server.live()
        with server.live(Cookie=value) as live:
            assert json.loads(live.recv(PATIENCE_S))["type"] == "hello"


def test_openapi_names_every_endpoint_and_its_parameters(reading: Served) -> None:
    _, document = reading.json("/api/openapi.json")
    described = {(m.upper(), path) for path, methods in document["paths"].items() for m in methods}
    assert described == {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}
    names = [p["name"] for p in document["paths"]["/api/events"]["get"]["parameters"]]
    assert names == ["since", "until", "label", "after", "limit"]


def test_healthz_says_why_nothing_is_heard_and_nothing_else_is_a_reason(reading: Served) -> None:
    assert reading.ask("/healthz")[::2] == (200, b"ok\n")
    (before,) = reading.status
    reading.status[0] = replace(before, connected=False)
    assert reading.ask("/healthz")[0] == 200
    reading.status[0] = replace(before, trouble="microphone: lost (no audio for 5 s)")
    assert reading.ask("/healthz")[::2] == (503, b"microphone: lost (no audio for 5 s)\n")


def test_heads_are_listed_taught_and_removed(writing: Served) -> None:
    body = {"kind": "sound", "label": "gate", "event_id": ["event-1"], "alarms_a_day": 0.5}
    status, made = writing.json("/api/heads", "POST", body)
    assert (status, made["name"]) == (200, "gate")
    assert writing.taught.asked == [("sound", "gate", ["event-1"])]
    assert [one["name"] for one in writing.json("/api/heads")[1]["heads"]] == ["gate"]
    assert writing.json("/api/heads/gate?newest=true", "DELETE")[0] == 200
    assert writing.json("/api/heads/gate", "DELETE")[0] == 404
    refused = writing.json("/api/heads", "POST", {**body, "label": "siren"})
    assert refused == (422, {"error": "the model has this label; choose another name"})


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "sound"},
        {"kind": "other", "label": "gate"},
        {"kind": "sound", "label": "x" * 101},
        {"kind": "sound", "label": "gate", "alarms_a_day": 0},
        {"kind": "sound", "label": "gate", "event_id": ["e"] * 51},
    ],
)
def test_teaching_that_makes_no_sense_is_refused(writing: Served, body: object) -> None:
    assert writing.json("/api/heads", "POST", body)[0] == 422
    assert writing.json("/api/heads/..%2F..%2Fetc", "DELETE")[0] in (404, 422)
    assert writing.taught.asked == []


def test_only_a_page_that_may_write_teaches(reading: Served) -> None:
    assert reading.json("/api/heads", "POST", {"kind": "reject", "label": "siren"})[0] == 403
    assert reading.json("/api/heads/gate", "DELETE")[0] == 403


def test_metrics_are_what_prometheus_reads(reading: Served) -> None:
    reading.hop(1, near=(Near("dog_bark", 0.4, "below_threshold", 0.38, 0.5),))
    reading.backend.hub.on_record(replace(record(1), held_back="quiet_hours"))
    _, headers, text = reading.ask("/metrics")
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    assert families["sound_monitor_info"].samples[0].labels["node"] == reading.backend.facts().node
    assert families["sound_monitor_microphone_listening"].samples[0].value == 1
    assert families["sound_monitor_level_dbfs"].samples[0].value == -40
    (events,) = families["sound_monitor_events"].samples
    assert (events.labels, events.value) == ({"label": "siren"}, 1)
    (active,) = families["sound_monitor_active"].samples
    assert (active.labels, active.value) == ({"label": "siren"}, 1)
    near = {tuple(one.labels.values()): one.value for one in families["sound_monitor_near"].samples}
    assert near == {("dog_bark", "below_threshold"): 1, ("siren", "quiet_hours"): 1}
    assert families["sound_monitor_healthy"].samples[0].value == 1
    assert "process_resident_memory_bytes" in families


def test_a_viewer_is_told_hops_and_events_as_they_come(reading: Served) -> None:
    with reading.live() as live:
        hello, status = (json.loads(live.recv(PATIENCE_S)) for _ in range(2))
        assert hello["facts"]["labels"] == list(LABELS)
        assert status["microphone"] == "listening"
        reading.hop(1)
        reading.backend.hub.on_record(record(1))
        told = [json.loads(live.recv(PATIENCE_S)) for _ in range(3)]
        kinds = [message["type"] for message in told if message["type"] != "status"][:2]
        assert kinds == ["hop", "event"]
    wait_for(lambda: reading.backend.hub.viewers == 0)


def test_the_status_comes_again_without_hops(reading: Served) -> None:
    with reading.live() as live:
        kinds = [json.loads(live.recv(PATIENCE_S))["type"] for _ in range(4)]
    assert kinds == ["hello", "status", "status", "status"]


def test_live_messages_are_not_compressed(reading: Served) -> None:
    """Deflating costs more of the processor than all else that a viewer costs."""
    with reading.live() as live:
        assert live.response is not None
        assert "Sec-WebSocket-Extensions" not in live.response.headers


def test_without_viewers_the_server_sleeps(reading: Served) -> None:
    with reading.live():
        pass
    wait_for(lambda: reading.backend.hub.viewers == 0)
    (thread,) = (one for one in threading.enumerate() if one.name == "page")

    def sleeps() -> bool:
        before = switches(thread)
        time.sleep(0.5)
        return switches(thread) - before <= 1

    wait_for(sleeps)


def switches(thread: threading.Thread) -> int:
    """How often a thread has gone to sleep so far."""
    lines = Path(f"/proc/self/task/{thread.native_id}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt"))


def stuck(port: int) -> socket.socket:
    """A viewer that connects and never reads."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(PATIENCE_S)
    raw.connect(("127.0.0.1", port))
    raw.sendall(
        b"GET /api/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert b" 101 " in raw.recv(200)
    return raw


def test_the_server_ends_while_a_viewer_leaves(tmp_path: Path) -> None:
    """A viewer's close frame may come at any moment of the server's end; a thread that raises fails this."""
    for number in range(10):
        with served(tmp_path / str(number)) as server, closing(stuck(server.port)) as raw:
            raw.sendall(b"\x88\x80\x00\x00\x00\x00")
            server.server.close()


def test_a_hundred_viewers_that_hang_cost_the_audio_path_and_the_other_viewers_nothing(
    reading: Served,
) -> None:
    hub = reading.backend.hub
    hanging = [stuck(reading.port) for _ in range(100)]
    took = []
    with reading.live() as live:
        newest = 0
        for number in range(1, 200):
            began = time.perf_counter()
            hub.on_hop("mic", reading.hop(number))
            took.append(time.perf_counter() - began)
            while newest < number:
                message = json.loads(live.recv(PATIENCE_S))
                newest = round(message["time_s"] / 0.25) if message["type"] == "hop" else newest
    assert hub.dropped > 100
    assert all(len(viewer._waiting) <= QUEUE for viewer in hub._viewers)
    assert sorted(took)[len(took) * 95 // 100] < 0.02
    for raw in hanging:
        raw.close()


def test_an_address_that_is_taken_is_one_line(reading: Served) -> None:
    with pytest.raises(ConfigError, match=r"web\.port: cannot serve the page at 127\.0\.0\.1"):
        bind("127.0.0.1", reading.port, "web.port")
