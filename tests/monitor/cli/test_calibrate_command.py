"""``sound-monitor calibrate``: the printed line makes levels decibels; what is no tone exits 3."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from calling import Call

RATE = 16000


def write(path: Path, amplitude: float, *, hz: float = 1000.0, seconds: float = 8.0) -> Path:
    samples = amplitude * np.sin(2 * np.pi * hz / RATE * np.arange(round(seconds * RATE)))
    soundfile.write(path, samples.astype(np.float32), RATE, subtype="FLOAT")
    return path


def test_the_line_for_the_config_is_valid_and_holds_the_sensitivity(call: Call, tmp_path: Path) -> None:
    done = call("calibrate", "--at", 114, write(tmp_path / "tone.wav", 0.1))
    assert done.code == 0
    assert yaml.safe_load(done.out) == {"audio": {"sensitivity_dbfs": pytest.approx(-40.0)}}
    assert "1000 Hz" in done.err


def test_a_calibrated_replay_says_decibels_and_an_uncalibrated_one_does_not(
    call: Call, tmp_path: Path
) -> None:
    quiet = np.random.default_rng(1).normal(0.0, 1e-4, 8 * RATE)
    tone = 0.1 * np.sin(2 * np.pi * 1000 / RATE * np.arange(4 * RATE))
    soundfile.write(
        tmp_path / "loud.wav", np.concatenate([quiet, tone]).astype(np.float32), RATE, subtype="FLOAT"
    )
    command = ["replay", "loud.wav", "--json", "--deterministic", "--set", "events.loud.enabled=true"]
    command += ["--set", "events.enabled=[]"]
    plain = call(*command).json
    calibrated = call(*command, "--set", "audio.sensitivity_dbfs=-20").json
    assert [record["label"] for record in plain] == ["loud", "loud"]
    assert [record["lafmax_dbfs"] for record in plain] == pytest.approx([-23.0, -23.0], abs=0.2)
    assert {record["lafmax_db"] for record in plain} == {None}
    assert [record["lafmax_db"] for record in calibrated] == pytest.approx([94.0, 94.0], abs=0.2)
    assert all(record["over_l90_db"] > 40 for record in plain)


def test_what_is_no_calibrator_exits_with_3_in_one_line(call: Call, tmp_path: Path) -> None:
    short = write(tmp_path / "short.wav", 0.1, seconds=2.0)
    done = call("calibrate", "--at", 94, short)
    assert done.code == 3
    assert done.complaints == [f"sound-monitor: {short}: 2.0 s are too short; record 4 s or more"]


def test_a_level_is_needed(call: Call) -> None:
    assert call("calibrate").code == 2
