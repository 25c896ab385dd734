"""Composes the page of findings: its sections and their text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from training.base.report import Report, Table
from training.robustness.corruptions.everyday import Finding
from training.robustness.page import pictures, tables, tables_hardening, tables_played
from training.robustness.page.gather import Findings
from training.robustness.page.hardening import MOST_LOST
from training.robustness.page.sanity import checks

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def compose(findings: Findings, guide: str = "") -> Report:
    """Return the page with its pictures and tables; ``guide`` links from it to docs/robustness.md."""
    drawn: dict[str, Figure] = {}
    files = {"sanity.csv": _sanity_table(findings)}
    parts = [_OPENING + f"[docs/robustness.md]({guide})." if guide else _OPENING + "docs/robustness.md."]
    if findings.pushed:
        drawn["features.png"] = pictures.features(findings)
        files["features.csv"] = tables.features(findings)
        files["features-runs.csv"] = tables.runs(findings)
        files["features-classes.csv"] = tables.classes(findings)
        parts.append(_features(files))
    if findings.attacked:
        drawn["sounds.png"] = pictures.sounds(findings)
        files["sounds.csv"] = tables.sounds(findings)
        files["sounds-peaks.csv"] = tables.sound_peaks(findings)
        files["sounds-runs.csv"] = tables.sound_runs(findings)
        files["sounds-classes.csv"] = tables.sound_classes(findings)
        parts.append(_sounds(files))
    parts += _played(findings, drawn, files)
    if findings.pairs:
        drawn["trade-off.png"] = pictures.trade_off(findings)
        files["hardening.csv"] = tables_hardening.pairs(findings)
        files["hardening-attacked.csv"] = tables_hardening.pairs_attacked(findings)
        parts.append(_hardening(files))
    if findings.everyday:
        pools = tables.pools(findings)
        # All lines of one plot are of the same clips: those on which most models were evaluated.
        widest = max(pools.values(), key=lambda pool: len({found.subject for found in pool}))
        drawn["everyday.png"] = pictures.everyday(widest)
        files["everyday.csv"] = tables.everyday_figures(findings)
        parts.append(_everyday(widest))
        reported = tables.everyday_alerts(widest)
        if reported.rows:
            files["everyday-alerts.csv"] = reported
            parts.append(_everyday_alerts(reported))
    parts.append(_sanity(files["sanity.csv"]))
    if findings.costs:
        files["costs.csv"] = tables.costs(findings)
        parts.append(_costs(files["costs.csv"]))
    return Report("\n\n".join(parts) + "\n", drawn, files)


def _played(findings: Findings, drawn: dict[str, Figure], files: dict[str, Table]) -> list[str]:
    """Return the section on transferred attacks; add its pictures and tables."""
    parts: list[str] = []
    if findings.examples:
        files["examples.csv"] = tables_played.examples(findings)
        parts.append(_examples(files["examples.csv"]))
    if findings.transferred:
        files["transfer.csv"] = tables_played.transfer(findings)
        parts.append(_transfer(files["transfer.csv"]))
    if findings.alerted:
        files["alerts.csv"] = tables_played.alerts(findings)
        parts.append(_alerts(files["alerts.csv"]))
        parts += [_LEARNT] * (not all(one.streets for one in findings.alerted))
    if findings.universal:
        drawn["universal.png"] = pictures.universal(findings)
        files["universal.csv"] = tables_played.universal(findings)
        files["universal-alerts.csv"] = tables_played.universal_alerts(findings)
        files["universal-smallest.csv"] = tables_played.smallest(findings)
        parts.append(_universal(files))
        parts += [_LEARNT] * any(one.alerts and not one.streets for one in findings.universal)
    return parts


_OPENING = """# How easily is it fooled?

