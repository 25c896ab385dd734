"""Runs the comparison with peers: scores every system on every fold, and keeps the counts; resumable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from training.data.corpora import Corpora
from training.data.splits import Part, leave_one_out
from training.mixing.soundscapes import ScapePlan, Soundscape, make_soundscapes
from training.recipes.transfer.make import Plan, Workshop, leave_each_out
from training.records.envelope import CodeVersion
from training.records.store import Store
from training.scoring.held_out import SCAPES
from training.stream_eval.peers.operating import count
from training.stream_eval.peers.records import TRIALS, TrialRecord, digest_of, key_of, name_of
from training.stream_eval.peers.scoring import mn04_heard, yamnet_heard
from training.stream_eval.peers.systems import Trial, ours, untouched, with_head


def run(plan: Plan, corpora: Corpora, shop: Workshop, root: Path, records: Path) -> None:
    """Count every trial without an up-to-date record; each record is written as soon as it is made.

    Parameters
    ----------
    plan
        Plan of the default recipe; without seeds its networks are left out.
    root
        Data folder.
    """
    parts = {fold: split.test for fold, split in leave_one_out(corpora, plan.folds).items()}
    soundscapes = ScapePlan(SCAPES, rate=shop.sources.front_end.rate)
    scapes = {fold: make_soundscapes(part, soundscapes) for fold, part in parts.items()}
    store = Store(records, TRIALS)
    for trial in _peers(parts, scapes, shop, root):
        _keep(trial, scapes[trial.fold], store, plan, shop)
    if plan.seeds:
        for trial in ours(leave_each_out(plan, corpora, shop)):
            _keep(trial, scapes[trial.fold], store, plan, shop)


def _peers(
    parts: Mapping[int, Part], scapes: Mapping[int, Sequence[Soundscape]], shop: Workshop, root: Path
) -> Iterator[Trial]:
    cache, yamnet = shop.sources.front_end.cache, {}
    for fold, part in parts.items():
        yamnet[fold] = yamnet_heard(part, scapes[fold], root / "yamnet", cache)
        shop.report(f"fold {fold}: scored by YAMNet")
    yield from untouched("YAMNet", yamnet)
    yield from with_head("head on YAMNet", yamnet)
    mn04 = {fold: mn04_heard(part, shop, fold) for fold, part in parts.items()}
    yield from untouched("mn04", mn04)
    yield from with_head("head on mn04", mn04)


def _keep(
    trial: Trial, scapes: Sequence[Soundscape], store: Store[TrialRecord], plan: Plan, shop: Workshop
) -> None:
    name, scores = name_of(trial.system, trial.fold, trial.seed), digest_of(trial)
    if store.find(name, key_of(scores)) is None:
        store.write(name, TrialRecord(count(trial, scapes), scores, plan.command, CodeVersion.of(__name__)))
    shop.report(f"{name}: counted")
