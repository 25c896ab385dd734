"""A nested search: one study for each test fold, whose recordings no trial of it trains or validates on.

The winner of a fold is judged by `cv` on that fold alone, so its figure has no part in its choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from training.base.report import Cell, Report, Table
from training.records.jobs import JobRecord
from training.scoring.intervals import difference
from training.scoring.statistics import rows
from training.study.compare.tables import percent


def study_name(name: str, fold: int) -> str:
    """Return the name of the study whose winner is tested on a fold."""
    return f"{name}-test{fold}"


def judging(winners: Mapping[int, str], model: str, corpus: str) -> list[str]:
    """Return the commands that judge each fold's winner beside the model as it was."""
    of = "" if corpus == "urbansound8k" else f" --corpus {corpus}"
    return [
        f"sound-training cv --models '{winner},{model}' --folds {fold} --seeds 0,1,2{of}"
        for fold, winner in sorted(winners.items())
    ]


def compose(
    winners: Mapping[int, str], model: str, corpus: str, records: Sequence[JobRecord], command: str
) -> Report:
    """Return the page of all folds: each winner, and its judged accuracy where `cv` has run it."""
    found = {fold: _judged(records, winner, model, fold) for fold, winner in winners.items()}
    table = Table(
        ("test fold", "winner", "seeds", "accuracy", "of the model as it was"),
        tuple(_row(fold, winners[fold], *found[fold]) for fold in sorted(winners)),
    )
    parts = [
        f"# Nested search of {model}",
        f"Made by `{command}`. For each test fold there is a study of its own, whose trials train and "
        "validate on recordings of the other folds; its winner is tested on that fold alone.",
        table.markdown() if winners else "No trial has ended yet.",
        _verdict(found, model),
    ]
    if winners:
        commands = "\n".join(f"    {line}" for line in judging(winners, model, corpus))
        parts.append(f"Each winner is judged by\n\n{commands}")
    return Report("\n\n".join(parts) + "\n", {}, {"winners.csv": table})


_Pair = tuple[list[JobRecord], list[JobRecord]]


def _judged(records: Sequence[JobRecord], winner: str, model: str, fold: int) -> _Pair:
    """Return the records of the winner and of the model on a fold, of the seeds that both have."""
    sides = [
        {
            r.job.seed: r
            for r in records
            if (r.job.protocol, r.job.model, r.job.test_fold) == ("honest", m, fold)
        }
        for m in (winner, model)
    ]
    shared = sorted(sides[0].keys() & sides[1].keys())
    return [sides[0][seed] for seed in shared], [sides[1][seed] for seed in shared]


def _row(fold: int, winner: str, judged: Sequence[JobRecord], base: Sequence[JobRecord]) -> tuple[Cell, ...]:
    accuracy = [sum(r.clips.accuracy for r in side) / len(side) if side else None for side in (judged, base)]
    return fold, f"`{winner}`", len(judged), *accuracy


def _verdict(found: Mapping[int, _Pair], model: str) -> str:
    lacking = sorted(fold for fold, (judged, _) in found.items() if not judged)
    if not found or len(lacking) == len(found):
        return "No winner has been judged yet."
    winner = rows([record for judged, _ in found.values() for record in judged])
    base = rows([record for _, same in found.values() for record in same])
    brought = percent(difference(winner, base))
    left = f" Not judged: fold {', '.join(map(str, lacking))}." if lacking else ""
    return f"The winners minus `{model}`, paired by recordings: {brought} points (95 %).{left}"
