"""Recordings of events as a browser's player asks for them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from samples import ended, record
from serving import Served, served

from monitor.clips.folder import ClipFolder
from monitor.clips.limits import ClipLimits
from monitor.web.clip import _ClipResponse
from monitor.web.guard import Rules

NAME = "2026-05-01/220000Z-siren-event1.flac"
SOUND = bytes(range(256)) * 40


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, clips=ClipFolder(tmp_path / "clips")) as server:
        keep(tmp_path / "clips" / NAME)
        for number, clip in enumerate((NAME, None, "../history.db", "2026-05-01/220000Z-siren-gone.flac")):
            start = record(2 * number + 1, clip=clip)
            server.outbox.append_all([start, ended(2 * number + 2, start)])
        yield server


def keep(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(SOUND)


def test_a_recording_is_sent_whole_uncompressed_and_as_flac(server: Served) -> None:
    status, headers, body = server.ask("/api/events/event-1/clip", accept_encoding="gzip")
    assert (status, body) == (200, SOUND)
    assert headers["content-type"] == "audio/flac"
    assert headers["accept-ranges"] == "bytes"
    assert "content-encoding" not in headers
    assert headers["content-disposition"].startswith("inline")
    assert "media-src 'self'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("wanted", "part"),
    [("bytes=0-", SOUND), ("bytes=100-199", SOUND[100:200]), ("bytes=-50", SOUND[-50:])],
)
def test_a_player_may_seek(server: Served, wanted: str, part: bytes) -> None:
    status, headers, body = server.ask("/api/events/event-1/clip", range=wanted, accept_encoding="gzip")
    assert (status, body) == (206, part)
    assert headers["content-range"].endswith(f"/{len(SOUND)}")


def test_a_range_beyond_the_end_is_refused(server: Served) -> None:
    assert server.ask("/api/events/event-1/clip", range="bytes=99999-")[0] == 416


def test_an_event_says_whether_there_is_a_recording(server: Served) -> None:
    has = [server.json(f"/api/events/event-{number}")[1]["clip"] for number in (1, 3, 5, 7)]
    assert has == [True, False, False, False]


@pytest.mark.parametrize("event", ["event-3", "event-5", "event-7", "none", "..%2f..%2fhistory.db", "%2e%2e"])
def test_nothing_but_the_recording_of_an_event_is_served(server: Served, event: str) -> None:
    status, answer = server.json(f"/api/events/{event}/clip")
    assert status == 404
    assert set(answer) == {"error"}


def test_a_recording_needs_the_password(tmp_path: Path) -> None:
    with served(tmp_path, rules=Rules(password="secret"), clips=ClipFolder(tmp_path / "clips")) as server:
        keep(tmp_path / "clips" / NAME)
        start = record(1, clip=NAME)
        server.outbox.append_all([start])
        assert server.ask("/api/events/event-1/clip")[0] == 401
        assert server.ask("/api/events/event-1/clip", authorization="Bearer secret")[0] == 200


def test_without_clips_there_are_none(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        server.outbox.append_all([replace(record(1), clip=NAME)])
        assert server.json("/api/events/event-1")[1]["clip"] is False
        assert server.ask("/api/events/event-1/clip")[0] == 404


def test_a_recording_that_is_being_sent_is_not_deleted(tmp_path: Path) -> None:
    folder = ClipFolder(tmp_path, utc=lambda: 4e9)
    keep(tmp_path / NAME)
    there: list[bool] = []

    async def send(message: object) -> None:
        folder.tidy(ClipLimits(days=1, per_class=1, size=1))
        there.append((tmp_path / NAME).exists())

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "headers": [], "path": "/"}
    asyncio.run(_ClipResponse(folder, NAME)(scope, receive, send))
    assert there
    assert all(there)
    folder.tidy(ClipLimits(days=1, per_class=1, size=1))
    assert not (tmp_path / NAME).exists()
