"""Several sources in one process: each is as if it were alone, dies alone and recovers alone."""

from __future__ import annotations

import json
import os
import select
import threading
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from mosquitto import PATIENCE_S, Heard, Mosquitto, free_port
from mosquitto import Listener as Subscriber
from pulse import PulseServer
from running import EAGER, STREET, Monitor

from monitor.clock import FileClock
from monitor.config.load import load_config
from monitor.daemon import assemble_nodes, run
from monitor.listeners import Listener
from monitor.model.load import LoadedModel
from monitor.records import AudioBlock, EventRecord
from monitor.stream.assembly import assemble, load_configured_model

RATE = 32000
OF_THE_MOMENT = ("event_id", "start", "end", "clock", "node")
"""Keys of a record that no second run can repeat."""


class Camera:
    """A pipe from which ffmpeg reads a recording and which then stays open, like a camera in silence."""

    def __init__(self, folder: Path, name: str, *recordings: Path) -> None:
        self._fifo = folder / f"{name}.fifo"
        self.url = f"file:{self._fifo}"
        self._recordings = recordings
        self._there, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._play)
        self._thread.start()
        self._there.wait(PATIENCE_S)

    def _play(self) -> None:
        for number, recording in enumerate(self._recordings, 1):
            # A new pipe each time: the reader of the last one may still be there.
            self._fifo.unlink(missing_ok=True)
            os.mkfifo(self._fifo)
            self._there.set()
            with self._fifo.open("wb") as pipe:  # waits for a reader
                if self._over.is_set():
                    return
                try:
                    pipe.write(recording.read_bytes())
                    pipe.flush()
                except BrokenPipeError:  # the reader was killed at the end of a test
                    return
                if number == len(self._recordings):
                    self._over.wait()

    def close(self) -> None:
        self._over.set()
        # A writer that still waits for a reader gets one.
        reader = os.open(self._fifo, os.O_RDONLY | os.O_NONBLOCK)
        self._thread.join(PATIENCE_S)
        os.close(reader)
        assert not self._thread.is_alive()


class Kept(Listener):
    """Keeps the records of each node; stops the run once each has as many as wanted."""

    def __init__(self, wanted: dict[str, int], stop: threading.Event) -> None:
        self._wanted, self._stop = wanted, stop
        self.records: dict[str, list[EventRecord]] = {name: [] for name in wanted}

    def on_record(self, record: EventRecord) -> None:
        self.records[record.node].append(record)
        if all(len(self.records[name]) >= count for name, count in self._wanted.items()):
            self._stop.set()


def lines(records: Sequence[EventRecord]) -> list[str]:
    """The records without what is of the moment, in the bytes in which they are published."""
    return [
        json.dumps({key: value for key, value in asdict(record).items() if key not in OF_THE_MOMENT})
        for record in records
    ]


def settings(folder: Path, *more: str) -> tuple[str, ...]:
    eager = (f"events.defaults.{setting}" for setting in EAGER)
    patient = ("audio.stall_s=600", "audio.silence_s=600")
    return (f"history.path={folder / 'history.db'}", "mqtt.enabled=false", *patient, *eager, *more)


def listen(config_sets: Sequence[str], wanted: dict[str, int]) -> dict[str, list[EventRecord]]:
    """Run until each node has reported so many records; return these."""
    stop = threading.Event()
    heard = Kept(wanted, stop)
    alarm = threading.Timer(4 * PATIENCE_S, stop.set)
    alarm.start()
    try:
        run(assemble_nodes(load_config(None, config_sets)), stop, [heard])
    finally:
        alarm.cancel()
    assert {name: len(heard.records[name]) >= count for name, count in wanted.items()} == dict.fromkeys(
        wanted, True
    )
    return {name: heard.records[name][:count] for name, count in wanted.items()}


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load_configured_model(load_config())


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Eight recordings at the model's rate, so that ffmpeg passes their samples on as they are."""
    folder = tmp_path_factory.mktemp("streams")
    samples, rate = soundfile.read(STREET, dtype="int16")
    street = soxr.resample(samples, rate, RATE)
    files = [folder / f"{number}.wav" for number in range(8)]
    for number, file in enumerate(files):
        rolled = np.roll(street, -5 * number * RATE)
        soundfile.write(file, rolled[: 15 * RATE], RATE, subtype="PCM_16")
    return files


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[Callable[..., Camera]]:
    opened: list[Camera] = []

    def open_camera(name: str, *recordings: Path) -> Camera:
        opened.append(Camera(tmp_path, name, *recordings))
        return opened[-1]

    yield open_camera
    for one in opened:
        one.close()


