"""Compose the page of the exploration of a corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from training.base.report import Report, Table
from training.data.corpora import Clip
from training.explore import pictures
from training.explore.counts import ChiSquare, Counts, chi_square, count
from training.explore.duplicates import Likeness, embed, likeness
from training.explore.measure import Measurement

_FOREGROUND = 1
_SHORT_S = 1.0
_NEAR_IDS = 100
"""Ids number uploads, so those of one recording session are close together."""


@dataclass(frozen=True)
class Explored:
    """The content of the page: counts of the full table, measurements of the clips present."""

    corpus: str
    listed: Counts
    chi: ChiSquare
    clips: tuple[Clip, ...]
    measured: tuple[Measurement, ...]
    alike: Likeness


def explored(rows: Sequence[tuple[Clip, bool]], measured: Sequence[Measurement]) -> Explored:
    """Combine the table of a corpus (clip, whether its file is present) with the measurements."""
    clips = tuple(clip for clip, present in rows if present)
    counts = count([clip for clip, _ in rows])
    alike = likeness(clips, embed(measured))
    return Explored(clips[0].corpus, counts, chi_square(counts.by_fold), clips, tuple(measured), alike)


def report(found: Explored, gallery: bool) -> Report:
    """Return the page, its pictures and its tables; ``gallery`` adds pictures of single clips."""
    here = [label for label in found.listed.labels if any(c.label == label for c in found.clips)]
    drawn: dict[str, Figure] = {
        "classes.png": pictures.class_picture(found.listed),
        "folds.png": pictures.fold_picture(found.listed),
        "imbalance.png": pictures.residual_picture(found.listed),
        "lengths.png": pictures.length_picture(found.clips, found.measured, here),
        "spectra.png": pictures.spectrum_picture(found.clips, found.measured, here),
        "envelopes.png": pictures.envelope_picture(found.clips, found.measured, here),
        "likeness.png": pictures.likeness_picture(found.alike),
    }
    if gallery:
        drawn["gallery.png"] = pictures.gallery_picture([example(found.clips, label) for label in here])
    tables = {
        "classes.csv": class_table(found),
        "folds.csv": fold_table(found.listed),
        "duplicates.csv": duplicate_table(found.alike),
    }
    return Report(_markdown(found, tables, gallery), drawn, tables)


def example(clips: Sequence[Clip], label: str) -> Clip:
    """Return the clip of a class for the gallery: the longest one, foreground before background."""
    return min(
        (clip for clip in clips if clip.label == label),
        key=lambda c: (c.salience != _FOREGROUND, c.start_s - c.end_s, c.path.stem),
    )


def class_table(found: Explored) -> Table:
    """Return a row per class: clips and recordings of the table, sound of the clips present."""
    rows = []
    for row, label in enumerate(found.listed.labels):
        here = [m for c, m in zip(found.clips, found.measured, strict=True) if c.label == label]
        foreground, background = found.listed.by_salience[row].tolist()
        seconds = np.array([m.seconds for m in here])
        rows.append((
            label, foreground + background, foreground, background,
            int(found.listed.recordings[row]), int(found.listed.largest[row]), len(here),
            float(np.median(seconds)) if here else None,
            float(np.mean(seconds < _SHORT_S)) if here else None,
            float(np.median([m.rms_dbfs for m in here])) if here else None,
            float(np.mean([m.clipped > 0 for m in here])) if here else None,
        ))  # fmt: skip
    columns = (
        "class", "clips", "foreground", "background", "recordings", "largest recording",
        "present", "median s", "share under 1 s", "median dBFS", "share with full-scale samples",
    )  # fmt: skip
    return Table(columns, tuple(rows))


def fold_table(counts: Counts) -> Table:
    """Return the clips per class and fold."""
    rows = [
        (label, *by.tolist(), int(by.sum())) for label, by in zip(counts.labels, counts.by_fold, strict=True)
    ]
    total = ("all", *counts.by_fold.sum(axis=0).tolist(), int(counts.by_fold.sum()))
    return Table(("class", *(f"fold {fold}" for fold in counts.folds), "all"), (*rows, total))


def duplicate_table(alike: Likeness) -> Table:
    """Return the most similar clips of different recordings."""
    rows = tuple(
        (
            *(v for clip in (pair.first, pair.second) for v in (clip.path.stem, clip.fold, clip.label)),
            pair.similarity,
        )
        for pair in alike.pairs
    )
    return Table(("clip", "fold", "class", "other clip", "fold of it", "class of it", "cosine"), rows)


def _markdown(found: Explored, tables: dict[str, Table], gallery: bool) -> str:
    total = int(found.listed.by_fold.sum())
    hours = sum(m.seconds for m in found.measured) / 3600
    parts = [
        f"# {found.corpus}: what is in it",
        f"Made by `sound-training explore`. {len(found.clips)} of the table's {total} clips are present "
        f"({hours:.2f} h). Counts cover the full table; sound is measured on the clips present.",
        "## Classes",
        "![Classes](classes.png)",
        tables["classes.csv"].markdown(),
        "The size of a class is its number of recordings, not of clips: slices of one recording are nearly "
        "alike. Intervals therefore resample recordings.",
        "## Folds",
        f"Chi-square of class against fold: **{found.chi.statistic:.2f}** with {found.chi.degrees} degrees "
        f"of freedom, p = {found.chi.p:.1e}: {_evenness(found.chi)}",
        "![Folds](folds.png)",
        "![Classes against folds](imbalance.png)",
        tables["folds.csv"].markdown(),
        "## Lengths, rates and levels",
        _rates(found.measured),
        "![Lengths and levels](lengths.png)",
        "## Spectra",
        "![Mean spectra](spectra.png)",
        "## Envelopes",
        "![Envelopes](envelopes.png)",
        *_gallery(gallery),
        "## Near-duplicates",
        _likeness_text(found.alike),
        "![Likeness](likeness.png)",
        tables["duplicates.csv"].markdown(),
    ]
    return "\n\n".join(parts) + "\n"


def _evenness(chi: ChiSquare) -> str:
    if chi.p < 0.01:
        return "the classes are not spread evenly over the folds, so single folds are not comparable."
    return "no evidence that the classes are spread unevenly over the folds."


def _rates(measured: Sequence[Measurement]) -> str:
    rates = Counter((m.rate, m.channels) for m in measured).most_common()
    counts = ", ".join(f"{rate} Hz × {channels}: {clips}" for (rate, channels), clips in rates)
    short = sum(m.seconds < _SHORT_S for m in measured)
    shortest = min(m.seconds for m in measured)
    advice = (
        " Lengths depend on the class, so padding with silence would reveal it: clips are repeated instead."
        if short
        else ""
    )
    return (
        f"Files (rate × channels: clips): {counts}. {short} clips are shorter than 1 s; the shortest lasts "
        f"{shortest:.3f} s.{advice}"
    )


def _gallery(gallery: bool) -> list[str]:
    if not gallery:
        return []
    return [
        "## Gallery",
        "The longest foreground clip of each class.",
        "![Gallery](gallery.png)",
    ]


def _likeness_text(alike: Likeness) -> str:
    close = sum(_neighbours(pair.first.recording, pair.second.recording) for pair in alike.pairs)
    return (
        "Clips are compared by the cosine of their level-free mean spectrum and its deviation over time, "
        f"both standardised. The median of two slices of one recording is {alike.typical:.3f}. "
        f"{alike.suspicious} pairs of different recordings are above it, {alike.suspicious_across} of them "
        f"in different folds. Of the {len(alike.pairs)} pairs listed, {close} have Freesound ids less than "
        f"{_NEAR_IDS} apart, which suggests one session. Folds separate recordings but not sessions, so "
        "figures over folds may be slightly optimistic, for all models alike."
    )


def _neighbours(first: str, second: str) -> bool:
    return first.isdigit() and second.isdigit() and abs(int(first) - int(second)) < _NEAR_IDS
