"""A small network of log-mel windows, its run, and the package made from it."""

from __future__ import annotations

from pathlib import Path

from monitor.model.package import write_package
from training.data.corpora import LABELS
from training.data.splits import Part
from training.export.conversion import to_tflite
from training.export.package import Identity, make_card, undecided
from training.features.front_end import default_front_end
from training.fit.trained import train
from training.fit.windows import RunSpec, measure_scaling
from training.mixing.prepare import make_mixer
from training.networks.compact import NetworkSpec

RUN = RunSpec(
    NetworkSpec(frames=48, stem=4, blocks=(4, 6), top=8, level="window"), epochs=1, steps=1, batch=2
)
HOP_FRAMES = 12


def write_small(folder: Path, part: Part) -> tuple[Path, Path]:
    """Train on the part; return the run's folder and the package."""
    front_end = default_front_end(folder / "cache").cut(RUN.network.frames)
    mixer = make_mixer(part, front_end, RUN.recipe, lambda done: None)
    scaling = measure_scaling(mixer, 0)
    model = train(RUN, len(LABELS), mixer, scaling, folder / "run", lambda text: None)
    hop = HOP_FRAMES * front_end.spec.hop
    card = make_card(front_end.spec, scaling, undecided(), hop, Identity("small", "MIT", ()))
    write_package(folder / "small.tflite", to_tflite(model), LABELS, card)
    return folder / "run", folder / "small.tflite"
