"""Laws of jobs: the same record from every engine, resumed where they stopped, refused in one line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from corpora import write_urbansound8k
from scored import random_record

pytest.importorskip("tensorflow")

from training.base.maths import fit_temperature
from training.base.provenance import machine
from training.cli.study.compare import RECORDS
from training.cli.study.cv import ESC10_RECORDS, cv
from training.errors import DataError
from training.records.jobs import Job, JobRecord, read_all
from training.study.engines import in_dask, in_joblib
from training.study.jobs import planned, run_job
from training.study.plan import done, measure, page
from training.study.task import Options
from training.study.work import Failure

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

_EPOCHS = 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_urbansound8k(root, folds=(1, 2, 3))
    return root


def options(data: Path, folder: Path) -> Options:
    return Options(data, cache=data / "cache", runs=folder, epochs=_EPOCHS)


def timeless(record: JobRecord) -> dict[str, Any]:
    """A record but for the clock and the last digits."""
    parts: dict[str, Any] = json.loads(record.to_json())
    del parts["seconds"], parts["content"]["clips"]["probability_250ths"]
    for epoch in parts["content"]["epochs"]:
        del epoch["seconds"]
        for name in ("loss", "val_loss"):
            epoch[name] = pytest.approx(epoch[name], rel=1e-3) if name in epoch else None
    return parts


def test_a_dask_cluster_makes_the_same_records_as_this_process(data: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    # Processes on loopback, as two machines would be: nothing is shared but the folders.
    jobs = planned("honest", ["clstm"], [1], [0])
    here = {result.job: result for result in in_joblib(jobs, options(data, tmp_path / "here"), 1)}
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    )
    with cluster:
        there = list(in_dask(jobs, options(data, tmp_path / "there"), cluster.scheduler_address))
    assert {result.job for result in there} == set(jobs)
    for result in there:
        ours = here[result.job]
        assert isinstance(result, JobRecord)
        assert isinstance(ours, JobRecord)
        assert timeless(result) == timeless(ours)
        np.testing.assert_allclose(result.clips.probability, ours.clips.probability, atol=1e-3)


def test_processes_do_what_the_data_allow_and_name_what_they_do_not(data: Path, tmp_path: Path) -> None:
    jobs = [Job("honest", "rnn", 1, 0), Job("honest", "rnn", 9, 0)]
    done, failed = sorted(in_joblib(jobs, options(data, tmp_path), 2), key=lambda r: r.job)
    assert isinstance(done, JobRecord)
    assert failed == Failure(jobs[1], "fold 9 of urbansound8k is not here; there are [1, 2, 3]")


def test_the_seed_protocol_measures_the_test_fold_after_every_epoch(data: Path, tmp_path: Path) -> None:
    for model in ("rnn", "cnn"):
        record = run_job(Job("seed", model, 1, 0), options(data, tmp_path), lambda text: None)
        assert [epoch.epoch for epoch in record.epochs] == [1, 2]
        for epoch in record.epochs:
            assert epoch.test_accuracy is not None
            assert epoch.test_f1 is not None
        assert "as the seed did" in record.data.validation
        kept = record.epochs[record.best_epoch - 1]
        assert record.clips.accuracy == pytest.approx(kept.test_accuracy, abs=1e-4)
    assert record.clips.temperature == 1.0


def test_the_honest_protocol_looks_at_the_test_fold_once(data: Path, tmp_path: Path) -> None:
    record = run_job(Job("honest", "compact", 3, 1), options(data, tmp_path), lambda text: None)
    assert all(epoch.test_accuracy is None for epoch in record.epochs)
    assert all(epoch.val_accuracy is not None for epoch in record.epochs)
    assert record.best_epoch == _EPOCHS
    np.testing.assert_allclose(record.clips.probability.sum(axis=1), 1.0, rtol=1e-5)
    assert record.provenance.settings["precision"] == "mixed_bfloat16"


def test_a_temperature_softens_what_was_too_sure() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 4000)
    logits = rng.normal(size=(4000, 3)) + 1.5 * np.eye(3)[truth]
    fitted = fit_temperature(logits.astype(np.float32), truth)
    sure = fit_temperature((4 * logits).astype(np.float32), truth)
    assert sure == pytest.approx(4 * fitted, rel=0.1)


def test_an_unknown_model_is_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown model 'vgg'; choose from rnn"):
        run_job(Job("honest", "vgg", 1, 0), options(data, tmp_path), lambda text: None)


def _cv(data: Path, folder: Path, *more: str) -> list[str]:
    places = ("records", "runs")
    paths = [part for name in places for part in (f"--{name}", str(folder / name))]
    command = [sys.executable, "-m", "training.cli", "cv", "--data", str(data)]
    return [*command, "--models", "clstm", "--folds", "1", "--cache", str(data / "cache"), *paths, *more]


def test_ctrl_c_leaves_a_job_that_the_same_command_ends(data: Path, tmp_path: Path) -> None:
    command = _cv(data, tmp_path, "--epochs", "40")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        told = iter(child.stderr.readline, "")
        assert any("epoch 2/40" in line for line in told)
        child.send_signal(signal.SIGINT)
        rest = "".join(told)
        assert child.wait(60) == 130
    assert "Traceback" not in rest
    assert not read_all(tmp_path / "records")
    again = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert again.returncode == 0, again.stderr
    assert "epoch 1/40" not in again.stderr
    (record,) = read_all(tmp_path / "records")
    assert 2 < len(record.epochs) <= 40
    third = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert "1 of 1 records exist already" in third.stderr


def test_a_plan_times_epochs_and_leaves_no_run_behind(data: Path, tmp_path: Path) -> None:
    jobs = planned("honest", ["rnn"], [1, 2, 3], [0, 1])
    (line,) = measure(jobs, options(data, tmp_path / "runs"), lambda text: None)
    assert (line.model, line.jobs, line.epochs) == ("rnn", 6, _EPOCHS)
    assert line.epoch_s > 0
    assert line.hours == pytest.approx(6 * (line.fixed_s + _EPOCHS * line.epoch_s) / 3600)
    assert f"| rnn | honest | 6 | {_EPOCHS} |" in page([line], 2)
    assert not (tmp_path / "runs").exists()


def test_a_plan_takes_the_times_of_records_that_such_a_machine_made(data: Path, tmp_path: Path) -> None:
    def made(fold: int, where: str) -> JobRecord:
        record = random_record("rnn", 0.5, fold)
        epochs = tuple(replace(epoch, seconds=fold) for epoch in record.epochs)
        return replace(
            record, epochs=epochs, provenance=replace(record.provenance, machine=where, seconds=10.0)
        )

    jobs = planned("honest", ["rnn"], [1, 2, 3], [0])
    other_protocol = replace(made(3, machine()), job=Job("seed", "rnn", 3, 0))
    known = [made(2, machine()), made(3, "a faster one"), other_protocol]
    (line,) = measure(jobs, options(data, tmp_path), lambda text: pytest.fail(text), known)
    assert (line.epoch_s, line.fixed_s, line.records) == (2.0, 10.0 - 3 * 2.0, 1)
    assert "| 1 records |" in page([line], 1)


def test_a_plan_says_what_records_are_there_with_their_epochs_and_time() -> None:
    made = [random_record("net", 0.5, fold, seed) for fold, seed in ((2, 0), (1, 0), (1, 1))]
    lines = done([*made, replace(random_record("closed-form", 0.5), epochs=())]).splitlines()
    hours = f"{3 * made[0].provenance.seconds / 3600:.2f}"
    assert f"| net | honest | 3 | 9 | 1.0 | {hours} | seed 0: folds 1, 2; seed 1: folds 1 |" in lines
    assert any(line.startswith("| closed-form | honest | 1 | 0 | – |") for line in lines)
    assert done([]) == "There are no records yet."


def test_records_of_esc10_lie_apart_since_its_folds_have_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    monkeypatch.setattr("training.cli.study.cv._jobs", lambda *_: [])
    monkeypatch.setattr("training.cli.study.cv.run_jobs", lambda *given: asked.append(given[5]) or [])
    for corpus in ("urbansound8k", "esc10"):
        assert CliRunner().invoke(cv, ["--corpus", corpus]).exit_code == 0
    assert asked == [RECORDS, ESC10_RECORDS]
    assert RECORDS != ESC10_RECORDS
