"""The bench measures what it says: real processes, real parts, and figures that add up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from monitor.bench.audio import RATE, write_noise_and_sounds
from monitor.bench.process import Run, run_python
from monitor.errors import MonitorError


def bench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "monitor", "bench", "--starts", "1", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("suffix", [".ogg", ".wav"])
def test_the_same_seed_gives_the_same_audio_and_another_another(tmp_path, suffix):
    heard = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        path = tmp_path / (name + suffix)
        write_noise_and_sounds(path, 70 / 3600, seed)
        heard.append(soundfile.read(path, dtype="float32")[0])
    assert all(len(samples) == 70 * RATE for samples in heard)
    assert np.array_equal(heard[0], heard[1])
    assert not np.allclose(heard[0], heard[2])


def test_cpu_time_is_that_of_the_process_not_the_clock(tmp_path):
    asleep = run_python("-c", "import time; time.sleep(0.5)")
    busy = run_python("-c", "import time\nwhile time.process_time() < 0.5: pass")
    assert asleep.wall_s >= 0.5
    assert asleep.cpu_s < 0.4
    assert busy.cpu_s >= 0.5


def test_memory_is_that_of_the_process_not_of_its_parent():
    held = bytearray(100_000_000)
    held[::4096] = b"x" * len(held[::4096])
    small = run_python("-c", "import time; time.sleep(0.2)", every_s=0.01)
    large = run_python("-c", "import time; b = b'x' * 60_000_000; time.sleep(0.2)", every_s=0.01)
    assert large.peak_mb - small.peak_mb > 55
    assert small.peak_mb < 60


def test_resident_memory_is_the_mean_of_its_part_of_the_run():
    run = Run(1.0, 1.0, ((0.0, 10_000_000), (0.5, 20_000_000), (0.9, 30_000_000), (1.0, 40_000_000)))
    assert run.resident_mb(0.9, 1.0) == pytest.approx(35.0)
    assert run.resident_mb(0.0, 0.5) == pytest.approx(15.0)
    assert run.peak_mb == pytest.approx(40.0)


def test_a_process_that_fails_is_an_error_with_its_last_words():
    with pytest.raises(MonitorError, match="exits 3: no such luck"):
        run_python("-c", "import sys; print('no such luck', file=sys.stderr); sys.exit(3)")


def test_the_parts_and_the_rest_are_the_whole_replay(tmp_path):
    result = bench(tmp_path, "--hours", "0.02", "--json", "--memory", "memory.csv")
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["audio_s"] == pytest.approx(72.0, abs=0.01)
    assert sum(part["cpu_s"] for part in told["parts"]) == pytest.approx(told["replay"]["cpu_s"], abs=0.002)
    spent = {part["name"]: part["cpu_s"] for part in told["parts"]}
    assert all(spent[name] > 0 for name in ("start", "reading", "resampling", "front end", "inference"))
    assert told["reference"] is None
    header, *rows = (tmp_path / "memory.csv").read_text().splitlines()
    assert header == "time_s,resident_mb"
    assert max(float(row.split(",")[1]) for row in rows) == pytest.approx(told["memory_mb"]["peak"], abs=0.1)


def test_recordings_of_ones_own_are_measured_all(tmp_path):
    for name, seconds in (("one.wav", 3.0), ("two.ogg", 2.0)):
        write_noise_and_sounds(tmp_path / name, seconds / 3600, 0)
    result = bench(tmp_path, ".", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["audio_s"] == pytest.approx(5.0, abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--against", "nothing.tflite"), 3, "nothing.tflite: cannot read the model"),
        (("--memory", "no/such/folder.csv"), 2, "no/such/folder.csv: cannot write"),
        (("missing.wav",), 3, "missing.wav"),
    ],
)
def test_what_cannot_be_measured_is_one_line(tmp_path, arguments, code, words):
    result = bench(tmp_path, "--hours", "0.001", *arguments)
    assert result.returncode == code
    assert words in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
