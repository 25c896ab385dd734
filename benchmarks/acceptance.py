"""Acceptance test of the whole chain: which alerts a model raises, and with which delay.

    python benchmarks/acceptance.py --data FOLDER

Every foreground clip (salience 1) of UrbanSound8K's fold 2 is mixed at 15 dB with a background held
out from training, as in training/mixing/streams.py:

1. The mixtures of siren, dog_bark and jackhammer are played into virtual microphones, each with a
   ``sound-monitor run`` of its own; the messages that ``mosquitto_sub`` receives are evaluated.
   A mixture counts as detected when a start of its own class arrives after the onset and before its
   end (1.5 s of silence included). ``parec`` records beside the monitor and provides the times.
2. All mixtures of all ten classes go through ``sound-monitor replay`` (the same path, each mixture
   a stream of its own); for those of (1) this shows how far the two agree.
3. The backgrounds go through ``replay``: those of the test, and those of the training.

Writes acceptance.json, acceptance.csv (a row per mixture) and latency.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from campaign import MONITOR, RESULTS, ROOT, circumstances, say, write_record
from mosquitto import Mosquitto
from virtual import Playing, VirtualMicrophone

from monitor.clock import parse_utc
from training.data.corpora import CLASSES, Clip, load
from training.data.splits import split
from training.mixing.streams import LEAD_S, Scene, foreground_scenes

TRAIN, TEST = (1, 3), (2,)
SNR_DB = 15.0
RATE = 16000
LIVE = ("siren", "dog_bark", "jackhammer")


@dataclass(frozen=True)
class Alerts:
    """Alerts of a mixture after its onset.

    Parameters
    ----------
    delay_s
        From onset to the correct alert: decided (replay), received (microphone); None = no alert.
    parts_s
        Parts of that delay at the microphone: audio, to the history, to the subscriber.
    """

    delay_s: float | None
    others: tuple[str, ...]
    parts_s: tuple[float, float, float] | None = None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with urbansound8k and background")
    parser.add_argument("--model", type=Path, help="a package; default the one that ships")
    parser.add_argument("--seed", type=int, default=0, help="of backgrounds, and of the order of playing")
    parser.add_argument("--microphones", type=int, default=2, help="at the same time")
    parser.add_argument("--limit", type=int, help="play so many scenes only, to try the script")
    options = parser.parse_args()
    settings = [] if options.model is None else ["--set", f"model.path={options.model.resolve()}"]
    parts = split(load(options.data), TRAIN, TEST)
    scenes = list(foreground_scenes(parts.test, (SNR_DB, SNR_DB), RATE, options.seed))
    with tempfile.TemporaryDirectory(prefix="sound-monitor-campaign-") as name:
        files = write_scenes(Path(name, "scenes"), scenes)
        say(f"{len(scenes)} mixtures through replay")
        replayed = replay(scenes, files, settings)
        live = [scene for scene in scenes if scene.label in LIVE]
        order = np.random.default_rng(options.seed).permutation(len(live))[: options.limit]
        say(f"{len(order)} mixtures into {options.microphones} microphones")
        played, monitors = play(Path(name), [live[i] for i in order], files, settings, options.microphones)
        background = {
            "test": alarms(parts.test.backgrounds, settings),
            "training": alarms(parts.train.backgrounds, settings),
        }
    _write_rows(scenes, replayed, played)
    about = circumstances(
        data=f"UrbanSound8K folds {TEST}, salience 1, each over a background of the test at {SNR_DB:g} dB",
        seed=options.seed,
        model=_model(settings),
    )
    write_record(
        "acceptance",
        {
            **about,
            "microphone": by_class([s for s in scenes if s.name in played], played),
            "replay": by_class(scenes, replayed),
            "the_same_in_both": sum(
                (played[name].delay_s is None) == (replayed[name].delay_s is None) for name in played
            ),
            "background": background,
        },
    )
    write_record("latency", {**about, "monitors": monitors, **latency(list(played.values()))})


def write_scenes(folder: Path, scenes: Sequence[Scene]) -> dict[str, Path]:
    """Write each mixture as 16-bit WAV; return the files by name."""
    folder.mkdir()
    files = {scene.name: folder / f"{scene.name}.wav" for scene in scenes}
    for scene in scenes:
        soundfile.write(files[scene.name], scene.samples, RATE, subtype="PCM_16")
    return files


def starts_by_file(paths: Sequence[Path], settings: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the start records of a replay, by file."""
    done = subprocess.run(
        [*MONITOR, "replay", *map(str, paths), "--json", *settings],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
    )  # fmt: skip
    found = defaultdict(list)
    for record in map(json.loads, done.stdout.splitlines()):
        if record["type"] == "start":
            found[record["file"]].append(record)
    return found


def replay(scenes: Sequence[Scene], files: Mapping[str, Path], settings: Sequence[str]) -> dict[str, Alerts]:
    starts = starts_by_file(list(files.values()), settings)
    return {scene.name: _replayed(scene, starts[str(files[scene.name])]) for scene in scenes}


def _replayed(scene: Scene, starts: Sequence[Mapping[str, Any]]) -> Alerts:
    delays = [(r["start_s"] + r["delay_s"] - scene.onset_s, r["label"]) for r in starts]
    own = [delay for delay, label in delays if label == scene.label and delay > 0]
    others = tuple(label for delay, label in delays if label != scene.label and delay > 0)
    return Alerts(min(own, default=None), others)


