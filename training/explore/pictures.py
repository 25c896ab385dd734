"""The pictures of an exploration, each a matplotlib figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from monitor.features.logmel import mel_matrix
from training.data.audio import read
from training.data.corpora import Clip
from training.explore.counts import Counts
from training.explore.duplicates import Likeness
from training.explore.measure import ENVELOPE_FRAMES, ENVELOPE_S, SPEC, Measurement
from training.features.extract import extract
from training.features.spec import presets

_WIDE = (9.0, 4.2)
_ENOUGH = 0.1
"""An envelope is drawn as long as more than this share of a class's clips lasts."""


def fold_picture(counts: Counts) -> Figure:
    """Clips of each fold, stacked by class."""
    figure = Figure(_WIDE, layout="constrained")
    axes = figure.subplots()
    bottom = np.zeros(len(counts.folds))
    for row, label in enumerate(counts.labels):
        colour = f"C{row}" if len(counts.labels) <= 10 else None
        axes.bar(range(len(counts.folds)), counts.by_fold[row], bottom=bottom, label=label, color=colour)
        bottom += counts.by_fold[row]
    axes.set_xticks(range(len(counts.folds)), [str(fold) for fold in counts.folds])
    axes.set(xlabel="fold", ylabel="clips")
    if len(counts.labels) <= 10:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    return figure


