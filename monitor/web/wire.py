"""The messages of the live WebSocket, as JSON text; free of state except for the picture's value range."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.events.why import reason_text
from monitor.history.keeper import to_bytes
from monitor.records import EventRecord, HopResult, Near

BANDS, FRAMES_PER_S = 64, 50
"""No screen shows more: finer rows are averaged."""

_FOLLOW = 0.02
"""How much of a hop's range the picture's range takes over, so that it does not flicker."""

_LOW, _HIGH = 2.0, 99.8
"""Percentiles of a hop that its range is."""


class HopWriter:
    """Writes hops and tracks the range of values drawn from dark to bright."""

    def __init__(self, hop_s: float) -> None:
        self._most_frames = max(1, round(FRAMES_PER_S * hop_s))
        self._range: tuple[float, float] | None = None

    def write(self, hop: HopResult, utc: float) -> str:
        """Return the message for a hop that ended at ``utc``, seconds since 1970."""
        level = hop.level
        message: dict[str, Any] = {
            "type": "hop",
            "time_s": round(hop.time_s, 3),
            "utc": round(utc, 3),
            "level": [round(level.rms_dbfs, 1), round(level.peak_dbfs, 1), round(level.background_dbfs, 1)],
            "clipped": level.clipped,
            "scores": [round(1000 * score) for score in hop.scores.tolist()],
            "near": [near_json(one) for one in hop.near],
        }
        if hop.features is not None:
            message |= self._picture(hop.features)
        return json.dumps(message, separators=(",", ":"))

    def _picture(self, features: NDArray[np.float32]) -> dict[str, Any]:
        rows = thinned(features, self._most_frames, BANDS)
        low, high = np.percentile(rows, (_LOW, _HIGH))
        if self._range is None:
            self._range = float(low), float(high)
        before = self._range
        # The range expands to louder sounds immediately and otherwise adapts slowly.
        top = max(float(high), before[1] + _FOLLOW * (float(high) - before[1]))
        self._range = before[0] + _FOLLOW * (float(low) - before[0]), top
        return rows_json(to_bytes(rows, *self._range))


def near_json(near: Near) -> dict[str, Any]:
    return {**asdict(near), "text": reason_text(near)}


def event_message(record: EventRecord) -> str:
    return json.dumps({"type": "event", "record": asdict(record)}, separators=(",", ":"))


def rows_json(rows: NDArray[np.uint8]) -> dict[str, Any]:
    """Return rows of 0…255 as base64, frame by frame, with the number of bands."""
    return {"bands": rows.shape[1], "rows": base64.b64encode(rows.tobytes()).decode("ascii")}


def thinned(rows: NDArray[np.float32], frames: int, bands: int) -> NDArray[np.float32]:
    """Average neighbours until at most ``frames`` frames and ``bands`` bands remain."""
    thin: NDArray[np.float32] = _thinned(_thinned(rows, frames).T, bands).T
    return thin


def _thinned(rows: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    if len(rows) <= most:
        return rows
    edges = np.arange(0, len(rows), -(-len(rows) // most))
    sums: NDArray[np.float32] = np.add.reduceat(rows, edges)
    counts = np.diff(np.append(edges, len(rows))).astype(np.float32)
    means: NDArray[np.float32] = sums / counts[:, None]
    return means
