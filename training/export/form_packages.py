"""Packages of a network's converted forms, each with its own figures on the card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monitor.model.card import Quality
from monitor.model.package import write_package
from training.export.forms import Checked
from training.export.trained_network import TrainedNetwork


def write_forms(
    network: TrainedNetwork, checked: Sequence[Checked], command: str, folder: Path
) -> list[Path]:
    """Write each accepted form as a package of its own; return the files.

    Parameters
    ----------
    command
        Command that reproduces the form's figures, recorded on the card.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for one in checked:
        path = folder / f"{network.card.name}-{one.form}.tflite"
        path.unlink(missing_ok=True)
        if not one.refused:
            quality = (*network.card.quality, *_quality(network, one, command))
            card = network.card.model_copy(update={"quality": quality})
            write_package(path, one.flatbuffer, network.package.labels, card)
            paths.append(path)
    return paths


def _quality(network: TrainedNetwork, one: Checked, command: str) -> list[Quality]:
    clips, windows = f"{one.clips} clips of --clips", f"{one.windows} windows of them"
    figures = {f"clip accuracy as {one.form}": (one.accuracy, clips)}
    figures[f"clips that {one.form} takes for the same class as float32"] = (one.agreement, clips)
    for runtime, apart in one.differences.items():
        figures[f"largest difference of a logit, {one.form} in {runtime} and Keras"] = (apart, windows)
    for runtime, window_us in one.window_us.items():
        figures[f"time of a window in microseconds, {one.form} in {runtime}"] = (window_us, windows)
    return [
        Quality(
            measure=measure,
            value=float(f"{value:.4g}"),
            data=data,
            fold="none",
            seed=0,
            command=command,
        )
        for measure, (value, data) in figures.items()
    ]