def residual_picture(counts: Counts) -> Figure:
    """How far each class in each fold is from what even spreading would give, in standard deviations."""
    total = counts.by_fold.sum()
    share = counts.by_fold.sum(axis=1, keepdims=True) / total
    expected = share * counts.by_fold.sum(axis=0, keepdims=True)
    residual = (counts.by_fold - expected) / np.sqrt(expected)
    figure = Figure((8.0, 1.2 + 0.32 * len(counts.labels)), layout="constrained")
    axes = figure.subplots()
    limit = max(1.0, float(np.abs(residual).max()))
    image = axes.imshow(residual, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
    axes.set_xticks(range(len(counts.folds)), [str(fold) for fold in counts.folds])
    axes.set_yticks(range(len(counts.labels)), counts.labels)
    axes.set(xlabel="fold")
    for (row, column), clips in np.ndenumerate(counts.by_fold):
        colour = "white" if abs(residual[row, column]) > 0.6 * limit else "black"
        axes.text(column, row, str(clips), ha="center", va="center", fontsize=7, color=colour)
    figure.colorbar(image, label="clips above or below chance, standard deviations")
    return figure


def class_picture(counts: Counts) -> Figure:
    """Foreground and background clips of each class, and its recordings."""
    figure = Figure((9.0, 1.4 + 0.3 * len(counts.labels)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    places = np.arange(len(counts.labels))
    left.barh(places, counts.by_salience[:, 0], label="foreground")
    left.barh(places, counts.by_salience[:, 1], left=counts.by_salience[:, 0], label="background")
    left.set_yticks(places, counts.labels)
    left.invert_yaxis()
    left.set(xlabel="clips")
    left.legend(fontsize=8, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    right.barh(places - 0.2, counts.recordings, 0.4, label="recordings")
    right.barh(places + 0.2, counts.largest, 0.4, label="clips of the largest recording")
    right.set(xlabel="count")
    right.legend(fontsize=8, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def length_picture(clips: Sequence[Clip], measured: Sequence[Measurement], labels: Sequence[str]) -> Figure:
    """Lengths and levels of the clips of each class."""
    figure = Figure((9.0, 1.4 + 0.3 * len(labels)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    of_label = [[m for c, m in zip(clips, measured, strict=True) if c.label == label] for label in labels]
    left.boxplot(
        [[m.seconds for m in ms] for ms in of_label], orientation="horizontal", tick_labels=labels, widths=0.6
    )
    right.boxplot(
        [[m.rms_dbfs for m in ms] for ms in of_label],
        orientation="horizontal",
        tick_labels=labels,
        widths=0.6,
    )
    left.invert_yaxis()
    left.set(xlabel="length, s")
    right.set(xlabel="RMS level, dBFS")
    return figure


def spectrum_picture(clips: Sequence[Clip], measured: Sequence[Measurement], labels: Sequence[str]) -> Figure:
    """Mean spectrum of each class: median over clips and the middle half, level taken out."""
    figure, panels = _panels(labels)
    centres = _band_centres()
    for label, axes in zip(labels, panels, strict=False):
        bands = np.stack([m.mean for c, m in zip(clips, measured, strict=True) if c.label == label])
        bands -= bands.mean(axis=1, keepdims=True)
        low, middle, high = np.percentile(bands, [25, 50, 75], axis=0)
        axes.fill_between(centres, low, high, alpha=0.3)
        axes.plot(centres, middle)
        axes.set_xscale("log")
        axes.set_title(label, fontsize=9)
    figure.supxlabel("Hz", fontsize=9)
    figure.supylabel("dB about the clip's mean", fontsize=9)
    return figure


def envelope_picture(clips: Sequence[Clip], measured: Sequence[Measurement], labels: Sequence[str]) -> Figure:
    """Temporal envelope of each class: the median level under a clip's loudest 50 ms, and the middle half."""
    figure, panels = _panels(labels)
    time = (np.arange(ENVELOPE_FRAMES) + 0.5) * ENVELOPE_S
    for label, axes in zip(labels, panels, strict=False):
        levels = np.stack([m.envelope for c, m in zip(clips, measured, strict=True) if c.label == label])
        heard = np.isfinite(levels).mean(axis=0) > _ENOUGH
        low, middle, high = np.nanpercentile(levels[:, heard], [25, 50, 75], axis=0)
        axes.fill_between(time[heard], low, high, alpha=0.3)
        axes.plot(time[heard], middle)
        axes.set_title(label, fontsize=9)
    figure.supxlabel("s from the start of the clip", fontsize=9)
    figure.supylabel("dB under the loudest 50 ms", fontsize=9)
    return figure


def likeness_picture(alike: Likeness) -> Figure:
    """How alike are slices of one recording, and clips of two?"""
    figure = Figure(_WIDE, layout="constrained")
    axes = figure.subplots()
    for counted, label in ((alike.within, "of one recording"), (alike.between, "of two recordings")):
        if counted.sum():
            axes.stairs(
                counted / counted.sum(),
                alike.edges,
                label=f"{label}: {counted.sum()} pairs",
                fill=True,
                alpha=0.5,
            )
    axes.axvline(alike.typical, color="black", linewidth=1, label="median of one recording")
    axes.set(xlabel="cosine of the embeddings", ylabel="share of pairs")
    axes.legend(fontsize=8)
    return figure


def gallery_picture(chosen: Sequence[Clip]) -> Figure:
    """Waveform, log-mel and MFCC of one clip of each class."""
    figure = Figure((11.0, 1.25 * len(chosen)), layout="constrained")
    rows = figure.subplots(len(chosen), 3, squeeze=False)
    for clip, (wave, bands, cepstrum) in zip(chosen, rows, strict=True):
        samples = read(clip.path, SPEC.rate)[: round(SPEC.seconds * SPEC.rate)]
        wave.plot(np.arange(len(samples)) / SPEC.rate, samples, linewidth=0.4)
        wave.set_ylabel(clip.label, fontsize=7)
        extent = (0.0, SPEC.seconds, 0.0, 1.0)
        bands.imshow(extract(samples, SPEC).T, origin="lower", aspect="auto", extent=extent)
        mfcc = extract(samples, presets["mfcc"])[:, 1 : presets["mfcc"].n_mfcc]
        # Each coefficient about its mean: the first ones would hide what moves in the others.
        mfcc = (mfcc - mfcc.mean(axis=0)) / np.maximum(mfcc.std(axis=0), 1e-6)
        cepstrum.imshow(mfcc.T, origin="lower", aspect="auto", extent=extent, cmap="coolwarm", clim=(-3, 3))
        for axes in (wave, bands, cepstrum):
            axes.tick_params(labelsize=6)
        bands.set_yticks([])
        cepstrum.set_yticks([])
    for axes, title in zip(rows[0], ("waveform", "log-mel, 50 Hz … 8 kHz", "MFCC 1 … 19"), strict=True):
        axes.set_title(title, fontsize=9)
    return figure


def _panels(labels: Sequence[str]) -> tuple[Figure, list[Axes]]:
    columns = min(5, len(labels))
    rows = -(-len(labels) // columns)
    figure = Figure((2.2 * columns, 0.6 + 1.7 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in panels:
        axes.tick_params(labelsize=7)
    for axes in panels[len(labels) :]:
        axes.set_visible(False)
    return figure, list(panels)


def _band_centres() -> NDArray[np.float64]:
    """Centre of gravity of each mel filter, Hz."""
    matrix = mel_matrix(SPEC.log_mel(), SPEC.rate)
    hz = np.linspace(0.0, SPEC.rate / 2, matrix.shape[1])
    centres: NDArray[np.float64] = matrix @ hz / matrix.sum(axis=1)
    return centres
