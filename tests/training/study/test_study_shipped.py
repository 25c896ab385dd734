"""Laws of the shipped network within the study: it hears as its streaming form does, and can be attacked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from corpora import write_corpora
from teachers import FakeTeacher

pytest.importorskip("tensorflow")

from training.data.audio import RATE, read
from training.errors import DataError
from training.fit.lessons import LessonPlan
from training.fit.trained import trained
from training.records.jobs import Job
from training.robustness.attacks.in_sound import QUICK, attack_sound
from training.robustness.attacks.on_features import push_features
from training.robustness.targets.front_end import log_mel
from training.robustness.targets.networks import Target, target
from training.study.jobs import run_job
from training.study.task import Options

# foolbox imports scipy by an older name.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Please import `gaussian_filter`:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

SHORT = "shipped~batch=4~epochs=1~steps=2"
HARD = f"{SHORT}~hardening.beta=1~hardening.steps=1"


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    write_corpora(tmp_path / "data")
    monkeypatch.setattr("training.fit.lessons.Yamnet", FakeTeacher)
    monkeypatch.setattr("training.study.trainers.shipped.LessonPlan", lambda: LessonPlan(count=6))
    return Options(tmp_path / "data", cache=tmp_path / "cache", runs=tmp_path / "runs", threads=1)


def silent(text: str) -> None:
    pass


def test_its_record_says_how_it_was_made(options: Options) -> None:
    record = run_job(Job("honest", HARD, 1, 0), options, silent)
    assert record.provenance.settings["hardening"] == {"beta": 1, "epsilon_db": 1.0, "steps": 1}
    assert record.provenance.settings["lessons"]["count"] == 6
    assert record.epochs[0].divergence is not None
    assert len(record.clips.truth) == record.clips.probability.shape[0] > 0


def test_it_hears_a_sound_as_its_streaming_form_does(options: Options) -> None:
    one = attackable(options)
    assert one.windows is not None
    network, task = one.windows.network, one.windows.task
    _, whole = trained(task.folder)
    sound = np.resize(read(one.clips[0].path, RATE), 4 * RATE).astype(np.float32)
    rows = network.scaling.apply(np.asarray(log_mel(network.front.spec, RATE)(sound[None])))
    columns = np.asarray(whole(rows[:, : 8 * 24])[0])[0]
    # The window that ends with the sixth column.
    window = rows[:, 6 * 24 - network.front.spec.frames : 6 * 24]
    np.testing.assert_allclose(network.model(window, training=False)[0], columns[5], atol=1e-4)


def test_it_is_attacked_in_features_and_by_sound(options: Options) -> None:
    one = attackable(options)
    assert one.windows is not None
    logits = one.given(np.arange(len(one.clips)))
    pushed = push_features(logits, one.decibels, one.truth, 3.0, 2)
    assert np.abs(np.asarray(logits(pushed)) - np.asarray(logits(one.decibels))).max() > 1e-3
    found = attack_sound(one, replace(QUICK, steps=1), silent)
    assert found.withstood["inf"] == found.right


def test_other_classes_than_its_own_and_no_teacher_are_refused_in_one_line(
    options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    esc = Options(options.data, corpus="esc10", cache=options.cache, runs=options.runs)
    with pytest.raises(DataError, match="sound-training own"):
        run_job(Job("honest", SHORT, 1, 0), esc, silent)
    monkeypatch.undo()
    with pytest.raises(DataError, match="no such file; it must be YAMNet"):
        run_job(Job("honest", SHORT, 1, 0), options, silent)


def attackable(options: Options) -> Target:
    return target(Job("honest", SHORT, 1, 0), options, 3, True, silent)
