"""Fetching against a server on this machine: whole, resumed, refused, damaged."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from corpora import write_esc50, write_urbansound8k

from training.cli import main
from training.data.check import check
from training.data.fetch import Source, download, fetch, source_of
from training.errors import DataError


@dataclass
class Remote:
    """A publisher on the loopback: serves ``body``, keeps the ranges asked for, may cut an answer short."""

    body: bytes = b""
    cut_after: int | None = None
    ranges: list[str | None] = field(default_factory=list)
    address: str = ""


@pytest.fixture
def remote() -> Iterator[Remote]:
    state = Remote()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.ranges.append(asked)
            if not state.body:
                self.send_error(404)
                return
            first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
            if first >= len(state.body):
                self.send_error(416)
                return
            rest = state.body[first:]
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            self.wfile.write(rest[: state.cut_after])

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_port}/archive"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def offered(name: str, remote: Remote, tmp_path: Path) -> Source:
    """Pack a miniature corpus as its publisher does and serve it."""
    source = source_of(name)
    writer = write_urbansound8k if name == "urbansound8k" else write_esc50
    home = writer(tmp_path / "published")
    packed = tmp_path / source.archive
    if name == "urbansound8k":
        with tarfile.open(packed, "w:gz") as archive:
            archive.add(home, source.top)
    else:
        home.rename(home.with_name(source.top))
        shutil.make_archive(str(packed.with_suffix("")), "zip", home.parent, source.top)
    remote.body = packed.read_bytes()
    return replace(source, address=remote.address, md5=hashlib.md5(remote.body).hexdigest())


@pytest.mark.parametrize("name", ["urbansound8k", "esc50"])
def test_a_fetched_corpus_is_whole_and_tells_its_source(name: str, remote: Remote, tmp_path: Path) -> None:
    source = offered(name, remote, tmp_path)
    root = tmp_path / "data"
    got: list[int] = []
    home = fetch(source, root, got.append)
    assert sum(got) == len(remote.body)
    report = check(root, decode=True, tick=lambda done: None, workers=1)
    assert report.is_sound()
    assert all(row.present == row.listed for row in report.folds)
    told = json.loads((home / "SOURCE.json").read_text())
    assert (told["md5"], told["licence"]) == (source.md5, source.licence)
    assert not (home / source.archive).exists(), "the archive was left beside what came out of it"


def test_a_corpus_that_is_there_is_not_fetched_again(remote: Remote, tmp_path: Path) -> None:
    source = offered("esc50", remote, tmp_path)
    fetch(source, tmp_path / "data")
    fetch(source, tmp_path / "data")
    assert len(remote.ranges) == 1


def test_an_interrupted_download_resumes(remote: Remote, tmp_path: Path) -> None:
    source = offered("esc50", remote, tmp_path)
    remote.cut_after = 1000
    with pytest.raises(DataError, match="the connection ended after 1000 of"):
        fetch(source, tmp_path / "data")
    remote.cut_after = None
    fetch(source, tmp_path / "data")
    assert remote.ranges == [None, "bytes=1000-"]
    assert check(tmp_path / "data", decode=True, tick=lambda done: None, workers=1).is_sound()


def test_a_download_that_was_whole_but_not_renamed_is_taken(remote: Remote, tmp_path: Path) -> None:
    source = replace(source_of("esc50"), address=remote.address)
    remote.body = b"all of it"
    archive = tmp_path / "archive.zip"
    archive.with_name("archive.zip.part").write_bytes(remote.body)
    download(source, archive, lambda count: None)
    assert archive.read_bytes() == remote.body


def test_another_archive_than_expected_is_refused_and_not_opened(remote: Remote, tmp_path: Path) -> None:
    source = replace(offered("urbansound8k", remote, tmp_path), md5="0" * 32)
    with pytest.raises(DataError, match="not the expected archive") as refusal:
        fetch(source, tmp_path / "data")
    assert "\n" not in str(refusal.value)
    home = tmp_path / "data" / "UrbanSound8K"
    assert [path.name for path in home.iterdir()] == [source.archive]


def test_an_archive_of_something_else_is_refused(remote: Remote, tmp_path: Path) -> None:
    source = source_of("urbansound8k")
    (tmp_path / "notes.txt").write_text("no corpus")
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "notes.txt", "notes.txt")
    remote.body = (tmp_path / "other.tar.gz").read_bytes()
    other = replace(source, address=remote.address, md5=hashlib.md5(remote.body).hexdigest())
    with pytest.raises(DataError, match="no table of urbansound8k"):
        fetch(other, tmp_path / "data")


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["data", "fetch", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_prints_licence_and_reference(remote: Remote, tmp_path: Path) -> None:
    source = offered("esc50", remote, tmp_path)
    (tmp_path / "data").mkdir()
    code, out, err = run(
        "esc50", "--data", str(tmp_path / "data"), "--address", source.address, "--md5", source.md5
    )
    assert code == 0
    assert out.strip() == str(tmp_path / "data" / "ESC-50")
    assert "licence: Creative Commons Attribution-NonCommercial" in err
    assert "@inproceedings{piczak2015dataset" in err


@pytest.mark.parametrize("body", [b"", b"short"])
def test_a_failed_download_is_one_clear_line_and_exit_3(body: bytes, remote: Remote, tmp_path: Path) -> None:
    remote.body, remote.cut_after = body, 1
    code, _, err = run("urbansound8k", "--data", str(tmp_path), "--address", remote.address)
    assert code == 3
    assert err.splitlines()[-1].startswith("error: urbansound8k: cannot be fetched from 127.0.0.1")
    assert "Traceback" not in err


def test_without_a_connection_the_error_names_the_host(tmp_path: Path) -> None:
    # Port 9 of the loopback (discard) has no listener: the same path as a host that cannot be reached.
    code, _, err = run("esc50", "--data", str(tmp_path), "--address", "http://127.0.0.1:9/x.zip")
    assert code == 3
    assert "cannot be fetched from 127.0.0.1:9 ([Errno 111] Connection refused)" in err
