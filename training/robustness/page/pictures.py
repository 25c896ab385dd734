"""Plots of the findings; each function returns a figure and does no IO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.robustness.attacks.in_features import EPSILONS_DB
from training.robustness.attacks.in_sound import SNRS_DB
from training.robustness.attacks.universal import SNRS_DB as UNIVERSAL_DB
from training.robustness.attacks.universal import Universal
from training.robustness.corruptions.disturbances import CLEAN
from training.robustness.corruptions.everyday import Finding
from training.robustness.page.gather import Findings, default_first, share
from training.scoring.intervals import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def features(findings: Findings) -> Figure:
    """Plot robust accuracy over the budget, and the distribution of the smallest change."""
    figure = _figure(11, 4.4)
    curve, least = figure.subplots(1, 2)
    for model in findings.models:
        found = findings.pushed_of(model)
        kept = [share([f.withstood[f"{e:g}"] for f in found]) for e in (0.0, *EPSILONS_DB)]
        (line,) = curve.plot(range(len(kept)), kept, "o-", label=model)
        values = np.sort([v for f in found for v in f.rms_db if v is not None])
        least.step(values, np.arange(1, len(values) + 1) / max(1, len(values)), color=line.get_color())
    curve.set_xticks(range(1 + len(EPSILONS_DB)), ["clean", *(f"{e:g}" for e in EPSILONS_DB)])
    curve.set_xlabel("budget, dB in every bin")
    curve.set_ylabel("right, of all clips")
    curve.set_ylim(0, 1)
    least.set_xscale("log")
    least.set_xlabel("least change that fools (DeepFool), RMS dB over bins")
    least.set_ylabel("fooled, of the clips that were right")
    for axes in (curve, least):
        axes.grid(alpha=0.3)
    figure.legend(*curve.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    return figure


def sounds(findings: Findings) -> Figure:
    """Plot robust accuracy over SNR, and the distribution of the smallest perturbation's SNR."""
    figure = _figure(11, 4.4)
    curve, least = figure.subplots(1, 2)
    for model in findings.by_sound:
        found = findings.attacked_of(model)
        kept = [share([f.withstood[f"{s:g}"] for f in found]) for s in SNRS_DB]
        (line,) = curve.plot(SNRS_DB, kept, "o-", label=model)
        values = np.sort([v for f in found for v in f.snr_db if v is not None])[::-1]
        least.step(values, np.arange(1, len(values) + 1) / max(1, len(values)), color=line.get_color())
    curve.set_xlabel("the sound lies so many dB over the perturbation")
    curve.set_ylabel("right, of all clips")
    curve.set_ylim(0, 1)
    least.set_xlabel("least perturbation that fools (DeepFool), dB SNR")
    least.set_ylabel("fooled, of the clips that were right")
    for axes in (curve, least):
        axes.invert_xaxis()
        axes.grid(alpha=0.3)
    figure.legend(*curve.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    return figure


def everyday(found: Sequence[Finding]) -> Figure:
    """Plot accuracy along each family of corruptions, a line per model; dotted: clean."""
    families = list(dict.fromkeys(f.family for f in found if f.family != CLEAN))
    subjects = default_first({f.subject for f in found})
    rows = -(-len(families) // 4)
    figure = _figure(12, 2.6 * rows + 0.6)
    panels = figure.subplots(rows, 4, squeeze=False).ravel()
    for axes, family in zip(panels, families, strict=False):
        for number, subject in enumerate(subjects):
            mine = [f for f in found if f.subject == subject]
            points = sorted((f.value, f.figures.accuracy) for f in mine if f.family == family)
            axes.plot(*zip(*points, strict=True), "o-", ms=4, color=f"C{number}", label=subject)
            clean = next(f.figures.accuracy for f in mine if f.family == CLEAN)
            axes.axhline(clean, color=f"C{number}", ls=":", lw=1)
        axes.set_title(family, fontsize=9)
        axes.set_ylim(0, 1)
        axes.grid(alpha=0.3)
    for axes in panels[len(families) :]:
        axes.set_axis_off()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    return figure


def universal(findings: Findings) -> Figure:
    """Plot the share fooled by a universal perturbation over its level, all folds; dotted: noise."""
    figure = _figure(11, 4.4)
    for axes, goal in zip(figure.subplots(1, 2), ("hide", "raise"), strict=True):
        of_goal = [one for one in findings.universal if one.goal == goal]
        for number, source in enumerate(dict.fromkeys(one.source for one in of_goal)):
            found = [one for one in of_goal if one.source == source]
            for kind, style in (("shifted", "o--"), ("in_rooms", "o-"), ("noise", "x:")):
                fooled = [_fooled(found, kind, f"{snr:g} dB") for snr in UNIVERSAL_DB]
                label = source if style == "o-" else None
                axes.plot(UNIVERSAL_DB, fooled, style, ms=4, color=f"C{number}", label=label)
        axes.set_title(f"{goal} sirens (dashed: no room; dotted: noise)", fontsize=9)
        axes.set_xlabel("level of the sound over what is added, dB")
        axes.set_ylabel("fooled")
        axes.set_ylim(-0.02, 1.02)
        axes.invert_xaxis()
        axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    return figure


def _fooled(found: Sequence[Universal], kind: str, level: str) -> float:
    """Return the share of fooled sounds of all folds; nan if none counts."""
    counted = [one for one in found if any(one.counted)]
    if not counted:
        return float("nan")
    shares = [one.fooled(getattr(one, kind)[level]) for one in counted]
    return float(np.average(shares, weights=[sum(one.counted) for one in counted]))


def trade_off(findings: Findings) -> Figure:
    """Plot robust over clean accuracy of the same clips, plain to adversarially trained as arrows.

    Bars are the intervals of the difference from the plain one, paired by recording.
    """
    figure = _figure(11, 4.4)
    for axes, attack in zip(figure.subplots(1, 2), ("0.5 dB a bin", "40 dB SNR"), strict=True):
        for one in findings.pairs:
            attacks = one.sound if attack.endswith("SNR") else one.features
            if attacks is None:
                continue
            start, end = ((side["clean"], side[attack]) for side in (attacks.plain_robust, attacks.robust))
            axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": "0.5"})
            axes.plot(*start, "o", color="#b35806")
            across, along = (_bars(attacks.gained[name]) for name in ("clean", attack))
            axes.errorbar(*end, xerr=across, yerr=along, fmt="o", color="#2166ac", elinewidth=0.8, capsize=2)
            label = one.model.removeprefix(one.plain).replace("~hardening.", " ").strip()
            axes.annotate(label, end, (4, 4), textcoords="offset points", fontsize=7)
        axes.set_xlabel("right, undisturbed")
        axes.set_ylabel(f"right, under {attack}")
        axes.margins(0.2)
        axes.grid(alpha=0.3)
    return figure


def _bars(gained: Interval) -> NDArray[np.float64]:
    """Return the distances of an interval's ends from its figure."""
    reach: NDArray[np.float64] = np.array([[gained.value - gained.low], [gained.high - gained.value]])
    return np.maximum(reach, 0.0)
