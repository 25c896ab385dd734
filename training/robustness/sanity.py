"""What must hold before figures of attacks are believed (after Carlini et al., 2019), checked on the records.

A check is computed from what the attacks left right, never from what they were asked to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from training.robustness.gather import Findings, share
from training.robustness.in_features import EPSILONS_DB, LARGE_DB, Pushed
from training.robustness.in_sound import LOUD_DB, NOTHING_DB, SNRS_DB, Attacked
from training.robustness.planted import MARGINS_DB

_NEAR = 0.02
"""Two shares of the same clips differ by less than chance would: two clips of a hundred."""


@dataclass(frozen=True)
class Check:
    """One law for one network: what was found, and whether it is as it must be."""

    subject: str
    law: str
    found: str
    holds: bool


def checks(findings: Findings) -> list[Check]:
    """Return every check of every network, the planted ones first."""
    planted = [check for found in findings.planted for check in _planted(found)]
    inside = [c for model in findings.models for c in _network(model, findings.pushed_of(model))]
    return planted + inside + [c for m in findings.heard for c in _by_sound(m, findings.attacked_of(m))]


def _planted(found: Pushed) -> Iterator[Check]:
    margin = MARGINS_DB[found.model]
    left = {e: share([found.withstood[f"{e:g}"]]) for e in EPSILONS_DB}
    told = all(kept == (1.0 if e < margin else 0.0) for e, kept in left.items())
    text = ", ".join(f"{kept:.2f} at {e:g} dB" for e, kept in left.items())
    yield Check(found.model, f"withstands less than its {margin:g} dB and nothing more", text, told)
    nearest = np.median([v for v in found.rms_db if v is not None])
    near = abs(nearest / margin - 1) < 0.05
    yield Check(found.model, f"DeepFool finds the {margin:g} dB", f"{nearest:.3f} dB", bool(near))


def _network(model: str, found: Sequence[Pushed]) -> Iterator[Check]:
    clean = share([f.right for f in found])
    zero = all(tuple(f.withstood["0"]) == tuple(f.right) for f in found)
    yield Check(model, "a budget of nothing changes nothing", f"{clean:.3f} clean", zero)
    left = share([f.alone[f"PGD {LARGE_DB:g} dB"] for f in found])
    yield Check(model, f"{LARGE_DB:g} dB leave about nothing", f"{left:.3f}", left <= _NEAR)
    kept = [share([f.withstood[f"{e:g}"] for f in found]) for e in (0.0, *EPSILONS_DB, LARGE_DB)]
    falls = all(a >= b for a, b in pairwise(kept))
    yield Check(model, "more budget never leaves more right", " ≥ ".join(f"{k:.2f}" for k in kept), falls)
    gaps = [_alone(found, f"PGD {e:g} dB") - _alone(found, f"FGSM {e:g} dB") for e in EPSILONS_DB]
    law = "many steps fool at least as many as one"
    yield Check(model, law, f"at most {max(gaps):+.3f} left", max(gaps) <= _NEAR)
    noise = min(_alone(found, f"{c} noise as strong as PGD 1 dB") for c in ("Gaussian", "pink"))
    pgd = _alone(found, "PGD 1 dB")
    text = f"{noise:.3f} after noise, {pgd:.3f} after PGD"
    yield Check(model, "noise as strong as PGD at 1 dB fools fewer", text, noise > pgd)
    known = sum(sum(f.right) for f in found)
    moved = sum(v is not None for f in found for v in f.rms_db)
    yield Check(
        model, "DeepFool without limit fools all", f"{moved} of {known}", moved >= (1 - _NEAR) * known
    )


def _by_sound(model: str, found: Sequence[Attacked]) -> Iterator[Check]:
    name, clean = f"{model}, by sound", share([f.right for f in found])
    zero = all(tuple(f.withstood[f"{NOTHING_DB:g}"]) == tuple(f.right) for f in found)
    yield Check(name, "a perturbation of nothing changes nothing", f"{clean:.3f} clean", zero)
    left = share([f.alone[f"{LOUD_DB:g} dB"] for f in found])
    yield Check(name, f"{-LOUD_DB:g} dB over the sound leave about nothing", f"{left:.3f}", left <= _NEAR)
    budgets = (NOTHING_DB, *SNRS_DB, LOUD_DB)
    kept = [share([f.withstood[f"{b:g}"] for f in found]) for b in budgets]
    falls = all(a >= b for a, b in pairwise(kept))
    yield Check(name, "more budget never leaves more right", " ≥ ".join(f"{k:.2f}" for k in kept), falls)
    noise = min(share([f.alone[f"{c} noise at 30 dB"] for f in found]) for c in ("Gaussian", "pink"))
    pgd = share([f.alone["30 dB"] for f in found])
    text = f"{noise:.3f} after noise, {pgd:.3f} after PGD"
    yield Check(name, "noise as strong as PGD at 30 dB SNR fools fewer", text, noise > pgd)


def _alone(found: Sequence[Pushed], run: str) -> float:
    return share([f.alone[run] for f in found])
