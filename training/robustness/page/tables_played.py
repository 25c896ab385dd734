"""Tables of transferred attacks: sounds made against one network, evaluated on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from training.base.report import Cell, Table
from training.robustness.attacks.universal import SNRS_DB as UNIVERSAL_DB
from training.robustness.attacks.universal import Universal
from training.robustness.page.gather import Findings, share
from training.robustness.played.alerts import AS_RECORDED, Alerted
from training.robustness.played.transfer import SNRS_DB, Transferred
from training.robustness.targets.held_out import DEFAULT

_HEARD = "†"
"""Marks a receiver whose weights were trained on recordings of the fold."""


def transfer(findings: Findings) -> Table:
    """Return a row per source and receiver: accuracy clean, with the perturbation, and with noise."""
    columns = (
        "made against", "heard by", "clips", "clean",
        *(f"right at {s:g} dB SNR / with noise" for s in SNRS_DB),
        *(f"fooled at {s:g} dB, of those right" for s in SNRS_DB),
    )  # fmt: skip
    groups: dict[tuple[str, str, bool], list[Transferred]] = {}
    for one in sorted(findings.transferred, key=lambda one: one.source != DEFAULT):
        groups.setdefault((one.source, one.receiver, one.heard), []).append(one)
    return Table(columns, tuple(_transfer(*names, found) for names, found in groups.items()))


def _transfer(source: str, receiver: str, heard: bool, found: Sequence[Transferred]) -> tuple[Cell, ...]:
    names = [f"{s:g} dB" for s in SNRS_DB]
    kept = [share([f.withstood[n] for f in found]) for n in names]
    noise = [share([f.noise[n] for f in found]) for n in names]
    return (
        source, receiver + (_HEARD if heard else ""), sum(len(f.clips) for f in found),
        share([f.right for f in found]), *(f"{k:.2f} / {n:.2f}" for k, n in zip(kept, noise, strict=True)),
        *(_lost([f.right for f in found], [f.withstood[n] for f in found]) for n in names),
    )  # fmt: skip


def _lost(before: Sequence[Sequence[bool]], after: Sequence[Sequence[bool]]) -> float:
    """Return the share of correct clips that are misclassified after."""
    was, still = (np.concatenate([np.array(part, bool) for part in parts]) for parts in (before, after))
    return float((~still[was]).mean()) if was.any() else float("nan")


def alerts(findings: Findings) -> Table:
    """Return a row per monitor and source: the share of sirens that raise the alert."""
    columns = (
        "monitor", "profile", "made against", "fold", "sirens (recordings)", "over streets of so many files",
        f"{AS_RECORDED} (recordings)",
        *(f"at {s:g} dB SNR / with noise" for s in SNRS_DB),
        *(f"missed at {s:g} dB, of those reported" for s in SNRS_DB),
    )  # fmt: skip
    return Table(columns, tuple(_alerts(one) for one in findings.alerted))


def _alerts(one: Alerted) -> tuple[Cell, ...]:
    names = [f"{s:g} dB" for s in SNRS_DB]
    counted = {name: sum(raised) for name, raised in one.alerts.items()}
    return (
        one.receiver + (_HEARD if one.heard else ""), one.profile, one.source, one.fold,
        _of(len(one.clips), one.recordings), _files(one.streets),
        _of(counted[AS_RECORDED], _reported(one)),
        *(f"{counted[n]} / {counted[f'noise at {n}']}" for n in names),
        *(_lost([one.alerts[AS_RECORDED]], [one.alerts[n]]) for n in names),
    )  # fmt: skip


def _reported(one: Alerted) -> list[str]:
    """Return the recordings whose clean clip the monitor reports."""
    if not one.recordings:
        return []
    return [name for name, raised in zip(one.recordings, one.alerts[AS_RECORDED], strict=True) if raised]


def _of(count: int, recordings: Sequence[str]) -> str:
    """Return the counts of sounds and of recordings; records of an earlier version lack the latter."""
    return f"{count} ({len({*recordings})})" if recordings else str(count)


def _files(names: Sequence[str]) -> int | None:
    return len({*names}) or None


def universal(findings: Findings) -> Table:
    """Return a row per network, goal and level: effect of the universal perturbation on held-out sounds."""
    columns = (
        "network", "fold", "goal", "sounds (recordings)", "level of the sound over what is added, dB",
        "fooled, at random moments", "fooled, in random rooms too", "fooled by noise as loud",
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for one in findings.universal:
        for snr in UNIVERSAL_DB:
            name = f"{snr:g} dB"
            fooled = (one.fooled(kept[name]) for kept in (one.shifted, one.in_rooms, one.noise))
            goal = f"{one.goal} sirens"
            rows.append((one.source, one.fold, goal, _counted(one), f"{snr:g}", *fooled))
    return Table(columns, tuple(rows))


def _counted(one: Universal) -> str:
    """Return the sirens detected before, or streets without a detection before, and their recordings."""
    names = [name for name, counts in zip(one.recordings, one.counted, strict=False) if counts]
    return _of(sum(one.counted), names)


def universal_alerts(findings: Findings) -> Table:
    """Return a row per monitor and goal: sounds with a reported siren, and the same with noise."""
    levels = _levels(findings.universal)
    columns = (
        "monitor", "goal", "made against", "fold", "sounds (recordings)", "streets of so many files",
        "alerts, nothing added",
        *(f"alerts at {name} / with noise" for name in levels),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for one in findings.universal:
        for listener, alerts in one.alerts.items():
            known = listener.split(",")[0] in one.heard
            counted = {name: sum(raised) for name, raised in alerts.items()}
            streets, played = one.streets.get(listener.split(",")[0], ()), len(alerts[AS_RECORDED])
            rows.append((
                listener + (_HEARD if known else ""), f"{one.goal} sirens", one.source, one.fold,
                _of(played, one.recordings[:played] if one.goal == "hide" else streets), _files(streets),
                counted[AS_RECORDED],
                *(f"{counted[name]} / {counted[f'noise at {name}']}" for name in levels),
            ))  # fmt: skip
    return Table(columns, tuple(rows))


def _levels(universal: Sequence[Universal]) -> list[str]:
    runs: Mapping[str, object] = next((a for u in universal for a in u.alerts.values()), {})
    return [name for name in runs if name != AS_RECORDED and not name.startswith("noise")]


def smallest(findings: Findings) -> Table:
    """Return the smallest budget found for each network and goal."""
    rows = tuple(
        (one.source, one.fold, f"{one.goal} sirens", _counted(one), _smallest(one.smallest_db))
        for one in findings.universal
    )
    columns = (
        "network", "fold", "goal", "sounds (recordings)",
        "quietest that fools half in rooms: dB under the sound",
    )  # fmt: skip
    return Table(columns, rows)


def _smallest(snr: float | None) -> str:
    if snr is None:
        return f"none: not even at {UNIVERSAL_DB[-1]:g}"
    return f"{snr:g}, the edge of the search: quieter ones may do" if snr == UNIVERSAL_DB[0] else f"{snr:g}"


def examples(findings: Findings) -> Table:
    """Return a row per clip of the pictures."""
    columns = (
        "network", "clip", "is", "taken for", "by sound: dB SNR", "by features: RMS dB", "largest bin, dB",
    )  # fmt: skip
    rows = tuple(
        (e.model, e.clip, e.label, e.taken_for, f"{e.snr_db:.1f}", f"{e.rms_db:.2f}", f"{e.max_db:.1f}")
        for e in findings.examples
    )
    return Table(columns, rows)
