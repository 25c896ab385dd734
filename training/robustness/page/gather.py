"""Collects records for the page, without data or networks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import DataError
from training.records.envelope import RunTime
from training.records.jobs import JobRecord, read_all
from training.robustness import records
from training.robustness.attacks.in_features import Pushed
from training.robustness.attacks.in_sound import Attacked
from training.robustness.attacks.universal import Universal
from training.robustness.corruptions.everyday import Finding
from training.robustness.page.hardening import HardenedPair, Side, is_hardened, pair, plain_of
from training.robustness.played.alerts import Alerted
from training.robustness.played.examples import Example
from training.robustness.played.transfer import Transferred
from training.robustness.records import PARTS
from training.robustness.targets.held_out import DEFAULT
from training.robustness.targets.planted import MARGINS_DB
from training.scoring.intervals import Interval
from training.scoring.statistics import Figures


@dataclass(frozen=True)
class Findings:
    """All findings by kind; ``planted`` are the synthetic controls, whose boundary is known."""

    pushed: tuple[Pushed, ...]
    planted: tuple[Pushed, ...]
    attacked: tuple[Attacked, ...] = ()
    pairs: tuple[HardenedPair, ...] = ()
    everyday: tuple[Finding, ...] = ()
    transferred: tuple[Transferred, ...] = ()
    alerted: tuple[Alerted, ...] = ()
    universal: tuple[Universal, ...] = ()
    examples: tuple[Example, ...] = ()
    costs: tuple[tuple[str, RunTime], ...] = ()
    """Part and cost of every analysis with a recorded cost."""

    @property
    def models(self) -> tuple[str, ...]:
        """Attacked networks, the default first, the others by name."""
        return default_first({found.model for found in self.pushed})

    def pushed_of(self, model: str) -> tuple[Pushed, ...]:
        return tuple(found for found in self.pushed if found.model == model)

    @property
    def by_sound(self) -> tuple[str, ...]:
        """Networks attacked by waveform, ordered alike."""
        return default_first({found.model for found in self.attacked})

    def attacked_of(self, model: str) -> tuple[Attacked, ...]:
        return tuple(found for found in self.attacked if found.model == model)


def default_first(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names in order, the default model first."""
    return tuple(sorted(names, key=lambda name: (name != DEFAULT, name)))


def gather(folder: Path) -> Findings:
    """Read every record of findings under ``folder``.

    Raises
    ------
    DataError
        If there are none, or one is damaged.
    """
    if not any(_rows(folder / part) for part in PARTS):
        raise DataError(f"{folder}: holds no findings; run an analysis first")
    every = [Pushed(**row) for row in _rows(folder / "features")]
    pushed = tuple(found for found in every if found.model not in MARGINS_DB)
    attacked = tuple(Attacked(**row) for row in _rows(folder / "sound"))
    return Findings(
        pushed,
        tuple(found for found in every if found.model in MARGINS_DB),
        attacked,
        tuple(_pairs(pushed, attacked, read_all(folder / "hardening"))),
        tuple(_finding(row) for row in _rows(folder / "everyday")),
        _once(Transferred(**row) for row in _rows(folder / "transfer")),
        tuple(Alerted(**row) for row in _rows(folder / "alerts")),
        _universal(Universal(**row) for row in _rows(folder / "universal")),
        tuple(Example(**row) for row in _rows(folder / "examples")),
        tuple(_costs(folder)),
    )


def _costs(folder: Path) -> Iterator[tuple[str, RunTime]]:
    for part in PARTS:
        for record in records.read_all(folder / part).values():
            if record.time is not None:
                yield part, record.time


def _finding(row: Mapping[str, Any]) -> Finding:
    figures: dict[str, Any] = {
        name: float("nan") if value is None else value for name, value in row["figures"].items()
    }
    lost = Interval(**row["lost"])
    alerts = {profile: (own, other) for profile, (own, other) in row.get("alerts", {}).items()}
    pool = tuple(row["folds"])
    return Finding(**{**row, "folds": pool, "figures": Figures(**figures), "lost": lost, "alerts": alerts})


def _pairs(
    pushed: Sequence[Pushed], attacked: Sequence[Attacked], jobs: Sequence[JobRecord]
) -> Iterator[HardenedPair]:
    """Pair every adversarially trained network with its plain one, where both have a fold in common."""
    sides = {
        model: Side(
            tuple(record for record in jobs if record.job.model == model),
            tuple(found for found in pushed if found.model == model),
            tuple(found for found in attacked if found.model == model),
        )
        for model in sorted({record.job.model for record in jobs})
    }
    for model, side in sides.items():
        plain = sides.get(plain_of(model))
        if is_hardened(model) and plain and _shared(plain, side):
            yield pair(plain, side)


def _shared(*sides: Side) -> bool:
    return bool(set.intersection(*({(r.job.test_fold, r.job.seed) for r in s.records} for s in sides)))


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [dict(row) for record in records.read_all(folder).values() for row in record.rows]


def _once(found: Iterable[Transferred]) -> tuple[Transferred, ...]:
    """Merge records that differ only in the packages evaluated."""
    return tuple({(one.source, one.receiver, one.fold, one.seed): one for one in found}.values())


def _universal(found: Iterable[Universal]) -> tuple[Universal, ...]:
    """Merge the records of each network, goal and training set, over all packages."""
    kept: dict[tuple[str, int, int, str, tuple[str, ...]], Universal] = {}
    for one in found:
        key = one.source, one.fold, one.seed, one.goal, tuple(one.learnt_on)
        before = kept.get(key)
        if before is not None:
            heard = tuple(dict.fromkeys((*before.heard, *one.heard)))
            streets = {**before.streets, **one.streets}
            one = replace(one, alerts={**before.alerts, **one.alerts}, heard=heard, streets=streets)
        kept[key] = one
    return tuple(kept.values())


def share(values: Sequence[Sequence[bool]]) -> float:
    """Return the share of true values over all clips of all folds; nan if there are none."""
    there = [v for part in values for v in part]
    return float(np.mean(there)) if there else float("nan")


def quantiles(values: Sequence[Sequence[float | None]]) -> tuple[float, float, float]:
    """Return 10 %, median and 90 % of the values present; nan if there are none."""
    there = [v for part in values for v in part if v is not None]
    if not there:
        return (float("nan"),) * 3
    low, middle, high = np.quantile(there, (0.1, 0.5, 0.9))
    return float(low), float(middle), float(high)
