"""Conversion of a network with several outputs to every form, and its runs in both runtimes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monitor.features.logmel import log_mel
from monitor.features.spec import KaldiLogMelSpec
from training.base.arrays import Floats
from training.base.progress import Progress
from training.data.audio import read
from training.data.splits import rank
from training.errors import ExportError
from training.export.conversion import Weights, to_tflite
from training.export.forms import FORMS, run_everywhere
from training.export.parity import check_operators
from training.networks import mn04
from training.recipes.forms.figures import PARITY_OUTPUTS, Figure, FormFigures

RATE = 32_000
NAMES = {mn04.AUDIOSET: "sounds", mn04.EMBEDDING: "embedding"}
"""Outputs of the published network, by size."""
WINDOWS = 200
"""Windows that calibrate int8, and as many others on which forms are compared with Keras."""
_WINDOWS_EACH = 4
"""Windows of a recording."""


@dataclass(frozen=True)
class Converted:
    """The forms of a network, and their comparison with Keras.

    Parameters
    ----------
    flatbuffers
        Those that could be converted and that every runtime loads.
    refused
        Why the others could not.
    parity, window_us
        By form; see :class:`training.recipes.forms.figures.FormFigures`.
    rounded_input
        Largest difference of a logit of the Keras network, relative to the largest, when its input alone is
        rounded to 8 bits.
    """

    flatbuffers: Mapping[Weights, bytes]
    refused: Mapping[Weights, str]
    parity: Mapping[Weights, Mapping[str, Mapping[str, float]]]
    window_us: Mapping[Weights, Mapping[str, float]]
    rounded_input: float


def windows_of(paths: Sequence[Path], spec: KaldiLogMelSpec, hop_frames: int) -> Floats:
    """Return :data:`WINDOWS` windows, the first of each recording, in an order hashed from the names."""
    found: list[Floats] = []
    longest = spec.frames * spec.hop + (_WINDOWS_EACH - 1) * hop_frames * spec.hop
    for path in sorted(paths, key=lambda one: rank(one.name)):
        samples = read(path, RATE)[:longest]
        if len(samples) >= spec.frames * spec.hop:
            frames = log_mel(samples, spec, RATE, hop_frames)
            starts = range(0, len(frames) - spec.frames + 1, hop_frames)
            found += [frames[start : start + spec.frames] for start in starts]
        if len(found) >= WINDOWS:
            break
    return np.stack(found[:WINDOWS])


def convert_all(
    network: Any, names: Mapping[int, str], examples: Floats, windows: Floats, other: Path | None,
    report: Progress,
) -> Converted:  # fmt: skip
    """Convert a network to every form, and compare each with Keras.

    Parameters
    ----------
    names
        The network's outputs by size.
    examples
        Windows that calibrate int8.
    windows
        Windows of the comparison.
    other
        An interpreter with tflite-runtime; None leaves it out.
    """
    flatbuffers, refused = dict[Weights, bytes](), dict[Weights, str]()
    for form in FORMS:
        report(f"converting to {form}")
        try:
            flatbuffer = to_tflite(network, form, examples if form == "int8" else None)
            check_operators(flatbuffer)
        except ExportError as error:
            refused[form] = str(error)
        else:
            flatbuffers[form] = flatbuffer
    keras = _predicted(network, windows)
    sizes = sorted(names)
    timed = run_everywhere(windows, flatbuffers, sizes, other, report)
    parity: dict[Weights, dict[str, dict[str, float]]] = {form: {} for form in flatbuffers}
    window_us: dict[Weights, dict[str, float]] = {form: {} for form in flatbuffers}
    for runtime, found in timed.items():
        for form in flatbuffers:
            if found[form].refused:
                refused[form] = f"{runtime}: {found[form].refused}"
                continue
            outputs = np.split(np.array(found[form].outputs), np.cumsum(sizes)[:-1], axis=1)
            parity[form][runtime] = {
                names[size]: _difference(ours, keras[size]) for size, ours in zip(sizes, outputs, strict=True)
            }
            window_us[form][runtime] = round(found[form].window_us, 1)
    usable = {form: one for form, one in flatbuffers.items() if form not in refused}
    rounded = _predicted(network, _rounded(windows, examples))
    moved = max(_difference(rounded[size], keras[size]) for size in sizes if names[size] in PARITY_OUTPUTS)
    return Converted(usable, refused, parity, window_us, moved)


def _rounded(windows: Floats, examples: Floats) -> Floats:
    """Return windows rounded to 256 steps between the extremes of ``examples``."""
    low, high = float(examples.min()), float(examples.max())
    step = (high - low) / 255
    rounded: Floats = (np.rint((windows.clip(low, high) - low) / step) * step + low).astype(np.float32)
    return rounded


def form_figures(
    converted: Converted,
    figures: Mapping[Weights, Mapping[str, Figure]],
    changes: Mapping[Weights, tuple[float, float]],
) -> list[FormFigures]:
    """Return what was measured of every form, float32 first."""
    return [
        FormFigures(
            form,
            len(converted.flatbuffers.get(form, b"")),
            converted.refused.get(form, ""),
            converted.parity.get(form, {}),
            converted.window_us.get(form, {}),
            changes.get(form, (0.0, 0.0)),
            figures.get(form, {}),
        )
        for form in FORMS
    ]


def _predicted(network: Any, windows: Floats) -> dict[int, Floats]:
    """Return the Keras network's outputs by size, computed window by window."""
    each = [[np.asarray(one) for one in network(window[None], training=False)] for window in windows]
    return {int(column[0].shape[1]): np.concatenate(column) for column in zip(*each, strict=True)}


def _difference(ours: Floats, keras: Floats) -> float:
    return float(f"{np.abs(ours - keras).max() / max(1.0, float(np.abs(keras).max())):.3g}")