def play(
    folder: Path, scenes: Sequence[Scene], files: Mapping[str, Path], settings: Sequence[str], count: int
) -> tuple[dict[str, Alerts], list[dict[str, object]]]:
    """Play the mixtures, distributed over the microphones; return alerts by name and the monitors' health."""
    with ExitStack() as stack:
        broker = Mosquitto(folder).start()
        stack.callback(broker.stop)
        microphones = []
        for i in range(count):
            microphone = VirtualMicrophone(folder / f"mic{i}", f"mic{i}", broker.port, settings)
            stack.callback(microphone.close)
            microphones.append(microphone.start())
        with ThreadPoolExecutor(count) as pool:
            shares = [pool.submit(_play, m, scenes[i::count], files) for i, m in enumerate(microphones)]
            alerts = {name: alert for share in shares for name, alert in share.result().items()}
        monitors: list[dict[str, object]] = [
            {"peak_mb": round(m.peak_mb(), 1), "cpu_s": round(m.cpu_s(), 2), "health": m.health()}
            for m in microphones
        ]
    return alerts, monitors


def _play(
    microphone: VirtualMicrophone, scenes: Sequence[Scene], files: Mapping[str, Path]
) -> dict[str, Alerts]:
    playings = []
    for number, scene in enumerate(scenes, 1):
        playings.append(microphone.play(files[scene.name]))
        labels = [m.values["label"] for m in playings[-1].messages]
        say(f"{microphone.node} {number}/{len(scenes)} {scene.label}: {', '.join(labels) or 'nothing'}")
    recorded = microphone.recorded_at()
    return {
        scene.name: _heard(scene, playing, recorded) for scene, playing in zip(scenes, playings, strict=True)
    }


def _heard(scene: Scene, playing: Playing, recorded: Mapping[str, float]) -> Alerts:
    onset = playing.began + LEAD_S
    after = [m for m in playing.messages if m.received > onset]
    others = tuple(m.values["label"] for m in after if m.values["label"] != scene.label)
    for message in after:
        values = message.values
        if values["label"] == scene.label:
            decided = parse_utc(values["start"]) + values["delay_s"]
            kept = recorded[values["event_id"]]
            parts = (decided - onset, kept - decided, message.received - kept)
            return Alerts(message.received - onset, others, parts)
    return Alerts(None, others)


def alarms(beds: Sequence[Clip], settings: Sequence[str]) -> dict[str, object]:
    """Return the alerts on backgrounds, all of which are false."""
    starts = starts_by_file([bed.path for bed in beds], settings)
    hours = sum(soundfile.info(bed.path).duration for bed in beds) / 3600
    labels = Counter(record["label"] for records in starts.values() for record in records)
    files = {
        f"{bed.label}/{bed.path.name}": dict(Counter(r["label"] for r in starts[str(bed.path)]))
        for bed in beds
        if starts[str(bed.path)]
    }
    return {
        "hours": round(hours, 3),
        "alerts": sum(labels.values()),
        "alerts_an_hour": round(sum(labels.values()) / hours, 2),
        "by_class": dict(labels),
        "by_file": files,
    }


def by_class(scenes: Sequence[Scene], alerts: Mapping[str, Alerts]) -> dict[str, dict[str, object]]:
    rows: dict[str, dict[str, object]] = {}
    for label in CLASSES:
        mine = [alerts[scene.name] for scene in scenes if scene.label == label]
        heard = [alert.delay_s for alert in mine if alert.delay_s is not None]
        if mine:
            rows[label] = {
                "scenes": len(mine),
                "heard": len(heard),
                "share": round(len(heard) / len(mine), 3),
                "alerts_of_others": sum(len(alert.others) for alert in mine),
                "median_delay_s": round(float(np.median(heard)), 3) if heard else None,
            }
    return rows


def latency(alerts: Sequence[Alerts]) -> dict[str, object]:
    """Return p50 and p95 of the delay from onset to message, and of its parts."""
    heard = [(alert.delay_s, *alert.parts_s) for alert in alerts if alert.parts_s is not None]
    names = ("onset_to_message", "audio_until_decided", "decided_to_history", "history_to_subscriber")
    columns = np.array(heard, np.float64).reshape(-1, len(names)).T
    return {
        "alerts": len(heard),
        "seconds": {
            name: {f"p{q}": round(float(np.percentile(column, q)), 3) for q in (50, 95)}
            for name, column in zip(names, columns, strict=True)
            if len(column)
        },
    }


def _write_rows(
    scenes: Sequence[Scene], replayed: Mapping[str, Alerts], played: Mapping[str, Alerts]
) -> None:
    with (RESULTS / "acceptance.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(
            ["scene", "label", "replay_delay_s", "replay_others", "microphone_delay_s", "microphone_others"]
        )
        for scene in scenes:
            row = [scene.name, scene.label]
            for alert in (replayed[scene.name], played.get(scene.name)):
                row += ["", ""] if alert is None else [_seconds(alert.delay_s), " ".join(alert.others)]
            writer.writerow(row)


def _seconds(delay_s: float | None) -> str:
    return "none" if delay_s is None else f"{delay_s:.3f}"


def _model(settings: Sequence[str]) -> str:
    done = subprocess.run(
        [*MONITOR, "model", "show", "--json", *settings], cwd=ROOT, capture_output=True, text=True, check=True
    )
    card = json.loads(done.stdout)
    return f"{card['name']} {card['version']} of {card['created']}"


if __name__ == "__main__":
    main()
