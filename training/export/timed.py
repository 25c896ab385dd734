"""Runs models window by window in this interpreter's runtime: outputs and time per window.

Needs only numpy and a TFLite runtime, so that an old interpreter can run it:
``python -m training.export.timed FOLDER RUNTIME SIZE,...`` reads ``windows.npy``,
shape (windows, frames, n_mels), and every ``*.tflite`` of the folder, and writes ``RUNTIME.json``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.errors import PackageError
from monitor.model.runtime import Runtime

_ROUNDS = 400
_WINDOWS_A_ROUND = 5


@dataclass(frozen=True)
class Timed:
    """Outputs of one model, concatenated, shape (windows, values), and time per window; or why it failed."""

    outputs: list[list[float]]
    window_us: float
    refused: str = ""


def run(folder: Path, runtime: str, outputs: Sequence[int]) -> dict[str, Timed]:
    """Run ``windows.npy`` through every model of the folder, whose outputs have the sizes ``outputs``."""
    windows = np.load(folder / "windows.npy")
    loaded: dict[str, Runtime] = {}
    results: dict[str, Timed] = {}
    for path in sorted(folder.glob("*.tflite")):
        try:
            loaded[path.stem] = Runtime(path.read_bytes(), path, outputs=outputs, prefer=runtime)
        except PackageError as error:
            results[path.stem] = Timed([], float("nan"), str(error))
    window_us = time_windows(loaded, windows)
    for name, model in loaded.items():
        results[name] = Timed([model.run(window).tolist() for window in windows], window_us[name])
    return results


def time_windows(models: Mapping[str, Runtime], windows: NDArray[np.float32]) -> dict[str, float]:
    """Return the microseconds per window, as the 10th percentile, which is least affected by other load."""
    spent: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(_ROUNDS):
        for name, model in models.items():
            begin = time.perf_counter()
            for number in range(_WINDOWS_A_ROUND):
                model.run(windows[number % len(windows)])
            spent[name].append((time.perf_counter() - begin) / _WINDOWS_A_ROUND)
    return {name: float(np.quantile(times, 0.1)) * 1e6 for name, times in spent.items()}


if __name__ == "__main__":
    place, prefer = Path(sys.argv[1]), sys.argv[2]
    found = run(place, prefer, [int(size) for size in sys.argv[3].split(",")])
    (place / f"{prefer}.json").write_text(json.dumps({name: asdict(one) for name, one in found.items()}))
