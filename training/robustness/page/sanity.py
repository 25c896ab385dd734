"""Sanity checks of the attacks (after Carlini et al., 2019), computed from the records.

Each check uses the measured results of the attacks, never their settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from training.robustness.attacks.in_features import EPSILONS_DB, LARGE_DB, RANDOM_DB, Pushed
from training.robustness.attacks.in_sound import LOUD_DB, NOTHING_DB, PEAKS_DB, SNRS_DB, Attacked
from training.robustness.page.gather import Findings, share
from training.robustness.targets.planted import MARGINS_DB

_NEAR = 0.02
"""Tolerance between two shares of the same clips: two of a hundred clips."""


@dataclass(frozen=True)
class Check:
    """One check of one network: the measurement, and whether it is as required."""

    subject: str
    law: str
    found: str
    holds: bool


def checks(findings: Findings) -> list[Check]:
    """Return every check of every network, the synthetic controls first."""
    planted = [check for found in findings.planted for check in _planted(found)]
    inside = [c for model in findings.models for c in _network(model, findings.pushed_of(model))]
    return planted + inside + [c for m in findings.by_sound for c in _by_sound(m, findings.attacked_of(m))]


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
    left = share([f.withstood[f"{LARGE_DB:g}"] for f in found])
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
    tried = _alone(found, f"random changes of {RANDOM_DB:g} dB")
    law = f"as many random changes of {RANDOM_DB:g} dB as PGD has steps fool no more"
    text = f"{tried:.3f} after random ones, {pgd:.3f} after PGD"
    yield Check(model, law, text, tried >= pgd - _NEAR)
    yield _alive(model, found)
    yield _unlimited(model, found, [f.rms_db for f in found])


def _by_sound(model: str, found: Sequence[Attacked]) -> Iterator[Check]:
    name, clean = f"{model}, by sound", share([f.right for f in found])
    zero = all(tuple(f.withstood[f"{NOTHING_DB:g}"]) == tuple(f.right) for f in found)
    yield Check(name, "a perturbation of nothing changes nothing", f"{clean:.3f} clean", zero)
    left = share([f.withstood[f"{LOUD_DB:g}"] for f in found])
    yield Check(name, f"{-LOUD_DB:g} dB over the sound leave about nothing", f"{left:.3f}", left <= _NEAR)
    budgets = (NOTHING_DB, *SNRS_DB, LOUD_DB)
    kept = [share([f.withstood[f"{b:g}"] for f in found]) for b in budgets]
    falls = all(a >= b for a, b in pairwise(kept))
    yield Check(name, "more budget never leaves more right", " ≥ ".join(f"{k:.2f}" for k in kept), falls)
    kept = [share([f.under_peak[f"{p:g}"] for f in found]) for p in PEAKS_DB]
    falls = all(a >= b for a, b in pairwise([clean, *kept]))
    yield Check(name, "a higher peak never leaves more right", " ≥ ".join(f"{k:.2f}" for k in kept), falls)
    if all("PGD 30 dB, few steps" in f.alone for f in found):
        gaps = [_alone(found, f"PGD {s:g} dB") - _alone(found, f"PGD {s:g} dB, few steps") for s in SNRS_DB]
        law = "four times the steps fool at least as many"
        yield Check(name, law, f"at most {max(gaps):+.3f} left", max(gaps) <= _NEAR)
    yield _alive(name, found)
    noise = min(_alone(found, f"{c} noise at 30 dB") for c in ("Gaussian", "pink"))
    pgd = _alone(found, "PGD 30 dB")
    text = f"{noise:.3f} after noise, {pgd:.3f} after PGD"
    yield Check(name, "noise as strong as PGD at 30 dB SNR fools fewer", text, noise > pgd)
    held = sum(v is not None for f in found for v in f.rounded_snr_db)
    yield _unlimited(name, found, [f.snr_db for f in found], f", {held} in 16 bits")


def _unlimited(
    name: str, found: Sequence[Pushed | Attacked], least: Sequence[Sequence[float | None]], more: str = ""
) -> Check:
    """Check that an unbounded attack always succeeds; otherwise its search is too weak."""
    known, moved = sum(sum(f.right) for f in found), sum(v is not None for one in least for v in one)
    law = "DeepFool without limit fools all"
    return Check(name, law, f"{moved} of {known}{more}", moved >= (1 - _NEAR) * known)


def _alive(name: str, found: Sequence[Pushed | Attacked]) -> Check:
    """Check for vanishing or non-finite gradients, which make an attack ineffective."""
    known, dead = (sum(map(sum, values)) for values in ([f.right for f in found], [f.dead for f in found]))
    law = "the loss of every clip that is right has a gradient"
    return Check(name, law, f"{dead} of {known} have none, or none that is finite", not dead)


def _alone(found: Sequence[Pushed | Attacked], run: str) -> float:
    return share([f.alone[run] for f in found])
