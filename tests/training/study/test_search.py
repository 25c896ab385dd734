"""The search: one study for many workers, resumed after a kill, never in the dark about a lost trial."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState
from scored import random_record

from training.base.report import write
from training.errors import StorageError
from training.study.search import nested
from training.study.search.page import compose
from training.study.search.run import SearchPlan, best_first, open_storage, open_study, search, shown
from training.study.search.space import published_space

_SPACE = {"rate": FloatDistribution(0.1, 1.0)}
PLAN = SearchPlan("net", (1, 2), 3, 0, "urbansound8k", _SPACE)


def quality(model: str, fold: int) -> tuple[float, int]:
    """As good as its rate; fold 2 has three times the clips and scores half."""
    return (0.8, 0.4)[fold - 1] * float(model.split("rate=")[1]), (100, 300)[fold - 1]


@contextmanager
def _open(url: str, plan: SearchPlan = PLAN) -> Iterator[optuna.Study]:
    with open_storage(url, heartbeat_s=1) as storage:
        yield open_study(storage, "test", plan)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/deep/search.db"


@pytest.fixture
def study(url: str) -> Iterator[optuna.Study]:
    with _open(url) as study:
        yield study


def _ended(study: optuna.Study) -> int:
    return len(study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED)))


def test_the_value_of_a_trial_is_pooled_over_folds_by_clips(study: optuna.Study) -> None:
    search(study, PLAN, 1, quality, lambda text: None)
    trial = study.best_trial
    rate = float(f"{trial.params['rate']:.3g}")
    assert trial.value == pytest.approx(rate * (0.8 * 100 + 0.4 * 300) / 400)
    assert trial.intermediate_values[1] == pytest.approx(0.8 * rate)


def test_a_study_goes_on_where_it_stopped_and_not_beyond_its_trials(url: str) -> None:
    said: list[str] = []
    for trials in (2, 4, 4):
        with _open(url) as study:
            search(study, PLAN, trials, quality, said.append)
            assert _ended(study) == trials
    assert said[-1] == "the study already has 4 trials"


def test_a_hopeless_trial_ends_after_its_first_fold(study: optuna.Study) -> None:
    calls: list[tuple[int, int]] = []

    def evaluate(model: str, fold: int) -> tuple[float, int]:
        number = len(study.get_trials(deepcopy=False)) - 1
        calls.append((number, fold))
        return (0.9 - 0.1 * number, 100)

    search(study, PLAN, 7, evaluate, lambda text: None)
    assert study.trials[6].state == TrialState.PRUNED
    assert (6, 1) in calls
    assert (6, 2) not in calls


def test_a_trial_that_failed_is_tried_again_with_the_same_settings(study: optuna.Study) -> None:
    def out_of_memory(model: str, fold: int) -> tuple[float, int]:
        raise MemoryError

    with pytest.raises(MemoryError):
        search(study, PLAN, 1, out_of_memory, lambda text: None)
    search(study, PLAN, 1, quality, lambda text: None)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.COMPLETE]
    assert study.trials[0].params == study.trials[1].params


def test_a_study_with_another_plan_is_refused(url: str, study: optuna.Study) -> None:
    other_folds = SearchPlan("net", (1, 2, 3), 3, 0, "urbansound8k", _SPACE)
    with pytest.raises(StorageError, match="another name: --study"), _open(url, other_folds):
        pass
    other_space = SearchPlan("net", (1, 2), 3, 0, "urbansound8k", published_space())
    with pytest.raises(StorageError, match="has another plan"), _open(url, other_space):
        pass


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nowhere", "is not a storage address"),
        ("quantumdb://host/x", "the driver is not installed"),
        ("sqlite:////proc/search.db", "does not answer"),
    ],
)
def test_a_storage_that_cannot_be_used_is_one_line(url: str, said: str) -> None:
    with pytest.raises(StorageError, match=said) as caught, open_storage(url):
        pass
    assert "\n" not in str(caught.value)


def test_a_password_is_never_shown() -> None:
    assert shown("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"


def test_the_page_of_a_study_has_its_pictures_and_every_trial(study: optuna.Study, tmp_path: Path) -> None:
    search(study, PLAN, 6, quality, lambda text: None)
    report = compose(study, "net", "sound-training search")
    page = write(report, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "index.html", "README.md", "trials.csv", "search-history.png", "search-importance.png",
    }  # fmt: skip
    assert len((tmp_path / "out" / "trials.csv").read_text().splitlines()) == 1 + len(study.trials)
    assert f"net~rate={best_first(study)[0].params['rate']:.3g}" in page.read_text()


def test_a_study_without_trials_has_a_page_too(study: optuna.Study, tmp_path: Path) -> None:
    report = compose(study, "net", "sound-training search")
    write(report, tmp_path / "out")
    assert "Trials: none" in report.markdown


# --- killed ----------------------------------------------------------------------------------


_WORKER = """
import sys, time
sys.path[:0] = {folders!r}
from sqlalchemy import text
from test_search import PLAN, quality
from training.study.search.run import open_storage, open_study, search

done = []
def beats():
    with storage.engine.connect() as connection:
        return connection.execute(text("select count(*) from trial_heartbeats")).scalar()

