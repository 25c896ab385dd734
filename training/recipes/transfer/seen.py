"""The picture of what is not counted because the spectrogram shows it (see :mod:`.may_hold`)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from training.base.atomic import atomic_write
from training.base.maths import db_of_power
from training.data.audio import RATE, read
from training.data.corpora import Clip
from training.recipes.transfer.may_hold import MAY_HOLD, PICTURE

_WINDOW, _HOP = 1024, 256
_LOWEST, _RANGE_DB, _HIGHEST_HZ = 1e-9, 55.0, 5000.0


def write_seen(backgrounds: Iterable[Clip], folder: Path) -> Path:
    """Draw the spectrogram of each stretch with :attr:`~.may_hold.Held.seen`, a panel each."""
    clips = {clip.recording: clip for clip in backgrounds}
    seen = [one for one in MAY_HOLD if one.seen]
    transform = ShortTimeFFT(hann(_WINDOW), _HOP, RATE)
    figure = Figure(figsize=(11, 2.6 * len(seen)), layout="constrained")
    for one, axes in zip(seen, np.atleast_1d(figure.subplots(len(seen))), strict=True):
        samples = read(clips[one.recording].path, RATE)[int(one.from_s * RATE) : int(one.to_s * RATE)]
        level = db_of_power(np.maximum(transform.spectrogram(samples), _LOWEST))
        level -= np.median(level, axis=1, keepdims=True)  # steady noise is as dark in all bands
        low_s, high_s, *_ = transform.extent(len(samples))
        extent = (low_s + one.from_s, high_s + one.from_s, 0.0, RATE / 2000)
        top = float(np.quantile(level, 0.9995))
        axes.imshow(level, origin="lower", aspect="auto", extent=extent, vmin=top - _RANGE_DB, vmax=top)
        axes.set(
            title=f"{one.recording}: {one.label}", ylabel="kHz", ylim=(0, _HIGHEST_HZ / 1000),
            xlim=(one.from_s, min(one.to_s, one.from_s + len(samples) / RATE)),
        )  # fmt: skip
    figure.supxlabel("seconds")
    path = folder / PICTURE
    with atomic_write(path) as partial:
        figure.savefig(partial, format="png", dpi=80, metadata={"Software": None})
    return path
