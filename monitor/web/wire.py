"""The messages of the live WebSocket, as JSON text; free of state except for the picture's value range."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from functools import cache
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

_LOW, _HIGH = 0.02, 0.998
"""Quantiles of a hop that its range is."""

_compact = json.JSONEncoder(separators=(",", ":")).encode


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
        return _compact(message)

    def _picture(self, features: NDArray[np.float32]) -> dict[str, Any]:
        rows = thinned(features, self._most_frames, BANDS)
        low, high = _extent(rows)
        before = self._range or (low, high)
        # The range expands to louder sounds immediately and otherwise adapts slowly.
        top = max(high, before[1] + _FOLLOW * (high - before[1]))
        self._range = before[0] + _FOLLOW * (low - before[0]), top
        return rows_json(to_bytes(rows, *self._range))


def near_json(near: Near) -> dict[str, Any]:
    return {**asdict(near), "text": reason_text(near)}


def event_message(record: EventRecord) -> str:
    return _compact({"type": "event", "record": asdict(record)})


def rows_json(rows: NDArray[np.uint8]) -> dict[str, Any]:
    """Return rows of 0…255 as base64, frame by frame, with the number of bands."""
    return {"bands": rows.shape[1], "rows": base64.b64encode(rows.tobytes()).decode("ascii")}


def _extent(rows: NDArray[np.float32]) -> tuple[float, float]:
    """Return the quantiles, as the nearest values: a third of the time of :func:`numpy.quantile`."""
    values = rows.ravel()
    low, high = round(_LOW * (len(values) - 1)), round(_HIGH * (len(values) - 1))
    ordered = np.partition(values, (low, high))
    return float(ordered[low]), float(ordered[high])


def thinned(rows: NDArray[np.float32], frames: int, bands: int) -> NDArray[np.float32]:
    """Average neighbours until at most ``frames`` frames and ``bands`` bands remain."""
    return _thinned(_thinned(rows, frames, axis=0), bands, axis=1)


def _thinned(rows: NDArray[np.float32], most: int, axis: int) -> NDArray[np.float32]:
    length = rows.shape[axis]
    if length <= most:
        return rows
    edges, shares = _groups(length, most)
    means: NDArray[np.float32] = np.add.reduceat(rows, edges, axis)
    means *= shares[:, None] if axis == 0 else shares
    return means


@cache
def _groups(length: int, most: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return where each group of neighbours begins, and the share of one of them in the group's mean."""
    step = -(-length // most)
    edges = np.arange(0, length, step)
    return edges, (1.0 / np.diff(edges, append=length)).astype(np.float32)
