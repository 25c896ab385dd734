"""The findings as one page: what stands where, and in which words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.report import Report, Table
from training.robustness import pictures, tables
from training.robustness.gather import Findings
from training.robustness.hardening import MOST_LOST
from training.robustness.sanity import checks

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def compose(findings: Findings) -> Report:
    """Return the page with its pictures and tables."""
    drawn: dict[str, Figure] = {"features.png": pictures.features(findings)}
    files = {
        "features.csv": tables.features(findings),
        "features-runs.csv": tables.runs(findings),
        "features-classes.csv": tables.classes(findings),
        "sanity.csv": _sanity_table(findings),
    }
    parts = [_OPENING, _features(files)]
    if findings.attacked:
        drawn["sounds.png"] = pictures.sounds(findings)
        files["sounds.csv"] = tables.sounds(findings)
        files["sounds-runs.csv"] = tables.sound_runs(findings)
        files["sounds-classes.csv"] = tables.sound_classes(findings)
        parts.append(_sounds(files))
    if findings.pairs:
        drawn["trade-off.png"] = pictures.trade_off(findings)
        files["hardening.csv"] = tables.pairs(findings)
        parts.append(_hardening(files["hardening.csv"]))
    if findings.everyday:
        drawn["everyday.png"] = pictures.everyday(findings)
        files["everyday.csv"] = tables.everyday_figures(findings)
        parts.append(_everyday(tables.everyday(findings)))
    parts.append(_sanity(files["sanity.csv"]))
    return Report("\n\n".join(parts) + "\n", drawn, files)


_OPENING = """# How easily is it fooled?

Made by `sound-training robustness` from the records beside it. Networks are those of the study, each tested
on the fold that it never saw. *Robust* is the share of all clips that stay right under every run of that
budget and of all lesser ones; *fooled* counts only clips that were right before; *clean* stands beside both.
What it means for a listener: [docs/robustness.md](../../robustness.md)."""


def _features(files: dict[str, Table]) -> str:
    return "\n\n".join([
        "## Features: decibels in the mel bands",
        "An attacker who could change the network's input itself, by no more than so many dB in any bin "
        "(PGD) or as little as possible over all bins (DeepFool, without limit; a second method checks it). "
        "Of the published frames only the mel bands may change. Such a change need not be a sound.",
        files["features.csv"].markdown(),
        "![Budgets and least changes](features.png)",
        "### Each run alone, and noise of its strength",
        files["features-runs.csv"].markdown(),
        "### Least change by class",
        "Median RMS dB that DeepFool needs; – where no clip of the class was right.",
        files["features-classes.csv"].markdown(),
    ])  # fmt: skip


def _sounds(files: dict[str, Table]) -> str:
    return "\n\n".join([
        "## Sound: decibels under what is heard",
        "An attacker who can add to the sound itself, through the monitor's own front end with gradients. "
        "The budget is the ratio of the clip's power to the perturbation's; perturbed sounds stay within "
        "full scale and are rounded to 16 bits. DeepFool looks for the quietest perturbation of all, before "
        "rounding.",
        files["sounds.csv"].markdown(),
        "![Budgets and least perturbations](sounds.png)",
        "### Each budget, and noise of its strength",
        files["sounds-runs.csv"].markdown(),
        "### Least perturbation by class",
        "Median dB SNR of DeepFool: the higher, the quieter it may be, the easier the class is fooled.",
        files["sounds-classes.csv"].markdown(),
    ])  # fmt: skip


def _everyday(table: Table) -> str:
    return "\n\n".join([
        "## What nobody means: noise, rooms, codecs, microphones",
        "Every model hears the same clips under the same disturbance. Points are lost against its own "
        "clean clips, with intervals over recordings; ECE says how far its confidence is off. Noises are "
        "recordings that trained nothing. A package is judged on the folds that its card calls unheard.",
        table.markdown(),
        "![Accuracy along each family](everyday.png)",
        "All figures: `everyday.csv`.",
    ])  # fmt: skip


def _hardening(table: Table) -> str:
    return "\n\n".join([
        "## Hardened networks beside plain ones",
        "TRADES on the windows, few steps, as many epochs as the plain network. *Accuracy* is of whole test "
        "folds, differences are paired by recording; attacks are on the chosen clips. A *candidate* for "
        f"shipping is sure to lose less than {MOST_LOST:.0%} of clean accuracy, at the interval's lower end.",
        table.markdown(),
        "![Clean against robust](trade-off.png)",
    ])  # fmt: skip


def _sanity_table(findings: Findings) -> Table:
    rows = tuple((c.subject, c.law, c.found, "holds" if c.holds else "**fails**") for c in checks(findings))
    return Table(("network", "what must hold", "found", ""), rows)


def _sanity(table: Table) -> str:
    return "\n\n".join([
        "## What must hold before any of this is believed",
        "The planted networks know two classes by their mean level: the least change is known exactly.",
        table.markdown(),
    ])  # fmt: skip