Made by `sound-training robustness` from the records beside it. `default` is the default model, the others are
networks of the study; each is tested on the fold that it never saw. *Robust* is the share of all clips that
stay right under every run of that budget and of all lesser ones; *fooled* counts only clips that were right
before; *clean* stands beside both. Every table is a CSV file too; some are nothing else.
What it means for a listener: """


def _features(files: dict[str, Table]) -> str:
    return "\n\n".join([
        "## Features: decibels in the mel bands",
        "An attacker who could change the network's input itself, by no more than so many dB in any bin "
        "(PGD) or as little as possible over all bins (DeepFool, without limit; a second method checks it). "
        "Of the published frames only the mel bands may change, between 0 and 80 dB under the clip's "
        "loudest. Such a change need not be a sound.",
        files["features.csv"].markdown(),
        "![Budgets and least changes](features.png)",
        "Each run alone, and noise of its strength: `features-runs.csv`. Median RMS dB that DeepFool needs, "
        "by class: `features-classes.csv`.",
    ])  # fmt: skip


def _sounds(files: dict[str, Table]) -> str:
    return "\n\n".join([
        "## Sound: decibels under what is heard",
        "An attacker who can add to the sound itself, through the front end that the network hears by, with "
        "gradients: the monitor's own, or the published features at their own rate (two of the 165 columns "
        "are counts and give none). The budget is the ratio of the clip's power to the perturbation's; "
        "perturbed sounds stay within full scale and are rounded to 16 bits. DeepFool looks for the quietest "
        "perturbation of all, before rounding; where that loses it, it is turned up in steps of 2 dB, by 24 "
        "at most.",
        files["sounds.csv"].markdown(),
        "![Budgets and least perturbations](sounds.png)",
        "### Decibels of full scale",
        "The same with the peak of what is added as the budget: what a converter or a file can hold.",
        files["sounds-peaks.csv"].markdown(),
        "Each run alone, with the SNR that 16 bits leave and noise of its strength: `sounds-runs.csv`. "
        "Median dB SNR of DeepFool by class, as found and as 16 bits hold it: `sounds-classes.csv`.",
    ])  # fmt: skip


def _examples(table: Table) -> str:
    return "\n\n".join([
        "### Examples",
        "Clips moved across the nearest decision boundary by sound, as far as 16 bits need, the first of "
        "each class for which that is possible. The command writes them to `runs/robustness-sounds`: clip, "
        "amplified perturbation and result as WAV, and spectrograms beside the least change of the features.",
        table.markdown(),
    ])  # fmt: skip


def _transfer(table: Table) -> str:
    return "\n\n".join([
        "## Transfer: what fools one, played to another",
        "Sounds perturbed against one network by its gradients, judged by receivers that gave none: its own "
        "TFLite conversions, other networks trained on the same folds, the package. Published networks hear "
        "them resampled to 22.05 kHz, as sources too, so their clean accuracy is not that of the study. The "
        "sounds have 16 kHz; `default` hears them resampled to 32 kHz, by its package as the daemon runs it. "
        "† has heard recordings of the fold in training.",
        table.markdown(),
    ])  # fmt: skip


def _alerts(table: Table) -> str:
    return "\n\n".join([
        "## Through the running monitor",
        "Sirens perturbed against a network of the study that never heard them, laid over a street (15 dB "
        "under them) that the package has not learnt from, and replayed by the monitor with its own windows, "
        "event logic and thresholds: how many raise the alert. Clips of one recording are alike: what counts "
        "is the number of recordings, in brackets. † has heard recordings of the fold in training, and "
        "perhaps the streets.",
        table.markdown(),
    ])  # fmt: skip


def _universal(files: dict[str, Table]) -> str:
    return "\n\n".join([
        "## One sound for all, over the air",
        "Two seconds that repeat, learnt on training recordings through random shifts and random rooms, "
        "judged on others: added to sirens to hide them, added to a street to raise false ones; noise as "
        "loud plays in the same rooms. *Fooled* counts sirens whose own output was above one half before, "
        "and streets where it was not. In brackets: of how many recordings; streets are stretches of four "
        "seconds of so many files.",
        files["universal-smallest.csv"].markdown(),
        "![One sound at every level](universal.png)",
        "Every level, without a room too, and noise as loud: `universal.csv`.",
        "### Through the running monitor",
        "The same sounds in random rooms, replayed: in how many a siren is reported. The streets are such as "
        "the package has not learnt from, and nothing was learnt on them; † may have.",
        files["universal-alerts.csv"].markdown(),
    ])  # fmt: skip


_LEARNT = (
    "Where no number of files stands, an earlier analysis played streets that the package had learnt from."
)


def _everyday(found: Sequence[Finding]) -> str:
    return "\n\n".join([
        "## What nobody means: noise, rooms, codecs, microphones",
        f"Clips of fold {', '.join(map(str, found[0].folds))}. Every model hears the same clips under the "
        "same disturbance, at 16 kHz. Points are lost against its own clean clips, with intervals over "
        "recordings. ECE says how far its confidence is off: of the default by its card, of the others after "
        "a temperature fitted on clips that they validated on. Streets and speech are recordings that the "
        "model has not learnt from: for the default others than for the networks.",
        tables.everyday(found).markdown(),
        "![Accuracy along each family](everyday.png)",
        "All figures, by fold and of packages without a fold: `everyday.csv`.",
    ])  # fmt: skip


def _everyday_alerts(table: Table) -> str:
    return "\n\n".join([
        "### What is reported",
        "Shares of the same clips, each followed by two seconds of silence, for which the daemon's event "
        "logic starts an event of their class, and of another, with thresholds from the other folds.",
        table.markdown(),
    ])  # fmt: skip


def _hardening(files: dict[str, Table]) -> str:
    return "\n\n".join([
        "## Hardened networks beside plain ones",
        "TRADES on the windows, few steps, as many epochs as the plain network. *Accuracy* is of whole test "
        "folds, differences are paired by recording. A *candidate* for shipping is sure to lose less than "
        f"{MOST_LOST:.0%} of clean accuracy, at the interval's lower end.",
        files["hardening.csv"].markdown(),
        "Under attack, on the same clips, hardened / plain. *Medians apart* and *stronger* say how many dB "
        "more DeepFool needs where both are right, with intervals over recordings; 6 dB is twice the change. "
        "Differences are of the robust share, paired by recording; in the picture they are the bars.",
        files["hardening-attacked.csv"].markdown(),
        "![Clean against robust](trade-off.png)",
    ])  # fmt: skip


def _sanity_table(findings: Findings) -> Table:
    rows = tuple((c.subject, c.law, c.found, "holds" if c.holds else "**fails**") for c in checks(findings))
    return Table(("network", "what must hold", "found", ""), rows)


def _sanity(table: Table) -> str:
    failed = tuple(row for row in table.rows if row[-1] != "holds")
    told = [Table(table.columns, failed).markdown()] if failed else []
    return "\n\n".join([
        "## What must hold before any of this is believed",
        "The planted networks know two classes by their mean level: the least change is known exactly. Of "
        f"{len(table.rows)} laws in `sanity.csv` {len(table.rows) - len(failed)} hold"
        + ("; these fail:" if failed else "."),
        *told,
    ])  # fmt: skip


def _costs(table: Table) -> str:
    return "\n\n".join([
        "## What it took",
        "Analyses whose records say it; several may have run at a time, and beside other work.",
        table.markdown(),
    ])  # fmt: skip
