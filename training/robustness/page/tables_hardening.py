"""Tables of adversarially trained networks beside plain ones."""

from __future__ import annotations

from training.base.report import Cell, Table
from training.robustness.page.gather import Findings
from training.scoring.intervals import Interval
from training.study.compare.tables import percent

_FEATURES = ("0.1 dB a bin", "0.5 dB a bin", "1 dB a bin")
_SOUND = ("50 dB SNR", "40 dB SNR", "30 dB SNR")
_BUDGETS = ("0.1 dB a bin, or 50 dB SNR", "0.5 dB, or 40 dB", "1 dB, or 30 dB")


def pairs(findings: Findings) -> Table:
    """Return adversarially trained beside plain networks of as many epochs: clean accuracy, full folds."""
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
    """Return the same networks under attack on the same clips; adversarially trained / plain."""
    columns = (
        "network", "attack", "clips, of all seeds", "clean", *_BUDGETS,
        *(f"difference, points (95 %): {b}" for b in _BUDGETS),
        "DeepFool, median", "right in both", "recordings", "medians apart, dB (95 %)",
        "stronger clip by clip, dB: median (95 %)", "10–90 % of the clips", "in 16 bits: median (95 %)",
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for one in findings.pairs:
        kinds = (("features", one.features, _FEATURES, "RMS dB"), ("sound", one.sound, _SOUND, "dB SNR"))
        for kind, attacks, budgets, unit in kinds:
            if attacks is not None:
                shown = (
                    f"{attacks.robust[b]:.2f} / {attacks.plain_robust[b]:.2f}" for b in ("clean", *budgets)
                )
                gained = (percent(attacks.gained[b]) for b in budgets)
                least = f"{attacks.least:.2f} / {attacks.plain_least:.2f} {unit}"
                low, _, high = attacks.harder
                rows.append((
                    one.model, kind, attacks.clips, *shown, *gained, least, attacks.both_right,
                    attacks.apart.recordings, _decibels(attacks.apart), _decibels(attacks.clip_by_clip),
                    f"{low:.1f}–{high:.1f}", _decibels(attacks.in_16_bits),
                ))  # fmt: skip
    return Table(columns, tuple(rows))


def _decibels(value: Interval | None) -> str | None:
    if value is None:
        return None
    return f"{value.value:+.1f} ({value.low:+.1f} … {value.high:+.1f})"
