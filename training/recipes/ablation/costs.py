"""What each front end costs and how far back it looks: facts of the network, whether it was run or not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from monitor.model.runtime import StreamingRuntime
from training.base.provenance import machine
from training.base.report import Cell, Table
from training.base.variants import settings_of
from training.export.conversion import to_tflite
from training.export.hops import time_hops
from training.networks.streaming import build, cost, streaming
from training.recipes.ablation.factors import GROUPS, NAME, Settings
from training.recipes.shipped import HOP_FRAMES

_COLUMNS = (
    "front end", "Hz", "frames a second", "bands", "window, s", "looks back, s", "parameters",
    "M multiply-adds / s",
)  # fmt: skip


def costs() -> Table:
    """Return a row for what ships and for every other front end; multiply-adds are the network's alone."""
    names = {NAME: "ships"}
    for group in (GROUPS["form"], GROUPS["front-end"]):
        names |= {group.model(factor): factor.name for factor in group.factors}
    return Table(
        _COLUMNS, tuple(_row(name, settings_of(model, {NAME: Settings()})) for model, name in names.items())
    )


def _row(name: str, made: Settings) -> tuple[Cell, ...]:
    front, network = made.front, made.network
    hop, frame_s = front.in_frames(HOP_FRAMES), front.frame_ms / 1000
    spent = cost(network, hop)
    millions = spent.multiply_adds / (hop * frame_s) / 1e6
    return (
        name, front.rate, 1000 // front.frame_ms, front.bands, f"{network.window * frame_s:.2f}",
        f"{network.frames * frame_s:.2f}", spent.parameters, f"{millions:.1f}",
    )  # fmt: skip


def time_forms(path: Path) -> None:
    """Time a hop of every form in TFLite, with one thread, in turn; write it to ``path``.

    Weights do not matter to the time, so none are trained.
    """
    group, forms, states = GROUPS["form"], {}, {}
    names = {group.base: "ships"} | {group.model(factor): factor.name for factor in group.factors}
    for model, name in names.items():
        network = settings_of(model, {NAME: Settings()}).network
        stepped = streaming(build(network), network, HOP_FRAMES)
        states[name] = int(stepped.inputs[1].shape[1])
        forms[name] = StreamingRuntime(
            to_tflite(stepped), Path(name), outputs=network.labels, state=states[name]
        )
    frames = np.random.default_rng(0).standard_normal((8, HOP_FRAMES, 64)).astype(np.float32)
    hop_us = {name: round(time, 1) for name, time in time_hops(forms, frames, states).items()}
    path.write_text(json.dumps({"machine": machine(), "hop_us": hop_us}, indent=1) + "\n", encoding="utf-8")


def hop_times(path: Path) -> Table:
    """The table of :func:`time_forms`, each time beside that of what ships; empty where none was taken."""
    columns = ("form", "a hop, µs", "of what ships")
    if not path.is_file():
        return Table(columns, ())
    hop_us = json.loads(path.read_text(encoding="utf-8"))["hop_us"]
    rows = ((name, f"{time:.0f}", f"{time / hop_us['ships']:.2f}") for name, time in hop_us.items())
    return Table(columns, tuple(rows))
