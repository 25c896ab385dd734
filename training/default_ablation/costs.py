"""What each front end costs and how far back it looks: facts of the network, whether it was run or not."""

from __future__ import annotations

from training.default import HOP_FRAMES
from training.default_ablation.factors import GROUPS, NAME, Settings
from training.report import Cell, Table
from training.streaming.network import cost
from training.study.variants import settings_of

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
