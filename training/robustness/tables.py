"""The findings as tables: the same cells for Markdown and CSV."""

from __future__ import annotations

from training.data import CLASSES
from training.report import Cell, Table
from training.robustness.everyday import Finding
from training.robustness.gather import Findings, quantiles, share
from training.robustness.in_features import EPSILONS_DB, Pushed
from training.robustness.in_sound import SNRS_DB
from training.study.compare.tables import percent

_FEATURES = ("0.1 dB a bin", "0.5 dB a bin", "1 dB a bin")
_SOUND = ("50 dB SNR", "40 dB SNR", "30 dB SNR")
_BUDGETS = ("0.1 dB a bin, or 50 dB SNR", "0.5 dB, or 40 dB", "1 dB, or 30 dB")


def features(findings: Findings) -> Table:
    """One row per network: what it keeps at every budget, and the least change that fools it."""
    columns = (
        "network", "clips", "clean", *(f"robust at {e:g} dB" for e in EPSILONS_DB),
        *(f"fooled at {e:g} dB, of those right" for e in EPSILONS_DB),
        "DeepFool RMS dB: median (10–90 %)", "largest bin dB: median (10–90 %)", "second method",
        "its RMS dB",
    )  # fmt: skip
    return Table(columns, tuple(_features(model, findings.pushed_of(model)) for model in findings.models))


def _features(model: str, found: tuple[Pushed, ...]) -> tuple[Cell, ...]:
    clean = share([f.right for f in found])
    robust = [share([f.withstood[f"{e:g}"] for f in found]) for e in EPSILONS_DB]
    return (
        model, sum(len(f.clips) for f in found), clean, *robust, *(_fooled(clean, r) for r in robust),
        spread(quantiles([f.rms_db for f in found])), spread(quantiles([f.max_db for f in found])),
        "/".join(sorted({f.second for f in found})), spread(quantiles([f.second_rms_db for f in found])),
    )  # fmt: skip


def _fooled(clean: float, robust: float) -> float:
    """Of what was right, the share that is not any more."""
    return 1 - robust / clean if clean else float("nan")


def spread(values: tuple[float, float, float], digits: int = 2) -> str:
    """Return ``median (10 % – 90 %)``."""
    low, middle, high = values
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def runs(findings: Findings) -> Table:
    """Every run alone, and noise of its strength: share of all clips that stay right."""
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
    """Median of DeepFool's RMS change by class; – where the network knew no clip of it."""
    rows: list[tuple[Cell, ...]] = []
    for label in CLASSES:
        row: list[Cell] = [label]
        for model in findings.models:
            found = findings.pushed_of(model)
            mine = [[v for v, of in zip(f.rms_db, f.labels, strict=True) if of == label] for f in found]
            row.append(quantiles(mine)[1])
        rows.append(tuple(row))
    return Table(("class", *findings.models), tuple(rows))


def sounds(findings: Findings) -> Table:
    """One row per network: what it keeps at every SNR, and how far under the sound the least change lies."""
    columns = (
        "network", "clips", "clean", *(f"robust at {s:g} dB SNR" for s in SNRS_DB),
        "DeepFool SNR dB: median (10–90 %)", "its peak dBFS: median (10–90 %)", "still fools in 16 bits",
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for model in findings.heard:
        found = findings.attacked_of(model)
        robust = [share([f.withstood[f"{s:g}"] for f in found]) for s in SNRS_DB]
        held = [[v for v in f.held_by_16_bits if v is not None] for f in found]
        rows.append((
            model, sum(len(f.clips) for f in found), share([f.right for f in found]), *robust,
            spread(quantiles([f.snr_db for f in found]), 1), spread(quantiles([f.peak_db for f in found]), 1),
            share(held),
        ))  # fmt: skip
    return Table(columns, tuple(rows))


def sound_runs(findings: Findings) -> Table:
    """Every SNR: what PGD alone fools of the clips that were right, what noise does, and how loud it is."""
    columns = (
        "network", "dB SNR", "peak dBFS, median", "clean", "PGD", "worst of all", "fooled, of those right",
        "Gaussian noise", "pink noise",
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for model in findings.heard:
        found = findings.attacked_of(model)
        clean = share([f.right for f in found])
        for snr in SNRS_DB:
            names = (f"{snr:g} dB", *(f"{c} noise at {snr:g} dB" for c in ("Gaussian", "pink")))
            pgd, gaussian, pink = (share([f.alone[n] for f in found]) for n in names)
            worst = share([f.withstood[f"{snr:g}"] for f in found])
            peak = quantiles([f.full_scale_db[f"{snr:g}"] for f in found])[1]
            rows.append((
                model, f"{snr:g}", f"{peak:.0f}", clean, pgd, worst, _fooled(clean, worst), gaussian, pink
            ))  # fmt: skip
    return Table(columns, tuple(rows))


def sound_classes(findings: Findings) -> Table:
    """Median of DeepFool's SNR by class; – where the network knew no clip of it."""
    rows: list[tuple[Cell, ...]] = []
    for label in CLASSES:
        row: list[Cell] = [label]
        for model in findings.heard:
            found = findings.attacked_of(model)
            mine = [[v for v, of in zip(f.snr_db, f.labels, strict=True) if of == label] for f in found]
            row.append(quantiles(mine)[1])
        rows.append(tuple(row))
    return Table(("class", *findings.heard), tuple(rows))


def pairs(findings: Findings) -> Table:
    """Hardened networks beside the plain one of as many epochs: clean accuracy over whole folds."""
    columns = (
        "network", "folds", "seeds", "accuracy", "of the plain one", "difference, points (95 %)", "candidate",
    )  # fmt: skip
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            one.model, ", ".join(map(str, one.folds)), ", ".join(map(str, one.seeds)), one.accuracy,
            one.plain_accuracy, percent(one.gained), "yes" if one.is_candidate else "no",
        )
        for one in findings.pairs
    )  # fmt: skip
    return Table(columns, rows)


