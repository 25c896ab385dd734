"""A TCP proxy in front of the broker that cuts, stalls, corrupts, or withholds acknowledgements."""

from __future__ import annotations

import random
import socket
import threading
from contextlib import suppress

_CONNACK = b"\x20\x02\x00\x00"
_MALFORMED = (
    b"\x30\x01a", b"\x30\x04\x00\xffab", b"\x32\x03\x00\x01a", b"\x40\x00", b"\x40\x01x", b"\x90\x01x",
    b"\xb0\x00", b"\x00\x00", b"\x10\x00", b"\x30\xff\xff\xff\xff\xff",
    b"\xf0\x00", b"HTTP/1.1 400 Bad Request\r\n\r\n",
)  # fmt: skip
_PUBACK = 4
_POLL_S = 0.2


class Proxy:
    """Forwards connections to the broker's port in the current mode.

    Modes: ``pass``; ``cut`` (closes and refuses connections); ``half_open`` (keeps connections and
    forwards nothing); ``garbage`` (sends malformed packets and closes); ``no_puback`` (drops the
    broker's acknowledgements).
    """

    def __init__(self, port: int, target: int, seed: int) -> None:
        self.port = port
        self._target = target
        self._chance = random.Random(seed)
        self._mode = "pass"
        self._changed = threading.Condition()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._closed = False
        self._server: socket.socket | None = None
        self.set("pass")

    def set(self, mode: str) -> None:
        with self._changed:
            self._mode = mode
            pairs = list(self._pairs)
            self._changed.notify_all()
        if mode == "cut":
            self._stop_listening()
        elif self._server is None:
            self._listen()
        if mode == "garbage":
            for client, _ in pairs:
                with suppress(OSError):
                    client.sendall(self._malformed())
        if mode in ("cut", "garbage"):
            for pair in pairs:
                _close(*pair)

    def close(self) -> None:
        self._closed = True
        self.set("cut")

    def _listen(self) -> None:
        self._server = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        threading.Thread(target=self._accept, args=(self._server,), daemon=True).start()

    def _stop_listening(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        if self._mode == "garbage":
            with suppress(OSError):
                client.settimeout(5.0)
                client.recv(4096)
                client.sendall((_CONNACK if self._chance.random() < 0.7 else b"") + self._malformed())
            client.close()
            return
        self._wait_open()
        try:
            broker = socket.create_connection(("127.0.0.1", self._target), 5.0)
        except OSError:
            client.close()
            return
        broker.settimeout(None)
        pair = (client, broker)
        with self._changed:
            self._pairs.append(pair)
        pumps = [threading.Thread(target=self._pump, args=(*ends, back), daemon=True)
                 for ends, back in ((pair, False), (pair[::-1], True))]  # fmt: skip
        for pump in pumps:
            pump.start()
        for pump in pumps:
            pump.join()
        with self._changed:
            self._pairs.remove(pair)
        _close(*pair)

    def _pump(self, source: socket.socket, target: socket.socket, back: bool) -> None:
        frames = _Frames()
        with suppress(OSError):
            while data := source.recv(65536):
                self._wait_open()
                target.sendall(frames.filter(data, drop=self._mode == "no_puback") if back else data)
        self._wait_open()  # nobody learns of an end while the connection is half open
        _close(source, target)

    def _wait_open(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._mode != "half_open")

    def _malformed(self) -> bytes:
        if self._chance.random() < 0.5:
            return self._chance.choice(_MALFORMED)
        return self._chance.randbytes(self._chance.randrange(1, 200))


class _Frames:
    """Splits a broker's byte stream into MQTT packets."""

    def __init__(self) -> None:
        self._left = b""

    def filter(self, data: bytes, *, drop: bool) -> bytes:
        """Return the complete packets so far, without acknowledgements if ``drop``."""
        self._left += data
        kept = b""
        while size := _packet_size(self._left):
            packet, self._left = self._left[:size], self._left[size:]
            if not (drop and packet[0] >> 4 == _PUBACK):
                kept += packet
        return kept


def _packet_size(data: bytes) -> int:
    """Return the length of the first MQTT packet; 0 while it is incomplete."""
    length = 0
    for index, byte in enumerate(data[1:5]):
        length |= (byte & 127) << (7 * index)
        if byte < 128:
            size = 2 + index + length
            return size if len(data) >= size else 0
    return 0


def _close(*sockets: socket.socket) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
