"""Two bridged brokers, as docs/mqtt.md configures them: states go up, commands come down, nothing circles."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from mosquitto import Listener, Mosquitto, find
from running import NODE, STREET, Monitor

ROOT = Path(__file__).resolve().parents[2]


def bridge(port: int) -> tuple[str, ...]:
    """Return the bridge of docs/mqtt.md, to a broker on this machine."""
    text = (ROOT / "docs" / "mqtt.md").read_text(encoding="utf-8")
    found = re.search(r"```conf\n(connection .*?)```", text, re.DOTALL)
    assert found is not None
    lines = found[1].replace("garden.lan:1883", f"127.0.0.1:{port}").splitlines()
    return ("allow_anonymous true", *lines)


@pytest.fixture
def centre(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that is bridged to that of the monitor."""
    folder = tmp_path / "centre"
    folder.mkdir()
    broker = Mosquitto(folder, bridge(mosquitto.port)).start()
    yield broker
    broker.stop()


def test_states_and_commands_cross_a_bridge_once(
    mosquitto: Mosquitto, centre: Mosquitto, tmp_path: Path
) -> None:
    above, below = Listener(centre.port), Listener(mosquitto.port)
    settings = (f"mqtt.port={mosquitto.port}", "mqtt.commands=true", "audio.stall_s=600")
    samples, _ = soundfile.read(STREET, dtype="int16")
    with Monitor(tmp_path, *settings, options=("--source", "-"), stdin=subprocess.PIPE) as monitor:
        pipe = monitor.process.stdin
        assert pipe is not None
        pipe.buffer.write(samples[:32_000].tobytes())  # type: ignore[attr-defined]
        pipe.flush()
        above.wait_message(f"{NODE}/status", "online")
        send = [find("mosquitto_pub"), "-p", str(centre.port), "-q", "1", "-t", f"{NODE}/set/profile"]
        subprocess.run([*send, "-m", "sensitive"], check=True)
        above.wait_for(
            lambda heard: any(m.topic == f"{NODE}/control" and "sensitive" in m.payload for m in heard)
        )
        pipe.close()
        assert monitor.wait_end() == 0
        above.wait_message(f"{NODE}/status", "offline")
    for listener in (above, below):
        listener.wait_retained()
        listener.close()
        assert [m.payload for m in listener.on(f"{NODE}/set/profile")] == ["sensitive"]
