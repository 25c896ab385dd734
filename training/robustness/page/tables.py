"""The findings as tables: the same cells for Markdown and CSV."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.base.report import Cell, Table
from training.data.corpora import CLASSES
from training.robustness.attacks.in_features import EPSILONS_DB, Pushed
from training.robustness.attacks.in_sound import NOISES, PEAKS_DB, SECOND, SNRS_DB, Attacked
from training.robustness.corruptions.everyday import Finding
from training.robustness.page.gather import Findings, default_first, quantiles, share
from training.study.compare.tables import percent

_WHO = ("network", "folds", "seeds", "clips")


def _who(found: Sequence[Pushed | Attacked]) -> tuple[Cell, ...]:
    """Return the network, the attacked folds, and the number of distinct clips, shared by all seeds."""
    folds, seeds = ({f.fold for f in found}, {f.seed for f in found})
    clips = {(f.fold, clip) for f in found for clip in f.clips}
    return found[0].model, ", ".join(map(str, sorted(folds))), len(seeds), len(clips)


def features(findings: Findings) -> Table:
    """Return a row per network: robust accuracy at every budget, and the smallest successful change."""
    columns = (
        *_WHO, "clean", *(f"robust at {e:g} dB" for e in EPSILONS_DB),
        *(f"fooled at {e:g} dB, of those right" for e in EPSILONS_DB),
        "DeepFool RMS dB: median (10–90 %)", "largest bin dB: median (10–90 %)", "second method", "found",
        "its RMS dB: median (10–90 %)", "DeepFool's on the same clips: median",
    )  # fmt: skip
    return Table(columns, tuple(_features(model, findings.pushed_of(model)) for model in findings.models))


def _features(model: str, found: tuple[Pushed, ...]) -> tuple[Cell, ...]:
    clean = share([f.right for f in found])
    robust = [share([f.withstood[f"{e:g}"] for f in found]) for e in EPSILONS_DB]
    return (
        *_who(found), clean, *robust, *(_fooled(clean, r) for r in robust),
        spread(quantiles([f.rms_db for f in found])), spread(quantiles([f.max_db for f in found])),
        "/".join(sorted({f.second for f in found})),
        *_second([(f.second_asked, f.second_rms_db, f.rms_db) for f in found], 2),
    )  # fmt: skip


def _second(
    found: Sequence[tuple[Sequence[bool], Sequence[float | None], Sequence[float | None]]], digits: int
) -> tuple[str | None, str | None, str | None]:
    """Return the second method's results and DeepFool's on the same clips.

    Parameters
    ----------
    found
        By fold, whether the method was run, its result, and DeepFool's.
    """
    asked = sum(sum(one) for one, _, _ in found)
    if not asked:
        return None, None, None
    both = [(s, d) for _, second, first in found for s, d in zip(second, first, strict=True) if s is not None]
    its, deepfool = ([pair[i] for pair in both] for i in (0, 1))
    median = f"{quantiles([deepfool])[1]:.{digits}f}" if both else None
    return f"{len(both)} of {asked}", spread(quantiles([its]), digits), median


def _fooled(clean: float, robust: float) -> float:
    """Return the share of correct clips that the attack fooled."""
    return 1 - robust / clean if clean else float("nan")


def spread(values: tuple[float, float, float], digits: int = 2) -> str:
    """Return ``median (10 % – 90 %)``, or – where there is none."""
    low, middle, high = values
    if np.isnan(middle):
        return "–"
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def runs(findings: Findings) -> Table:
    """Return a row per run and for noise of the same size: the share of clips that stay correct."""
    columns = ("network", "dB", "clean", "FGSM", "PGD", "worst of all", "Gaussian noise", "pink noise")
    rows: list[tuple[Cell, ...]] = []
    for model in findings.models:
        found = findings.pushed_of(model)
        for epsilon in EPSILONS_DB:
            names = (f"FGSM {epsilon:g} dB", f"PGD {epsilon:g} dB")
            noises = (f"{c} noise as strong as PGD {epsilon:g} dB" for c in ("Gaussian", "pink"))
            fgsm, pgd, gaussian, pink = (share([f.alone[n] for f in found]) for n in (*names, *noises))
            worst = share([f.withstood[f"{epsilon:g}"] for f in found])
            clean = share([f.right for f in found])
            rows.append((model, f"{epsilon:g}", clean, fgsm, pgd, worst, gaussian, pink))
    return Table(columns, tuple(rows))


def classes(findings: Findings) -> Table:
    """Return DeepFool's median RMS change and number of clips by class; – where none was correct."""
    rows: list[tuple[Cell, ...]] = []
    for label in CLASSES:
        row: list[Cell] = [label]
        for model in findings.models:
            found = findings.pushed_of(model)
            mine = [[v for v, of in zip(f.rms_db, f.labels, strict=True) if of == label] for f in found]
            there = [v for part in mine for v in part if v is not None]
            row.append(f"{np.median(there):.2f} ({len(there)})" if there else None)
        rows.append(tuple(row))
    return Table(("class", *findings.models), tuple(rows))


