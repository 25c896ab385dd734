"""A microphone of the package ``wyoming``: the samples that it sends are heard, and no peer does harm."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from mosquitto import PATIENCE_S, free_port
from running import ROOT, Monitor, piece_of_street

from monitor.config.listening import Audio
from monitor.errors import AudioError, ConfigError
from monitor.node.opening import source_opener
from monitor.sources.base import SourceLost
from monitor.sources.wyoming import WyomingMicrophone, wyoming_address

SERVICE = ROOT / "tests" / "support" / "wyoming_microphone.py"
HOST = "127.0.0.1"


class Service:
    """The service as a process of its own, like the satellite's."""

    def __init__(self, port: int, file: Path, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SERVICE), f"{HOST}:{port}", str(file), *options],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            self.kill()
            pytest.fail("the microphone service did not start; its own words stand above")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def service() -> Iterator[Callable[..., Service]]:
    started: list[Service] = []

    def start(*arguments: object) -> Service:
        started.append(Service(*arguments))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for one in started:
        one.kill()


def connect(port: int, **changes: float) -> WyomingMicrophone:
    limits = {"buffer_s": 2.0, "stall_s": 1.0, "silence_s": 60.0, **changes}
    return WyomingMicrophone(HOST, port, **limits, stop=threading.Event())


def hear(microphone: WyomingMicrophone) -> tuple[np.ndarray, str]:
    """All that is heard, as rows of channels, and the reason of its end."""
    heard: list[np.ndarray] = []
    try:
        for block in microphone.blocks():
            assert block.position == sum(map(len, heard))
            heard.append(block.samples)
    except SourceLost as lost:
        return np.concatenate(heard), str(lost)
    finally:
        microphone.close()
    pytest.fail("a live source ended without a word")


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (48000, 2), (22050, 4)])
def test_every_sample_is_heard_at_the_rate_that_the_service_declares(
    service: Callable[..., Service], tmp_path: Path, rate: int, channels: int
) -> None:
    samples = np.random.default_rng(0).integers(-9000, 9000, (5 * rate, channels), np.int16)
    soundfile.write(tmp_path / "x.wav", samples, rate, subtype="PCM_16")
    port = free_port()
    service(port, tmp_path / "x.wav", "--stop")
    microphone = connect(port)
    assert (microphone.rate, microphone.name) == (rate, f"wyoming://127.0.0.1:{port}")
    heard, reason = hear(microphone)
    assert reason == "the microphone service stopped its audio"
    assert microphone.dropped == 0
    np.testing.assert_array_equal(heard.reshape(samples.shape), samples.astype(np.float32) / 2**15)


def test_one_service_serves_a_satellite_and_the_monitor(
    service: Callable[..., Service], tmp_path: Path
) -> None:
    port, file = free_port(), piece_of_street(tmp_path, 0.0, 3.0)
    service(port, file, "--stop")
    first, second = connect(port), connect(port)
    np.testing.assert_array_equal(hear(first)[0], hear(second)[0])


def test_a_service_that_falls_silent_or_is_killed_is_lost(
    service: Callable[..., Service], tmp_path: Path
) -> None:
    port, file = free_port(), piece_of_street(tmp_path, 0.0, 3.0)
    running = service(port, file)
    assert hear(connect(port))[1] == "no audio for 1 s"
    microphone = connect(port)
    running.kill()
    assert hear(microphone)[1] in (
        "the microphone service closed the connection",
        "the connection broke (Connection reset by peer)",
    )
    with pytest.raises(
        AudioError, match=rf"^wyoming://127\.0\.0\.1:{port}: cannot be connected to \(Connection"
    ):
        connect(port)


def test_the_monitor_waits_for_a_service_and_comes_back_to_it(
    service: Callable[..., Service], tmp_path: Path
) -> None:
    port, siren = free_port(), piece_of_street(tmp_path, 3.0, 12.0)
    source = f"audio.source=wyoming://localhost:{port}"
    with Monitor(tmp_path, "mqtt.enabled=false", source, "audio.stall_s=1", options=("--json",)) as monitor:
        monitor.wait_said("cannot be connected to (Connection refused); waiting for it")
        first = service(port, siren)
        monitor.wait_said("listening at 16000 Hz")
        monitor.wait_printed('"reason": "source_lost"')
        first.kill()
        before = len(monitor.printed)
        service(port, siren)
        monitor.wait_printed_after('"type": "start"', before)
        assert monitor.stop() == 0
        assert not any("Traceback" in line for line in monitor.said)


class Peer:
    """Anybody who listens on a port, answers each connection with some bytes and then waits."""

    def __init__(self, answer: bytes, *, repeat: bool = False) -> None:
        self._server = socket.create_server((HOST, 0))
        self.port: int = self._server.getsockname()[1]
        self._answer, self._repeat = answer, repeat
        self.sent = 0
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE_S)
        self._server.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                with connection, suppress(OSError):
                    self._speak(connection)

    def _speak(self, connection: socket.socket) -> None:
        while True:
            self.sent += connection.send(self._answer)
            if not self._repeat:
                while connection.recv(4096):
                    pass
                return


def event(kind: str, payload: bytes = b"", **data: object) -> bytes:
    header = {"type": kind, "data": data, "payload_length": len(payload)}
    return json.dumps(header).encode() + b"\n" + payload