def evaluate(model, fold):
    deadline = time.monotonic() + 60
    while len(study.trials) < {together}:
        assert time.monotonic() < deadline, "the other worker never came"
        time.sleep(0.02)
    if fold == {stops_in} and len(study.trials) == 2:
        # Killed before its first beat, a trial would never be missed.
        while beats() < 2:
            assert time.monotonic() < deadline, "the trial's heart never beat"
            time.sleep(0.02)
        print("under way", flush=True)
        sys.stdin.read()
    done.append(model)
    return quality(model, fold)

with open_storage({url!r}, heartbeat_s=1) as storage:
    study = open_study(storage, "test", PLAN)
    search(study, PLAN, {trials}, evaluate, lambda text: None)
print(len(set(done)), flush=True)
"""


def _start(url: str, trials: int, stops_in: int = 0, together: int = 1) -> subprocess.Popen[str]:
    here = Path(__file__).parent
    folders = [str(here), str(here.parents[1] / "support")]
    script = _WORKER.format(folders=folders, url=url, trials=trials, stops_in=stops_in, together=together)
    return subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _kill_in_the_second_trial(url: str) -> None:
    with _start(url, 4, stops_in=2) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "under way\n"
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait(30)


def _wait_until_stale(study: optuna.Study) -> None:
    deadline = time.monotonic() + 30
    while not study._storage._get_stale_trial_ids(study._study_id):
        assert time.monotonic() < deadline, "the heartbeat of the killed worker never went stale"
        time.sleep(0.05)


def _check_killed_and_resumed(url: str) -> None:
    _kill_in_the_second_trial(url)
    with _open(url) as study:
        assert [trial.state for trial in study.trials] == [TrialState.COMPLETE, TrialState.RUNNING]
        lost = study.trials[1].params
        _wait_until_stale(study)
        search(study, PLAN, 4, quality, lambda text: None)
        assert study.trials[1].state == TrialState.FAIL
        again = [trial for trial in study.trials[2:] if trial.params == lost]
        assert [trial.state for trial in again] == [TrialState.COMPLETE]
        assert _ended(study) == 4


def test_a_search_killed_and_started_again_goes_on_and_tries_the_lost_trial_again(url: str) -> None:
    _check_killed_and_resumed(url)


def test_two_workers_share_one_study(url: str) -> None:
    _check_two_workers(url)


def _check_two_workers(url: str) -> None:
    with _open(url) as study:
        workers = [_start(url, 6, together=2) for _ in range(2)]
        counts = [int(worker.communicate(timeout=120)[0]) for worker in workers]
        assert [worker.returncode for worker in workers] == [0, 0]
        assert min(counts) >= 1
        # Each worker may be inside one more trial when the last one is counted.
        assert sum(counts) == _ended(study) in (6, 7)


# --- PostgreSQL ------------------------------------------------------------------------------


@pytest.fixture
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of our own on a Unix socket; skipped where there is none."""
    pytest.importorskip("psycopg")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [shutil.which("initdb")]
    if found[-1] is None:
        pytest.skip("PostgreSQL is not installed")
    binaries = Path(found[-1]).parent
    folder = tmp_path_factory.mktemp("pg")
    as_owner = _unprivileged(folder)
    subprocess.run([*as_owner, binaries / "initdb", "-A", "trust", "-U", "study", folder / "data"],
                   check=True, capture_output=True)  # fmt: skip
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
    with subprocess.Popen([*as_owner, binaries / "postgres", "-D", folder / "data", *options],
                          stderr=subprocess.PIPE, text=True) as server:  # fmt: skip
        assert server.stderr is not None
        for line in server.stderr:
            if "ready to accept connections" in line:
                break
        else:
            pytest.fail("PostgreSQL did not start")
        yield f"postgresql+psycopg://study@/postgres?host={folder}"
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)


def _unprivileged(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root; Debian's package makes a user for it."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None or subprocess.run(["id", "postgres"], capture_output=True).returncode:
        pytest.skip("running as root, and there is no user postgres")
    shutil.chown(folder, "postgres")
    for parent in folder.parents:
        if parent.owner() == "root" and parent != Path("/") and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def test_the_same_holds_on_postgresql(postgresql: str) -> None:
    _check_killed_and_resumed(postgresql)


def test_two_workers_share_a_study_on_postgresql(postgresql: str) -> None:
    _check_two_workers(postgresql)


def test_winners_are_judged_on_their_own_fold_by_seeds_that_both_sides_have() -> None:
    winners = {1: "net~rate=0.2", 2: "net~rate=0.3"}
    base = [random_record("net", 0.4, fold, seed) for fold in (1, 2) for seed in (0, 1)]
    judged = [random_record("net~rate=0.2", 0.8, 1, 0), random_record("net~rate=0.2", 0.9, 2, 0)]
    page = nested.compose(winners, "net", "urbansound8k", [*base, *judged], "sound-training search").markdown
    assert "Not judged: fold 2." in page
    assert (
        f"| 1 | `net~rate=0.2` | 1 | {judged[0].clips.accuracy:.3f} | {base[0].clips.accuracy:.3f} |" in page
    )
    assert "| 2 | `net~rate=0.3` | 0 | – | – |" in page
    assert "cv --models 'net~rate=0.3,net' --folds 2 --seeds 0,1,2" in page
    nothing = nested.compose(winners, "net", "esc10", (), "sound-training search").markdown
    assert "No winner has been judged yet." in nothing
    assert "--corpus esc10" in nothing
    assert "No trial has ended yet." in nested.compose({}, "net", "esc10", (), "").markdown
