"""Run all measurements of ``sound-monitor bench`` on this machine."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.bench.parts import FRONT_END, INFERENCE, PARTS, READING, RESAMPLING, Costs, measure_parts
from monitor.bench.process import Run, run_monitor, run_python
from monitor.bench.reference import Reference
from monitor.stream.assembly import Assembly

START, REST = "start", "rest"
FLOORS = {
    START: "Python starts and imports numpy",
    READING: "libsndfile, a minute at a time",
    RESAMPLING: "soxr, a minute at a time",
    FRONT_END: "the FFT and the product with the mel matrix",
    INFERENCE: "the model on the same input repeatedly",
}
_SAMPLES = 2000
"""Approximate number of memory samples of a replay."""
_QUICK_S = 0.005
"""Sampling interval while timing a start, seconds."""


@dataclass(frozen=True)
class Part:
    """CPU seconds of one part, and of its library alone doing the same work (None: not measured)."""

    name: str
    cpu_s: float
    floor_s: float | None
    floor: str | None


@dataclass(frozen=True)
class Bench:
    """Results of all measurements.

    Parameters
    ----------
    audio_s : float
        Duration of the recordings, seconds.
    replay : Run
        Replay of all recordings in one process.
    parts : tuple[Part, ...]
        Costs by part; with the part ``rest`` they add up to the replay.
    starts_s : tuple[float, ...]
        Wall time of a process that replays one hop, for each start, seconds.
    reference : str or None
        Name of the reference model.
    reference_s : float or None
        CPU seconds of the reference's inference on the same audio.
    """

    audio_s: float
    replay: Run
    parts: tuple[Part, ...]
    starts_s: tuple[float, ...]
    reference: str | None = None
    reference_s: float | None = None

    @property
    def start_s(self) -> float:
        return statistics.median(self.starts_s)

    @property
    def inference_s(self) -> float:
        return next(part.cpu_s for part in self.parts if part.name == INFERENCE)


def measure_all(
    assembly: Assembly,
    files: Sequence[Path],
    hop_file: Path,
    options: Sequence[str],
    *,
    starts: int,
    reference: Reference | None,
    say: Callable[[str], None],
) -> Bench:
    """Run all measurements one after another, the long replay last.

    Parameters
    ----------
    files : Sequence[Path]
        Recordings to replay.
    hop_file : Path
        A recording one hop long.
    options : Sequence[str]
        ``--config`` and ``--set`` for the child processes.
    starts : int
        Number of starts to time.
    reference : Reference or None
        Model to compare with.
    say : Callable[[str], None]
        Receives a line of progress before each step.

    Raises
    ------
    MonitorError
        If a replay fails.
    """
    say(f"starting {starts} times")
    one_hop = ["replay", str(hop_file), "--json", *options]
    runs = [run_monitor(one_hop, every_s=_QUICK_S) for _ in range(starts)]
    say("measuring the parts")
    costs = measure_parts(assembly, files, reference)
    say("replaying")
    every_s = max(0.01, sum(costs.cpu_s.values()) / _SAMPLES)
    replay = run_monitor(["replay", *map(str, files), "--json", *options], every_s=every_s)
    return Bench(
        audio_s=costs.audio_s,
        replay=replay,
        parts=_parts(costs, statistics.median(run.cpu_s for run in runs), replay.cpu_s),
        starts_s=tuple(run.wall_s for run in runs),
        reference=reference.name if reference else None,
        reference_s=reference.cpu_s if reference else None,
    )


def _parts(costs: Costs, start_s: float, replay_s: float) -> tuple[Part, ...]:
    seconds = {START: start_s, **{name: costs.cpu_s[name] for name in PARTS}}
    seconds[REST] = replay_s - sum(seconds.values())
    floors_s = {START: _python_start_s(), **costs.floor_s}
    return tuple(
        Part(name, cpu_s, floors_s.get(name), FLOORS[name] if name in floors_s else None)
        for name, cpu_s in seconds.items()
    )


def _python_start_s() -> float:
    """Return the CPU seconds of a Python process that only imports numpy."""
    return statistics.median(run_python("-c", "import numpy").cpu_s for _ in range(5))


def machine() -> dict[str, object]:
    """Describe this machine, so that figures can be compared."""
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.processor()
