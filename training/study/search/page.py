"""The page of a search, made from its storage: trials, history, importance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from training.base.report import Cell, Report, Table
from training.base.variants import changed
from training.study.search.run import best_first

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from optuna import Study

_SHOWN = 10


def compose(study: Study, model: str, command: str) -> Report:
    """Return the page of a study; it may still be running."""
    best = best_first(study)
    weights = _importances(study)
    pictures = {"search-history.png": _history(study)}
    states = [trial.state.name.lower() for trial in study.get_trials(deepcopy=False)]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)) or "none"
    parts = [
        f"# Search of {model}",
        f"Made by `{command}`. Trials: {counts}. The objective is the accuracy on validation clips of the "
        "other folds; no clip of the test fold is used. The best value was selected, so it overestimates the "
        "accuracy of that setting: `sound-training cv` on the test fold measures it.",
    ]
    if best:
        parts += [f"The best: `{changed(model, best[0].params)}`", _best(study).markdown()]
    parts.append("![Value of each trial, and the best so far](search-history.png)")
    if weights:
        pictures["search-importance.png"] = _bars(weights)
        parts.append(
            "Share of the variance of the objective that each setting explains (fANOVA); with few trials "
            "this is only a hint."
        )
        parts.append("![Importance of each setting](search-importance.png)")
    return Report("\n\n".join(parts) + "\n", pictures, {"trials.csv": trials(study)})


def trials(study: Study) -> Table:
    """Return every trial with its settings and the pooled accuracy after each fold."""
    keys = sorted({key for trial in study.get_trials(deepcopy=False) for key in trial.params})
    rows = []
    for trial in study.get_trials(deepcopy=False):
        steps = " ".join(
            f"{trial.intermediate_values[step]:.4f}" for step in sorted(trial.intermediate_values)
        )
        seconds = trial.duration.total_seconds() if trial.duration else None
        settings = [trial.params.get(key) for key in keys]
        rows.append((trial.number, trial.state.name.lower(), trial.value, steps, seconds, *settings))
    return Table(("trial", "state", "value", "after each fold", "seconds", *keys), tuple(rows))


def _best(study: Study) -> Table:
    best = best_first(study)[:_SHOWN]
    keys = sorted({key for trial in best for key in trial.params})
    rows: list[tuple[Cell, ...]] = [
        (trial.number, trial.value, *(_short(trial.params.get(key)) for key in keys)) for trial in best
    ]
    return Table(("trial", "accuracy", *keys), tuple(rows))


def _short(value: object) -> Cell:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _importances(study: Study) -> Mapping[str, float]:
    """Return the importance of each setting; empty while there are too few trials."""
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    complete = best_first(study)
    if len(complete) < 2 or len({trial.value for trial in complete}) < 2:
        return {}
    weights: Mapping[str, float] = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    return weights


def _history(study: Study) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    complete = sorted(best_first(study), key=lambda trial: trial.number)
    numbers, values = [t.number for t in complete], [t.value for t in complete if t.value is not None]
    axes.plot(numbers, values, "o", color="#2166ac", label="a trial")
    pruned = [
        (t.number, t.intermediate_values[max(t.intermediate_values)])
        for t in study.get_trials(deepcopy=False)
        if t.state.name == "PRUNED" and t.intermediate_values
    ]
    if pruned:
        axes.plot(*zip(*pruned, strict=True), "x", color="0.5", label="pruned")
    so_far = [max(values[: i + 1]) for i in range(len(values))]
    axes.step(numbers, so_far, where="post", color="#b35806", label="best so far")
    axes.set_xlabel("trial")
    axes.set_ylabel("validation accuracy, pooled")
    axes.locator_params(axis="x", integer=True)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def _bars(weights: Mapping[str, float]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1 + 0.32 * len(weights)), layout="constrained")
    axes = figure.subplots()
    keys = sorted(weights, key=lambda key: weights[key])
    axes.barh(keys, [weights[key] for key in keys], color="#2166ac")
    axes.set_xlabel("importance")
    axes.grid(axis="x", alpha=0.3)
    return figure
