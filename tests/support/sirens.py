"""A long siren that changes, in traffic."""

from __future__ import annotations

import runpy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

RATE = 16_000
TRAFFIC_DBFS, OVER_DB = -45.0, 18.0
SWEEPS = ((12.0, 4.6, "wail"), (12.0, 0.36, "yelp"), (12.0, 1.2, "two-tone"))
"""Seconds, period and kind of each part."""


def traffic(seconds: float, seed: int = 0) -> np.ndarray:
    """Return the background of the example street, over and over."""
    noise = _street()["traffic"](np.random.default_rng(seed))
    noise = np.tile(noise, -(-round(seconds * RATE) // len(noise)))[: round(seconds * RATE)]
    return np.asarray(noise * 10 ** (TRAFFIC_DBFS / 20) / np.std(noise))


def long_siren() -> np.ndarray:
    """Return 46 s of traffic in which an electronic siren wails, yelps and alternates for 36 s."""
    pitch = np.concatenate([_pitch(*part) for part in SWEEPS])
    t = np.arange(len(pitch)) / RATE
    horn = _street()["bump"]
    sound = _street()["harmonics"](
        pitch,
        lambda number, f: (
            number**-1.1
            * (1.0 if number % 2 else 0.45)
            * (f / 450.0) ** 2
            / (1.0 + (f / 450.0) ** 2)
            * (0.3 + horn(f, 1_500.0, 0.9))
        ),
    )
    sound = sound * np.clip(np.minimum(t, t[-1] - t) / 0.5, 0.0, 1.0)
    out = traffic(t[-1] + 10.0, seed=1)
    out[5 * RATE :][: len(sound)] += sound * 10 ** ((TRAFFIC_DBFS + OVER_DB) / 20) / np.std(sound)
    return out


def _pitch(seconds: float, period_s: float, kind: str) -> np.ndarray:
    phase = np.arange(round(seconds * RATE)) / RATE / period_s % 1.0
    if kind == "two-tone":
        return np.where(phase < 0.5, 660.0, 880.0)
    sweep = np.interp(phase, [0.0, 0.45, 1.0], [0.0, 1.0, 0.0])
    return np.asarray(560.0 * (1500.0 / 560.0) ** sweep)


@cache
def _street() -> dict[str, Any]:
    return runpy.run_path(str(Path(__file__).resolve().parents[2] / "examples" / "make_street.py"))