def records_of(file: Path, model: LoadedModel, *, whole: bool) -> int:
    """How many records a recording gives to its end, or to a second before it: ffmpeg keeps the tail back."""
    assembly = assemble(load_config(None, settings(file.parent)), model)
    pipeline = assembly.new_pipeline(RATE, FileClock(0.0))
    samples, _ = soundfile.read(file, dtype="float32")
    hops = pipeline.push(AudioBlock(samples if whole else samples[:-RATE], 0))
    count = sum(len(hop.decisions) for hop in hops)
    return count + (len(pipeline.close("source_lost")) if whole else 0)


def entry(name: str, url: str, more: str = "") -> str:
    return f"{{node: {name}, source: '{url}'{more}}}"


def test_eight_streams_in_one_process_give_the_records_of_eight_processes(
    streams: list[Path], model: LoadedModel, camera: Callable[..., Camera], tmp_path: Path
) -> None:
    wanted = {f"n{number}": records_of(file, model, whole=False) for number, file in enumerate(streams)}
    assert min(wanted.values()) >= 2
    alone: dict[str, list[str]] = {}
    for (name, count), file in zip(wanted.items(), streams, strict=True):
        folder = tmp_path / name
        folder.mkdir()
        source = camera(f"{name}-alone", file).url
        found = listen(settings(folder, f"node={name}", f"audio.source={source}"), {name: count})
        alone[name] = lines(found[name])
    sources = [entry(name, camera(name, file).url) for name, file in zip(wanted, streams, strict=True)]
    together = listen(settings(tmp_path, f"sources=[{', '.join(sources)}]"), wanted)
    assert {name: lines(records) for name, records in together.items()} == alone
    assert len({tuple(one) for one in alone.values()}) == 8
    assert {path.name for path in tmp_path.glob("history-*.db")} == {f"history-{name}.db" for name in wanted}


def test_a_source_that_fails_again_and_again_and_one_that_comes_back_leave_the_others_as_they_are(
    streams: list[Path], model: LoadedModel, camera: Callable[..., Camera], tmp_path: Path
) -> None:
    count = records_of(streams[0], model, whole=False)
    (tmp_path / "alone").mkdir()
    source = camera("alone", streams[0]).url
    alone = listen(settings(tmp_path / "alone", "node=a", f"audio.source={source}"), {"a": count})
    sources = (
        entry("steady", camera("steady", streams[0]).url),
        entry("missing", f"file:{tmp_path}/missing.wav"),
        entry("unknown", "nosuchprotocol://x"),
        entry("back", camera("back", streams[0], streams[0]).url),
    )
    lost = records_of(streams[0], model, whole=True)
    wanted = {"steady": count, "back": lost + count, "missing": 0, "unknown": 0}
    together = listen(settings(tmp_path, f"sources=[{', '.join(sources)}]"), wanted)
    expected = lines(alone["a"])
    assert lines(together["steady"]) == expected
    assert lines(together["back"][:count]) == expected
    assert [record.reason for record in together["back"]].count("source_lost") <= 1
    again = [replace(record, seq=record.seq - lost) for record in together["back"][lost:]]
    assert lines(again) == expected
    assert together["missing"] == together["unknown"] == []


def test_events_of_an_entry_hold_for_its_node_alone(
    streams: list[Path], model: LoadedModel, camera: Callable[..., Camera], tmp_path: Path
) -> None:
    shots = ", events: {enabled: [gun_shot], defaults: {release_s: 2}}"
    sources = (
        entry("shots", camera("shots", streams[3]).url, shots),
        entry("all", camera("all", streams[3]).url),
    )
    wanted = {"shots": 2, "all": records_of(streams[3], model, whole=False)}
    found = listen(settings(tmp_path, f"sources=[{', '.join(sources)}]"), wanted)
    assert {record.label for record in found["shots"]} == {"gun_shot"}
    assert len({record.label for record in found["all"]}) > 1
    ends = {
        name: next(one.end_s for one in records if (one.type, one.label) == ("end", "gun_shot"))
        for name, records in found.items()
    }
    assert ends["shots"] == ends["all"]  # the onset of silence, whenever it is decided