def pairs_attacked(findings: Findings) -> Table:
    """The same networks under attack, on the same clips; hardened / plain."""
    columns = (
        "network", "attack", "clips", *("clean", *_BUDGETS), "DeepFool, median", "right in both",
        "stronger by, dB: median (10–90 %)",
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for one in findings.pairs:
        kinds = (("features", one.features, _FEATURES, "RMS dB"), ("sound", one.sound, _SOUND, "dB SNR"))
        for kind, attacks, budgets, unit in kinds:
            if attacks is not None:
                shown = (
                    f"{attacks.robust[b]:.2f} / {attacks.plain_robust[b]:.2f}" for b in ("clean", *budgets)
                )
                least = f"{attacks.least:.2f} / {attacks.plain_least:.2f} {unit}"
                harder = spread(attacks.harder, 1)
                rows.append((one.model, kind, attacks.clips, *shown, least, attacks.both_right, harder))
    return Table(columns, tuple(rows))


def everyday(findings: Findings) -> Table:
    """Every disturbance: accuracy of each model, and points lost against its clean clips."""
    subjects = sorted({found.subject for found in findings.everyday})
    by_name: dict[str, dict[str, Finding]] = {}
    for found in findings.everyday:
        by_name.setdefault(found.condition, {})[found.subject] = found
    rows: list[tuple[Cell, ...]] = []
    for name, each in by_name.items():
        shown = [each.get(subject) for subject in subjects]
        what = next(iter(each.values())).what
        rows.append((name, what, *(None if one is None else _lost(one) for one in shown)))
    columns = (
        "disturbance",
        "what",
        *(f"{subject}: accuracy, points lost (95 %), ECE" for subject in subjects),
    )
    return Table(columns, tuple(rows))


def _lost(found: Finding) -> str:
    return f"{found.figures.accuracy:.3f}, {percent(found.lost)}, {found.figures.ece:.2f}"


def costs(findings: Findings) -> Table:
    """A row per part: how many analyses say what they took, and that."""
    parts = dict.fromkeys(part for part, _ in findings.costs)
    groups = [(part, [cost for of, cost in findings.costs if of == part]) for part in parts]
    groups.append(("all", [cost for _, cost in findings.costs]))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            part, len(took), f"{sum(c.seconds for c in took):.0f}", f"{sum(c.cpu_seconds for c in took):.0f}"
        )
        for part, took in groups
    )  # fmt: skip
    return Table(("part", "analyses", "seconds by the clock", "seconds of processors"), rows)


def everyday_figures(findings: Findings) -> Table:
    """The same, a row per model and disturbance with all figures."""
    columns = (
        "model", "disturbance", "family", "value", "clips", "recordings", "accuracy", "macro F1", "NLL",
        "ECE", "lost", "lost from", "lost to",
    )  # fmt: skip
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            f.subject, f.condition, f.family, f.value, f.figures.clips, f.figures.recordings,
            f.figures.accuracy, f.figures.macro_f1, f.figures.nll, f.figures.ece, f.lost.value, f.lost.low,
            f.lost.high,
        )
        for f in findings.everyday
    )  # fmt: skip
    return Table(columns, rows)
