"""Packages of the networks that held out a fold, with rules from the other folds.

They are what an evaluation on recordings of the fold may run in place of the shipped model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from monitor.model.card import Quality
from monitor.model.package import write_package
from training.data.corpora import CLASSES, LABELS, Corpora
from training.export.conversion import to_tflite
from training.networks import mn04
from training.recipes.transfer.fine_tune import trained
from training.recipes.transfer.make import Plan, Workshop, leave_each_out, make_card, run_name
from training.recipes.transfer.thresholds import PartScores, Rules, choose
from training.recipes.transfer.trunk import whole


def package_path(runs: Path, fold: int, seed: int) -> Path:
    """Return the path of the package whose network held out ``fold``."""
    return runs / f"without-fold{fold}-seed{seed}.tflite"


def write_packages(plan: Plan, corpora: Corpora, shop: Workshop) -> Iterator[Path]:
    """Write a package without each fold, of the first seed, beside the runs; return their paths."""
    seed = plan.seeds[0]
    scored = leave_each_out(replace(plan, seeds=(seed,)), corpora, shop)
    sounds = mn04.audioset_labels(shop.pretrained.labels)
    for one in scored:
        rules = choose([other for other in scored if other.fold != one.fold])
        upper = trained(shop.pretrained, shop.runs / run_name(one.fold, seed))
        card = make_card(plan, rules, shop).model_copy(update={"quality": (_accuracy(plan, one, rules),)})
        path = package_path(shop.runs, one.fold, seed)
        write_package(path, to_tflite(whole(shop.pretrained, upper), plan.form), LABELS, card, sounds)
        yield path


def _accuracy(plan: Plan, one: PartScores, rules: Rules) -> Quality:
    """Return the figure by which the card says which fold is held out."""
    logits = one.hearing(rules.supports).logits[:, : len(CLASSES)]
    truth = np.array([CLASSES.index(label) for _, label in one.part.events])
    others = ", ".join(str(fold) for fold in plan.folds if fold != one.fold)
    return Quality(
        measure="accuracy of clips",
        value=round(float((logits.argmax(axis=1) == truth).mean()), 4),
        data=f"UrbanSound8K, trained on folds {others}, thresholds from them",
        fold=str(one.fold),
        seed=one.seed,
        command=plan.command,
    )
