"""A sample of what is heard when nothing is marked: embeddings, from which thresholds of taught sounds come.

Stretches of two seconds are kept in a file of their own beside the history. When it is full, new
ones replace old ones at random, at a rate at which the sample spans several days. It can be
deleted at any time; a new one grows.
"""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

STRETCH_S = 2.0
MOST = 3600
"""Stretches kept: two hours, 11 MB of an embedding of 384 numbers."""

_DAYS = 3.0
"""Time after which a stretch is replaced, on average."""

_REPLACED = MOST * STRETCH_S / (86400.0 * _DAYS)
"""Share of new stretches that are kept once the sample is full."""

_BATCH = 30
"""Stretches written together: each write costs a flash card a block."""

_BLOCK_S = 600.0
"""Stretches so near to each other stay together when a background is divided."""

_SCHEMA = """CREATE TABLE IF NOT EXISTS background (
    slot INTEGER PRIMARY KEY, at REAL NOT NULL, model TEXT NOT NULL, rows BLOB NOT NULL)"""

Rows = NDArray[np.float32]


class BackgroundSample:
    """The sample of one history; thread-safe. Failures of the disk are logged, and cost the sample alone.

    Parameters
    ----------
    path : Path
        The file.
    model : str
        Name and version of the model that computes the embeddings; those of others are replaced first.
    chance : random.Random or None
        Decides which stretches are kept.
    """

    def __init__(self, path: Path, model: str, chance: random.Random | None = None) -> None:
        self._path = path
        self._model = model
        self._chance = chance or random.Random()
        self._lock = threading.Lock()
        self._pending: list[tuple[int, float, str, bytes]] = []
        self._broken = False
        self._free: list[int] = []
        try:
            with closing(self._open()) as connection:
                rows = connection.execute("SELECT slot FROM background WHERE model = ?", (model,)).fetchall()
        except sqlite3.Error as error:
            self._fail(error)
            return
        taken = {slot for (slot,) in rows}
        self._free = [slot for slot in reversed(range(MOST)) if slot not in taken]

    @property
    def seconds(self) -> float:
        """Length of the sample."""
        return STRETCH_S * (MOST - len(self._free)) if not self._broken else 0.0

    def add(self, utc: float, rows: Rows) -> None:
        """Offer the embeddings of a stretch that ended at ``utc``, shape (hops, n)."""
        with self._lock:
            if self._free:
                slot = self._free.pop()
            elif self._chance.random() < _REPLACED:
                slot = self._chance.randrange(MOST)
            else:
                return
            self._pending.append((slot, utc, self._model, rows.astype("<f2").tobytes()))
            if len(self._pending) >= _BATCH:
                self._write()

    def read(self, size: int, *, without: Sequence[tuple[float, float]] = ()) -> list[tuple[float, Rows]]:
        """Return (time, embeddings) of the stretches, in the order of their times.

        Parameters
        ----------
        size
            Length of an embedding.
        without
            Spans of time to leave out, UTC seconds since 1970.
        """
        with self._lock:
            self._write()
            try:
                with closing(self._open()) as connection:
                    found = connection.execute(
                        "SELECT at, rows FROM background WHERE model = ? ORDER BY at", (self._model,)
                    ).fetchall()
            except sqlite3.Error as error:
                self._fail(error)
                return []
        return [
            (at, np.frombuffer(raw, "<f2").astype(np.float32).reshape(-1, size))
            for at, raw in found
            if len(raw) % (2 * size) == 0
            and not any(begin <= at and at - STRETCH_S <= end for begin, end in without)
        ]

    def close(self) -> None:
        with self._lock:
            self._write()

    def _write(self) -> None:
        pending, self._pending = self._pending, []
        if not pending or self._broken:
            return
        try:
            with closing(self._open()) as connection, connection:
                connection.executemany("INSERT OR REPLACE INTO background VALUES (?, ?, ?, ?)", pending)
        except sqlite3.Error as error:
            self._fail(error)

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(_SCHEMA)
        return connection

    def _fail(self, error: sqlite3.Error) -> None:
        if not self._broken:
            log.warning("%s: %s; no background is kept until the next start", self._path, error)
        self._broken = True


def in_blocks(stretches: Sequence[tuple[float, Rows]]) -> list[Rows]:
    """Return the stretches as blocks of neighbours, which are much alike."""
    blocks = groupby(stretches, key=lambda one: one[0] // _BLOCK_S)
    return [np.concatenate([rows for _, rows in block]) for _, block in blocks]


def background_path(history: Path) -> Path:
    """Return the path of the sample that belongs to a history."""
    return history.with_name(f"{history.stem}.background.db")
