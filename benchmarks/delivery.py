"""Message loss when the broker is down for a minute, and when the process is killed ten times.

    python benchmarks/delivery.py

1. ``run`` reads the example street in a loop on standard input, in real time; the broker is
   stopped for a minute and started again.
2. ``replay --mqtt --history`` of a street with 500 events is killed (``SIGKILL``) ten times at
   random instants and restarted on the same history. A restarted replay begins its recording anew
   and creates new records; the criterion is that each record in the history was received, in order,
   and that nothing else was.

A subscriber with a persistent session is connected throughout; the broker keeps it over its restart.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import soundfile
from campaign import MONITOR, ROOT, STREET, circumstances, say, write_record
from mosquitto import Listener, Mosquitto

from monitor.delivery.store.outbox import Outbox

NODE = "campaign"
TOPIC = f"sound-monitor/{NODE}/event"
EVENTS = 500
KILLS = 10
OUTAGE_S = 60.0
BEFORE_S, AFTER_S = 60.0, 60.0
PATIENCE_S = 180.0
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0, help="of the instants of the kills")
    seed = parser.parse_args().seed
    folder = Path(tempfile.mkdtemp(prefix="sound-monitor-campaign-"))
    try:
        outage = broker_outage(folder)
        kills = killed_replay(folder, random.Random(seed))
    finally:
        shutil.rmtree(folder)
    write_record("delivery", {**circumstances(seed=seed), "broker_outage": outage, "kills": kills})


def broker_outage(folder: Path) -> dict[str, object]:
    """Stop the broker in the middle of a live stream."""
    say(f"a broker that is away for {OUTAGE_S:.0f} s")
    broker = _persistent_broker(folder)
    listener = Listener(broker.port, TOPIC)
    history = folder / "outage.db"
    seconds = BEFORE_S + OUTAGE_S + AFTER_S
    street = ["-re", "-stream_loop", "-1", "-i", str(STREET), "-t", str(seconds)]
    feed = subprocess.Popen(
        ["ffmpeg", "-v", "error", *street, "-f", "s16le", "-ac", "1", "-ar", "16000", "-"],
        stdout=subprocess.PIPE,
    )
    run = subprocess.Popen(
        [*MONITOR, "run", "--source", "-", *_settings(broker.port, history)], stdin=feed.stdout, cwd=ROOT,
        stderr=(folder / "run.log").open("w"),
    )  # fmt: skip
    assert feed.stdout is not None
    feed.stdout.close()
    time.sleep(BEFORE_S)
    broker.stop()
    stopped = time.time()
    time.sleep(OUTAGE_S)
    broker.start()
    started = time.time()
    assert feed.wait(PATIENCE_S) == 0
    code = run.wait(PATIENCE_S)
    figures = _figures(history, listener)
    listener.close()
    broker.stop()
    return {"exit_code": code, "broker_away_s": round(started - stopped, 1), **figures}


def killed_replay(folder: Path, chance: random.Random) -> dict[str, object]:
    """Kill a replay repeatedly; the last one runs to its end."""
    recording = folder / "streets.wav"
    events = _write_streets(recording)
    broker = _persistent_broker(folder)
    listener = Listener(broker.port, TOPIC)
    history = folder / "kills.db"
    command = [*MONITOR, "replay", str(recording), "--mqtt", "--node", NODE, "--history", str(history)]
    command += _settings(broker.port, None)
    whole_s = _time_of_a_whole_replay(folder, recording, broker.port)
    say(f"{KILLS} kills of a replay with {events} events that takes {whole_s:.1f} s")
    killed = []
    for _ in range(KILLS):
        before = len(listener.heard)
        instant_s = chance.uniform(0.2, 1.0) * whole_s
        replay = subprocess.Popen(command, cwd=ROOT, **QUIET)
        try:
            replay.wait(instant_s)
        except subprocess.TimeoutExpired:
            replay.kill()
        code = replay.wait()
        with closing(Outbox(history)) as outbox:
            killed.append(
                {
                    "after_s": round(instant_s, 2),
                    "exit_code": code,
                    "received_since_start": len(listener.heard) - before,
                    "undelivered_in_history": outbox.pending_count(),
                }
            )
        say(str(killed[-1]))
    code = subprocess.run(command, cwd=ROOT, **QUIET, check=False).returncode
    figures = _figures(history, listener)
    listener.close()
    broker.stop()
    return {
        "events_in_the_recording": events,
        "whole_replay_s": round(whole_s, 2),
        "kills": killed,
        "last_exit_code": code,
        **figures,
    }


def _figures(history: Path, listener: Listener) -> dict[str, object]:
    """Compare the history with the received messages, record by record: event id and type."""
    with closing(Outbox(history)) as outbox:
        rows = list(reversed(outbox.query(limit=1_000_000)))
        pending = outbox.pending_count()
    kept = [(row.record.event_id, row.record.type) for row in rows]
    wanted = set(kept)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and not wanted <= {_key(m.payload) for m in listener.on(TOPIC)}:
        time.sleep(0.2)
    messages = [json.loads(message.payload) for message in listener.on(TOPIC)]
    received = [(m["event_id"], m["type"]) for m in messages]
    first = list(dict.fromkeys(received))
    return {
        "records_in_the_history": len(kept),
        "events_in_the_history": len({event for event, _ in kept}),
        "messages_received": len(received),
        "records_received": len(first),
        "lost": len(wanted - set(received)),
        "not_in_the_history": len(set(received) - wanted),
        "first_deliveries_in_order": first == [key for key in kept if key in set(received)],
        "duplicates": len(received) - len(first),
        "late_messages": sum(m["delayed"] for m in messages),
        "without_acknowledgement": pending,
    }


def _key(payload: str) -> tuple[str, str]:
    values = json.loads(payload)
    return values["event_id"], values["type"]


def _persistent_broker(folder: Path) -> Mosquitto:
    """Start a broker that keeps the subscriber's session and queued messages over a restart."""
    place = Path(tempfile.mkdtemp(dir=folder))
    lines = ("allow_anonymous true", "persistence true", f"persistence_location {place}/")
    return Mosquitto(place, (*lines, "autosave_interval 1", "max_queued_messages 0")).start()


def _settings(port: int, history: Path | None) -> list[str]:
    values = ["mqtt.host=127.0.0.1", f"mqtt.port={port}", f"node={NODE}"]
    if history is not None:
        values.append(f"history.path={history}")
    return [word for value in values for word in ("--set", value)]


def _write_streets(path: Path) -> int:
    """Concatenate the example street until it holds at least EVENTS events; return their number."""
    command = [*MONITOR, "replay", str(STREET), "--json"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    starts = sum(json.loads(line)["type"] == "start" for line in told.splitlines())
    samples, rate = soundfile.read(STREET, dtype="int16")
    soundfile.write(path, np.tile(samples, -(-EVENTS // starts)), rate, subtype="PCM_16")
    told = subprocess.run(
        [*MONITOR, "replay", str(path), "--json"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return sum(json.loads(line)["type"] == "start" for line in told.splitlines())


def _time_of_a_whole_replay(folder: Path, recording: Path, port: int) -> float:
    """Return the seconds of an uninterrupted replay, under another node's name."""
    began = time.monotonic()
    command = [*MONITOR, "replay", str(recording), "--mqtt", "--node", "untouched"]
    subprocess.run([*command, *_settings(port, None)], cwd=ROOT, **QUIET, check=True)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
