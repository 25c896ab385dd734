"""Hyperparameter search; several processes or machines may share one storage.

- The objective is the accuracy on validation clips, pooled over the folds of a trial. Each fold is
  left out in turn. The test clips are never used.
- A trial is pruned between folds if it is below the median of the earlier trials.
- A worker updates a heartbeat of its trial. If it is killed, another worker repeats the trial: it
  reads the records of finished jobs, and an unfinished job resumes after its last epoch.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from training.base.progress import Progress
from training.base.variants import changed
from training.errors import StorageError
from training.study.search.space import Space, draw

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial, Trial

HEARTBEAT_S = 30
RETRIES = 3
_STARTUP_TRIALS = 5
_PLAN = "plan"

Evaluate = Callable[[str, int], tuple[float, int]]
"""(model with its changes, fold) → validation accuracy and the number of validation clips."""


@dataclass(frozen=True)
class SearchPlan:
    """The plan that all workers of a study share; ``epochs`` limits each run (0: the model's own number)."""

    model: str
    folds: tuple[int, ...]
    epochs: int
    seed: int
    corpus: str
    space: Space = field(compare=False, repr=False)

    def text(self) -> str:
        """Return the plan as the storage keeps it."""
        from optuna.distributions import distribution_to_json

        space = {key: json.loads(distribution_to_json(where)) for key, where in self.space.items()}
        names = ("model", "folds", "epochs", "seed", "corpus")
        return json.dumps({name: getattr(self, name) for name in names} | {"space": space}, sort_keys=True)


@contextmanager
def open_storage(url: str, heartbeat_s: int = HEARTBEAT_S) -> Iterator[RDBStorage]:
    """Open the storage at ``url`` and close its connections after use; create an absent SQLite file.

    Raises
    ------
    StorageError
        If it cannot be reached, or the driver of its database is not installed.
    """
    from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback

    with _storage_errors(url), _experimental():
        _make_folder(url)
        storage = RDBStorage(
            url,
            heartbeat_interval=heartbeat_s,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=RETRIES),
        )
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _make_folder(url: str) -> None:
    from sqlalchemy.engine import make_url

    address = make_url(url)
    if address.get_backend_name() == "sqlite" and address.database:
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)


def open_study(storage: RDBStorage, name: str, plan: SearchPlan) -> Study:
    """Create the study, or join one with the same plan.

    Raises
    ------
    StorageError
        If the study of that name has another plan.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # Unseeded: workers with the same seed would try the same settings.
    sampler = optuna.samplers.TPESampler(n_startup_trials=_STARTUP_TRIALS, constant_liar=True)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=_STARTUP_TRIALS)
    with _storage_errors(storage.url):
        study = optuna.create_study(
            storage=storage, study_name=name, load_if_exists=True, direction="maximize", sampler=sampler,
            pruner=pruner,
        )  # fmt: skip
        begun = study.user_attrs.get(_PLAN)
        if begun is None:
            study.set_user_attr(_PLAN, plan.text())
        elif begun != plan.text():
            text = f"study {name!r} has another plan: {begun}; use that plan, or another name: --study"
            raise StorageError(text)
    return study


def search(study: Study, plan: SearchPlan, trials: int, evaluate: Evaluate, say: Progress) -> None:
    """Run trials until the study has ``trials`` completed or pruned ones, those of other workers included."""
    from optuna.study import MaxTrialsCallback
    from optuna.trial import TrialState

    ended = (TrialState.COMPLETE, TrialState.PRUNED)
    _retry_failed(study)
    if len(study.get_trials(deepcopy=False, states=ended)) >= trials:
        say(f"the study already has {trials} trials")
        return
    study.optimize(
        lambda trial: _objective(trial, plan, evaluate),
        callbacks=[_Progress(trials, say), MaxTrialsCallback(trials, states=ended)],
    )


def _objective(trial: Trial, plan: SearchPlan, evaluate: Evaluate) -> float:
    from optuna import TrialPruned

    model = changed(plan.model, draw(trial, plan.space))
    right, clips = 0.0, 0
    for done, fold in enumerate(plan.folds, start=1):
        accuracy, count = evaluate(model, fold)
        right, clips = right + accuracy * count, clips + count
        trial.report(right / clips, done)
        if done < len(plan.folds) and trial.should_prune():
            raise TrialPruned(f"below the median after {done} folds")
    return right / clips


def _retry_failed(study: Study) -> None:
    """Queue failed trials (Ctrl-C, out of memory, disk full) again, unless they have been since."""
    from optuna.storages import RetryHeartbeatStaleTrialCallback
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    with _experimental():
        again = RetryHeartbeatStaleTrialCallback(max_retry=RETRIES)
        queued = {number for trial in trials for number in again.retry_history(trial)}
        for trial in trials:
            if trial.state == TrialState.FAIL and trial.number not in queued:
                again(study, trial)


class _Progress:
    """Reports after each trial its result, the best one so far, and the estimated time left."""

    def __init__(self, trials: int, say: Progress) -> None:
        self._trials, self._say = trials, say
        self._begun, self._mine = time.monotonic(), 0

    def __call__(self, study: Study, trial: FrozenTrial) -> None:
        from optuna.trial import TrialState

        self._mine += 1
        ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        complete = [t for t in ended if t.state == TrialState.COMPLETE]
        left = max(0, self._trials - len(ended))
        minutes = left * (time.monotonic() - self._begun) / self._mine / 60
        how = f"{trial.value:.3f}" if trial.value is not None else trial.state.name.lower()
        best = max(complete, key=lambda t: t.value or 0.0, default=None)
        known = f"; best {best.value:.3f} (trial {best.number})" if best else ""
        count = f"{len(ended)} of {self._trials}, about {minutes:.0f} min left"
        self._say(f"trial {trial.number}: {how}{known}; {count}")


@contextmanager
def _storage_errors(url: str) -> Iterator[None]:
    """Turn the errors of a database into one line that does not show the password."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    try:
        yield
    except (ImportError, NoSuchModuleError) as error:
        missing = error.__cause__ or error
        text = f"{shown(url)}: the driver is not installed ({missing}); see docs/training.md"
        raise StorageError(text) from error
    except ArgumentError as error:
        raise StorageError(
            f"{url!r} is not a storage address; write sqlite:///FILE or postgresql+psycopg://HOST/DB"
        ) from error
    except (StorageInternalError, SQLAlchemyError) as error:
        cause = str(error.__cause__ or error).splitlines()[0]
        raise StorageError(f"{shown(url)}: the storage does not answer ({cause})") from error


def shown(url: str) -> str:
    """Return the address without its password."""
    from sqlalchemy.engine import make_url

    text: str = make_url(url).render_as_string(hide_password=True)
    return text


@contextmanager
def _experimental() -> Iterator[None]:
    """Silence Optuna's warning that heartbeats are experimental; nothing else detects a dead worker."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def best_first(study: Study) -> Sequence[FrozenTrial]:
    """Return the completed trials, best first."""
    from optuna.trial import TrialState

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sorted(complete, key=lambda trial: (-(trial.value or 0.0), trial.number))
