"""Runs streaming models hop by hop in this interpreter's runtime: outputs and time per hop.

Needs only numpy and a TFLite runtime, so that an old interpreter can run it:
``python -m training.export.hops FOLDER RUNTIME OUTPUTS STATE`` reads ``frames.npy``,
shape (hops, frames, n_mels), and every ``*.tflite`` of the folder, and writes ``RUNTIME.json``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.errors import PackageError
from monitor.model.runtime import StreamingRuntime

_ROUNDS = 400
_HOPS_A_ROUND = 5


@dataclass(frozen=True)
class Streamed:
    """Output of one model: logits, shape (hops, outputs), and time per hop; or why it did not load."""

    outputs: list[list[float]]
    hop_us: float
    refused: str = ""


def run(folder: Path, runtime: str, outputs: int, state: int) -> dict[str, Streamed]:
    """Stream ``frames.npy`` through every model of the folder, each from a zero state."""
    frames = np.load(folder / "frames.npy")
    loaded: dict[str, StreamingRuntime] = {}
    results: dict[str, Streamed] = {}
    for path in sorted(folder.glob("*.tflite")):
        try:
            loaded[path.stem] = StreamingRuntime(
                path.read_bytes(), path, outputs=outputs, state=state, prefer=runtime
            )
        except PackageError as error:
            results[path.stem] = Streamed([], float("nan"), str(error))
    hop_us = time_hops(loaded, frames, dict.fromkeys(loaded, state))
    for name, model in loaded.items():
        results[name] = Streamed(stream(model, frames, state).tolist(), hop_us[name])
    return results


def stream(model: StreamingRuntime, frames: NDArray[np.float32], state: int) -> NDArray[np.float32]:
    """Return the logits after each hop, shape (hops, outputs)."""
    kept, given = np.zeros(state, np.float32), []
    for hop in frames:
        logits, kept = model.step(hop, kept)
        given.append(logits)
    return np.stack(given)


def time_hops(
    models: Mapping[str, StreamingRuntime], frames: NDArray[np.float32], states: Mapping[str, int]
) -> dict[str, float]:
    """Return the microseconds per hop, as the 10th percentile, which is least affected by other load.

    Parameters
    ----------
    states
        Number of state values of each model.
    """
    spent: dict[str, list[float]] = {name: [] for name in models}
    kept = {name: np.zeros(states[name], np.float32) for name in models}
    for _ in range(_ROUNDS):
        for name, model in models.items():
            begin = time.perf_counter()
            for hop in range(_HOPS_A_ROUND):
                _, kept[name] = model.step(frames[hop % len(frames)], kept[name])
            spent[name].append((time.perf_counter() - begin) / _HOPS_A_ROUND)
    return {name: float(np.quantile(times, 0.1)) * 1e6 for name, times in spent.items()}


if __name__ == "__main__":
    place, prefer = Path(sys.argv[1]), sys.argv[2]
    found = run(place, prefer, int(sys.argv[3]), int(sys.argv[4]))
    (place / f"{prefer}.json").write_text(json.dumps({name: asdict(one) for name, one in found.items()}))
