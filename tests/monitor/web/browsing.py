"""Chromium on the page, for tests: one browser, a fresh context a test, and a proxy with a path prefix."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, and what it did that it should not."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)

    def forgive(self, words: str) -> None:
        """Drop complaints that a test expects."""
        self.complaints = [line for line in self.complaints if words not in line]


@contextmanager
def watched(browser: Browser, origin: str, **options: object) -> Iterator[Watched]:
    """A page whose console errors and requests to other origins are complaints."""
    context = browser.new_context(**options)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(15_000)
    seen = Watched(page, origin)
    own = (origin, origin.replace("http", "ws", 1), "data:", "blob:")
    page.on("console", lambda m: seen.complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith(own) else seen.complaints.append(f"asked {r.url}"))
    yield seen
    context.close()


@contextmanager
def prefixed(port: int, prefix: str) -> Iterator[int]:
    """A proxy that serves what is at ``port`` under ``prefix`` alone; yields its own port."""
    listening = socket.create_server(("127.0.0.1", 0))
    own = listening.getsockname()[1]

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                threading.Thread(target=_forward, args=(client, port, prefix.encode()), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield own
    listening.close()


def _forward(client: socket.socket, port: int, prefix: bytes) -> None:
    head = b""
    with suppress(OSError), client:
        while b"\r\n\r\n" not in head:
            piece = client.recv(65536)
            if not piece:
                return
            head += piece
        method, path, rest = head.split(b" ", 2)
        if not path.startswith(prefix):
            client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        if b"upgrade: websocket" not in head.lower():
            rest = rest.replace(b"\r\n", b"\r\nConnection: close\r\n", 1).replace(
                b"Connection: keep-alive\r\n", b""
            )
        with socket.create_connection(("127.0.0.1", port)) as server:
            server.sendall(b" ".join((method, b"/" + path[len(prefix) :], rest)))
            back = threading.Thread(target=_pipe, args=(server, client), daemon=True)
            back.start()
            _pipe(client, server)
            back.join()


def _pipe(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