def test_each_node_has_a_page_and_what_is_set_there_holds_for_it_alone(
    streams: list[Path], camera: Callable[..., Camera], tmp_path: Path
) -> None:
    port = free_port()
    sources = [entry(name, camera(name, streams[0]).url) for name in ("a", "b")]
    web = ("web.enabled=true", "web.write=true", f"web.port={port}")
    with Monitor(tmp_path, *settings(tmp_path, f"sources=[{', '.join(sources)}]", *web), fixed=()) as monitor:
        monitor.wait_said(f"page at http://127.0.0.1:{port + 1}/")
        monitor.wait_said("b: file:")
        first, second = (f"http://127.0.0.1:{port + number}/api" for number in (0, 1))
        assert [ask(f"{url}/facts")["node"] for url in (first, second)] == ["a", "b"]
        ask(f"{second}/settings", {"key": "classes.siren.threshold", "value": 0.9})
        thresholds = [ask(f"{url}/facts")["classes"]["siren"]["enter"] for url in (first, second)]
        assert thresholds == [0.3, 0.9]
        assert monitor.stop() == 0
    assert [path.name for path in tmp_path.glob("*.settings.json")] == ["history-b.settings.json"]


def ask(url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=PATIENCE_S) as answer:
        return json.loads(answer.read())


class Sources(Monitor):
    """A monitor of two microphones on one sound server."""

    def __init__(self, folder: Path, port: int, pulse: PulseServer) -> None:
        (folder / "config.yaml").write_text(
            f"history: {{path: {folder}/history.db}}\n"
            f"mqtt: {{port: {port}, discovery: false}}\n"
            "audio: {silence_s: 600, stall_s: 2}\n"
            "sources: [{node: kitchen, device: pulse}, {node: hall, device: default}]\n"
        )
        super().__init__(folder, environment=pulse.environment, fixed=())


def test_two_microphones_are_two_nodes_on_the_broker(
    pulse: PulseServer, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    kitchen, hall = ("sound-monitor/kitchen", "sound-monitor/hall")
    with closing(Subscriber(mosquitto.port)) as listener:
        monitor = Sources(tmp_path, mosquitto.port, pulse)
        with monitor:
            for node in (kitchen, hall):
                listener.wait_message(f"{node}/status", "online")
            pulse.kill()
            for node in (kitchen, hall):
                listener.wait_for(lambda heard, node=node: microphone(heard, node) == "lost" or None)
            pulse.start()
            for node in (kitchen, hall):
                listener.wait_for(lambda heard, node=node: microphone(heard, node) == "listening" or None)
            assert monitor.stop() == 0
        for node in (kitchen, hall):
            listener.wait_message(f"{node}/status", "offline")


def test_a_monitor_that_is_killed_leaves_no_process_of_a_microphone_behind(
    pulse: PulseServer, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    with Sources(tmp_path, mosquitto.port, pulse) as monitor:
        for node in ("kitchen", "hall"):
            monitor.wait_said(f"{node}: ")
        pid = monitor.process.pid
        tasks = Path(f"/proc/{pid}/task").iterdir()
        children = [int(word) for task in tasks for word in (task / "children").read_text().split()]
        assert len(children) == 2
        ended = [os.pidfd_open(child) for child in children]
        monitor.process.kill()
        for descriptor in ended:
            assert select.select([descriptor], [], [], PATIENCE_S)[0]
            os.close(descriptor)


def siren(heard: Sequence[Heard], node: str) -> Heard | None:
    topic = f"sound-monitor/{node}/sound/siren/attributes"
    return next((one for one in heard if one.topic == topic and "event_id" in one.payload), None)


def test_the_embedded_broker_serves_all_nodes(
    streams: list[Path], camera: Callable[..., Camera], tmp_path: Path
) -> None:
    port = free_port()
    sources = ", ".join(entry(name, camera(name, streams[0]).url) for name in ("a", "b"))
    (tmp_path / "config.yaml").write_text(
        f"history: {{path: {tmp_path}/history.db}}\n"
        f"mqtt: {{broker: embedded, port: {port}}}\n"
        f"audio: {{silence_s: 600, stall_s: 600}}\nsources: [{sources}]\n"
    )
    with Monitor(tmp_path, fixed=()) as monitor:
        monitor.wait_said("b: file:")
        with closing(Subscriber(port)) as listener:
            for node in ("a", "b"):
                listener.wait_message(f"sound-monitor/{node}/status", "online")
                # On a slow machine the siren may be over before the listener is there: its event is retained.
                listener.wait_for(partial(siren, node=node))
            assert monitor.stop() == 0
            for node in ("a", "b"):
                listener.wait_message(f"sound-monitor/{node}/status", "offline")


def microphone(heard: Sequence[Heard], node: str) -> str | None:
    """The state of the node's microphone in its last health message."""
    found = [message.json["microphone"] for message in heard if message.topic == f"{node}/health"]
    return found[-1] if found else None