def sounds(findings: Findings) -> Table:
    """Return a row per network: robust accuracy at every SNR, and the smallest perturbation's SNR."""
    columns = (
        *_WHO, "clean", *(f"robust at {s:g} dB SNR" for s in SNRS_DB),
        "DeepFool SNR dB: median (10–90 %)", "still fools in 16 bits", "turned up until it does: SNR dB",
        "its peak dBFS", "clips lost to 16 bits, even 24 dB up", "second method", "found",
        "its SNR dB: median (10–90 %)",
        "DeepFool's on the same clips: median",
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for model in findings.by_sound:
        found = findings.attacked_of(model)
        robust = [share([f.withstood[f"{s:g}"] for f in found]) for s in SNRS_DB]
        rows.append((
            *_who(found), share([f.right for f in found]), *robust,
            spread(quantiles([f.snr_db for f in found]), 1), share([_held(f) for f in found]),
            spread(quantiles([f.rounded_snr_db for f in found]), 1),
            spread(quantiles([f.rounded_peak_db for f in found]), 1), sum(map(_lost_to_rounding, found)),
            SECOND if any(any(f.second_asked) for f in found) else None,
            *_second([(f.second_asked, f.second_snr_db, f.snr_db) for f in found], 1),
        ))  # fmt: skip
    return Table(columns, tuple(rows))


def _held(found: Attacked) -> list[bool]:
    return [h for h, snr in zip(found.held_by_16_bits, found.snr_db, strict=True) if snr is not None]


def _lost_to_rounding(found: Attacked) -> int:
    """Return the clips whose smallest perturbation fails in 16 bits at any gain tried."""
    pairs = zip(found.snr_db, found.rounded_snr_db, strict=True)
    return sum(least is not None and held is None for least, held in pairs)


def sound_peaks(findings: Findings) -> Table:
    """Return a row per network: robust accuracy at every peak level of the perturbation."""
    columns = (
        *_WHO, "clean", *(f"robust at {p:g} dBFS" for p in PEAKS_DB),
        *(f"fooled at {p:g} dBFS, of those right" for p in PEAKS_DB),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for model in findings.by_sound:
        found = findings.attacked_of(model)
        clean = share([f.right for f in found])
        robust = [share([f.under_peak[f"{p:g}"] for f in found]) for p in PEAKS_DB]
        rows.append((*_who(found), clean, *robust, *(_fooled(clean, r) for r in robust)))
    return Table(columns, tuple(rows))


def sound_runs(findings: Findings) -> Table:
    """Return a row per budget: SNR after rounding, accuracy under PGD alone, and under noise."""
    columns = (
        "network", "budget", "SNR dB in 16 bits: median (least)", "peak dBFS, median", "rounded to nothing",
        "clean", "PGD", "few steps", "another start", "worst of all", "fooled, of those right",
        "Gaussian noise", "pink noise",
    )  # fmt: skip
    budgets = [(f"{s:g} dB", f"{s:g} dB SNR") for s in SNRS_DB] + [(f"{p:g} dBFS",) * 2 for p in PEAKS_DB]
    rows = tuple(
        (model, shown, *_sound_run(findings.attacked_of(model), budget))
        for model in findings.by_sound
        for budget, shown in budgets
    )
    return Table(columns, rows)


def _sound_run(found: Sequence[Attacked], budget: str) -> tuple[Cell, ...]:
    run, number = f"PGD {budget}", budget.split()[0]
    clean = share([f.right for f in found])
    left = [f.under_peak if budget.endswith("FS") else f.withstood for f in found]
    worst = share([one[number] for one in left])
    realised = [v for f in found for v in f.realised_db[run] if v is not None]
    snr = f"{np.median(realised):.1f} ({min(realised):.1f})" if realised else None
    names = (run, f"{run}, few steps", f"{run}, start 1", *(f"{c} noise at {budget}" for c in NOISES))
    pgd, few, again, *noises = (_if_there([f.alone.get(name) for f in found]) for name in names)
    return (
        snr, f"{quantiles([f.peaks_db[run] for f in found])[1]:.0f}",
        sum(map(sum, (f.right for f in found))) - len(realised), clean, pgd, few, again, worst,
        _fooled(clean, worst), *noises,
    )  # fmt: skip


def _if_there(values: Sequence[Sequence[bool] | None]) -> float | None:
    """Return a share over all folds; None if a fold lacks the run."""
    there = [part for part in values if part is not None]
    return share(there) if len(there) == len(values) else None


def sound_classes(findings: Findings) -> Table:
    """Return DeepFool's median SNR by class, as found and in 16 bits, and the number of clips."""
    rows: list[tuple[Cell, ...]] = []
    for label in CLASSES:
        row: list[Cell] = [label]
        for model in findings.by_sound:
            found = findings.attacked_of(model)
            least, held = (
                [v for values in side for v, of in values if of == label and v is not None]
                for side in (
                    [zip(f.snr_db, f.labels, strict=True) for f in found],
                    [zip(f.rounded_snr_db, f.labels, strict=True) for f in found],
                )
            )
            row.append(_least_and_held(least, held) if least else None)
        rows.append(tuple(row))
    return Table(("class", *findings.by_sound), tuple(rows))


def _least_and_held(least: Sequence[float], held: Sequence[float]) -> str:
    second = f"{np.median(held):.1f}" if held else "–"
    return f"{np.median(least):.1f} / {second} ({len(least)} / {len(held)})"


def everyday(found: Sequence[Finding]) -> Table:
    """Return a row per corruption: accuracy of each model, and points lost from clean."""
    subjects = default_first({one.subject for one in found})
    by_name: dict[str, dict[str, Finding]] = {}
    for one in found:
        by_name.setdefault(one.condition, {})[one.subject] = one
    rows: list[tuple[Cell, ...]] = []
    for name, each in by_name.items():
        first, shown = next(iter(each.values())), [each.get(subject) for subject in subjects]
        lost = (None if one is None else _lost(one) for one in shown)
        rows.append((name, first.what, first.figures.clips, *lost))
    columns = (
        "disturbance", "what", "clips",
        *(f"{subject}: accuracy, points lost (95 %), ECE" for subject in subjects),
    )  # fmt: skip
    return Table(columns, tuple(rows))


def everyday_alerts(found: Sequence[Finding]) -> Table:
    """Return a row per corruption and package: the shares of clips that its profiles report."""
    alerting = [one for one in found if one.alerts]
    profiles = list(dict.fromkeys(profile for one in alerting for profile in one.alerts))
    columns = (
        "model", "disturbance", "clips",
        *(f"`{profile}`: {what}" for profile in profiles for what in ("as their class", "as another")),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (one.subject, one.condition, one.figures.clips,
         *(value for profile in profiles for value in one.alerts[profile]))
        for one in alerting
    ]  # fmt: skip
    return Table(columns, tuple(rows))


def pools(findings: Findings) -> dict[tuple[int, ...], list[Finding]]:
    """Group findings on corruptions by their folds; most folds first."""
    found: dict[tuple[int, ...], list[Finding]] = {}
    for one in findings.everyday:
        found.setdefault(one.folds, []).append(one)
    return dict(sorted(found.items(), key=lambda item: (-len(item[0]), item[0])))


def _lost(found: Finding) -> str:
    return f"{found.figures.accuracy:.3f}, {percent(found.lost)}, {found.figures.ece:.2f}"


def costs(findings: Findings) -> Table:
    """Return a row per part: the number of analyses with a recorded cost, and the cost."""
    parts = dict.fromkeys(part for part, _ in findings.costs)
    groups = [(part, [cost for of, cost in findings.costs if of == part]) for part in parts]
    groups.append(("all", [cost for _, cost in findings.costs]))
    rows: list[tuple[Cell, ...]] = []
    for part, took in groups:
        seconds, cpu_seconds = sum(c.seconds for c in took), sum(c.cpu_seconds or 0.0 for c in took)
        rows.append((part, len(took), f"{seconds:.0f}", f"{cpu_seconds:.0f}"))
    return Table(("part", "analyses", "seconds by the clock", "seconds of processors"), tuple(rows))


def everyday_figures(findings: Findings) -> Table:
    """Return all figures on corruptions, a row per model and corruption."""
    columns = (
        "model", "folds", "disturbance", "family", "value", "clips", "recordings", "accuracy", "macro F1",
        "NLL", "ECE", "lost", "lost from", "lost to",
    )  # fmt: skip
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            f.subject, " ".join(map(str, f.folds)), f.condition, f.family, f.value, f.figures.clips,
            f.figures.recordings, f.figures.accuracy, f.figures.macro_f1, f.figures.nll, f.figures.ece,
            f.lost.value, f.lost.low, f.lost.high,
        )
        for f in findings.everyday
    )  # fmt: skip
    return Table(columns, rows)