FORM = {"rate": 16000, "width": 2, "channels": 1}
START = event("audio-start", **FORM)
UNKNOWN = "what answers there does not speak Wyoming"
FORMAT = "the microphone service sends another format than 8 to 96 kHz, 16 or 32 bits, 1 to 8 channels"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", UNKNOWN),
        (b"\xff\xfe\x00garbage\n", UNKNOWN),
        (b"\n", UNKNOWN),
        (b"[1, 2]\n", UNKNOWN),
        (b"null\n", UNKNOWN),
        (b'{"no": "type"}\n', UNKNOWN),
        (b"[" * 60000 + b"\n", UNKNOWN),
        (b'{"type": "x", "data_length": "5"}\n', UNKNOWN),
        (b'{"type": "x", "data": 5, "data_length": 2}\n{}', UNKNOWN),
        (b'{"type": "x", "payload_length": ' + b"9" * 5000 + b"}\n", UNKNOWN),
        (
            b'{"type": "x", "payload_length": 1e400}\n',
            f"{UNKNOWN}: an event of no size or of more than 1 MiB",
        ),
        (b'{"type": "x", "data_length": 2.5}\n', f"{UNKNOWN}: an event of no size or of more than 1 MiB"),
        (
            b'{"type": "x", "payload_length": 1099511627776}\n',
            f"{UNKNOWN}: an event of no size or of more than 1 MiB",
        ),
        (event("audio-start"), FORMAT),
        (b'{"type": "audio-start", "data": [1]}\n', FORMAT),
        (event("audio-start", rate="16000", width=2, channels=1), FORMAT),
        (event("audio-start", rate=10**400, width=2, channels=1), FORMAT),
        (event("audio-start", rate=-1, width=2, channels=1), FORMAT),
        (event("audio-start", rate=16000, width=3, channels=1), FORMAT),
        (event("audio-start", rate=16000, width=2, channels=10**6), FORMAT),
        (event("audio-stop"), "the microphone service stopped its audio"),
    ],
    ids=count(),
)
def test_a_peer_that_is_no_microphone_is_refused_in_one_line(answer: bytes, reason: str) -> None:
    peer = Peer(answer)
    try:
        with pytest.raises(AudioError) as refused:
            connect(peer.port)
    finally:
        peer.close()
    assert str(refused.value) == f"wyoming://127.0.0.1:{peer.port}: {reason}"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (START + b"garbage\n", UNKNOWN),
        (START + event("audio-chunk", b"odd", **FORM), "the microphone service sent part of a sample"),
        (
            START + event("audio-chunk", b"1234", **{**FORM, "rate": 48000}),
            "the microphone service changed its format",
        ),
        (START + event("audio-stop"), "the microphone service stopped its audio"),
        (START + 100 * event("info") + event("audio-chunk", **FORM), "no audio for 5 s"),
    ],
    ids=count(),
)
def test_a_microphone_that_goes_wrong_is_lost_and_why_is_said(answer: bytes, reason: str) -> None:
    peer = Peer(answer)
    try:
        microphone = connect(peer.port, stall_s=1.0)
        with pytest.raises(SourceLost) as lost:
            list(microphone.blocks())
        microphone.close()
    finally:
        peer.close()
    assert str(lost.value) == reason


def test_a_header_without_an_end_is_read_no_further_than_its_limit() -> None:
    peer = Peer(b"x" * 65536, repeat=True)
    try:
        with pytest.raises(AudioError, match="a header of more than 64 KiB"):
            connect(peer.port)
    finally:
        peer.close()
    # What the sockets of both sides hold is the system's.
    assert peer.sent < 20 << 20


@given(st.lists(st.one_of(st.binary(max_size=60), st.just(START), st.just(b'{"type": "audio-chunk"}\n'))))
@settings(deadline=None, max_examples=30)
def test_no_bytes_end_the_reader_with_anything_but_a_reason(pieces: list[bytes]) -> None:
    from monitor.sources.wyoming import _events

    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"".join(pieces))
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(SourceLost):
            for _ in _events(ours):
                pass


@pytest.mark.parametrize(
    "url", ["wyoming://localhost:10600", "WYOMING://127.0.0.2:1", "wyoming://[::1]:10600"]
)
def test_this_machine_is_allowed(url: str) -> None:
    assert wyoming_address(url, ())[1] in (1, 10600)


def test_another_machine_must_be_named() -> None:
    assert wyoming_address("wyoming://Kitchen.lan:10600", ["kitchen.LAN"]) == ("kitchen.lan", 10600)
    for hosts in ([], ["lan"], ["kitchen.lan."], ["*"]):
        with pytest.raises(
            ConfigError, match=r"if the network is trusted, add kitchen\.lan to audio\.wyoming_ho"
        ):
            wyoming_address("wyoming://kitchen.lan:10600", hosts)


@pytest.mark.parametrize(
    "url", ["wyoming:", "wyoming://", "wyoming://localhost", "wyoming://localhost:x", "wyoming://[:1"]
)
def test_an_address_without_host_or_port_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="write wyoming://HOST:PORT"):
        wyoming_address(url, ())


def opener(source: str, *hosts: str) -> Callable[[], object]:
    audio = Audio(source=source, wyoming_hosts=list(hosts))
    return source_opener(audio, 32000, threading.Event())


def test_a_source_that_is_not_allowed_is_refused_before_anything_is_connected() -> None:
    opener("wyoming://kitchen.lan:10600", "kitchen.lan")
    with pytest.raises(
        ConfigError, match=r"^audio\.source wyoming://\*\*\*@kitchen\.lan:1: Wyoming has no auth"
    ):
        opener("wyoming://me:cret@kitchen.lan:1")


def test_without_the_package_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "monitor.sources.wyoming")
    monkeypatch.setitem(sys.modules, "wyoming.event", None)
    with pytest.raises(ConfigError, match=r"needs wyoming; pip install wyoming$"):
        opener("wyoming://localhost:10600")
