"""What the model that ships must not take for a sound of a street."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from calling import Call

RATE, SECONDS = 16_000, 30


def silence(time: np.ndarray) -> np.ndarray:
    return np.zeros(len(time))


def mains_hum(time: np.ndarray) -> np.ndarray:
    return sum(0.05 / n * np.sin(2 * np.pi * 50 * n * time) for n in (1, 2, 3, 5))


def white_noise(time: np.ndarray) -> np.ndarray:
    return 0.02 * np.random.default_rng(0).standard_normal(len(time))


def clicks(time: np.ndarray) -> np.ndarray:
    """A click of a millisecond every three seconds, over a little noise."""
    clicking = time % 3.0 < 0.001
    return 0.5 * clicking + 0.1 * white_noise(time)


@pytest.mark.parametrize("sound", [silence, mains_hum, white_noise, clicks])
def test_quiet_takes_no_such_thing_for_a_sound_of_the_street(call: Call, tmp_path: Path, sound):
    path = tmp_path / f"{sound.__name__}.wav"
    soundfile.write(path, sound(np.arange(RATE * SECONDS) / RATE).astype(np.float32), RATE)
    replayed = call("replay", path, "--json", "--set", "events.profile=quiet")
    assert replayed.code == 0, replayed.err
    assert replayed.json == []
