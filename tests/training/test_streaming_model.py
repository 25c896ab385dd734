"""The making of the streaming model: lessons, runs that resume, and a package that the monitor reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recordings import make_part

pytest.importorskip("tensorflow")

from monitor.model.load import ThirdParty, load_model
from training import default
from training.data import CLASSES, LABELS, Corpora
from training.default import Plan, School, make, write
from training.distillation import EMBEDDING
from training.prepare import default_front_end
from training.records import write_records
from training.splits import Split
from training.streaming.fit import StreamRun, make_mixer, measure_scaling, train
from training.streaming.lessons import LessonPlan, Lessons, joined, looks, make_lessons
from training.streaming.network import StreamSpec
from training.streaming.scenes import SceneRecipe, Timing

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NETWORK = StreamSpec(stem=4, blocks=(4, 6, 8), top=8, rings=(2, 5), level_frames=10)
RUN = StreamRun(network=NETWORK, recipe=SceneRecipe(frames=200), epochs=2, steps=2, batch=4)
PLAN = LessonPlan(count=6, frames=200)


class FakeTeacher:
    """Hears the loudness of each look, in all its numbers."""

    def __init__(self, path: Path) -> None:
        pass

    def looks(self, samples: np.ndarray) -> np.ndarray:
        begins = range(0, len(samples) - 15_360 + 1, 7_680)
        loudness = [np.abs(samples[at : at + 15_360]).mean() for at in begins]
        return np.array(loudness, np.float32)[:, None] * np.linspace(0.5, 1.5, EMBEDDING, dtype=np.float32)


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory):
    return make_part(tmp_path_factory.mktemp("recordings"), recordings=6)


@pytest.fixture
def lessons(part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lessons:
    monkeypatch.setattr("training.streaming.lessons.Teacher", FakeTeacher)
    return make_lessons(
        part, (), default_front_end(tmp_path), Path("fake"), PLAN, Timing(), 0.9, 0, lambda done: None
    )


def silent(text: str) -> None:
    pass


def test_lessons_have_a_look_every_six_columns(lessons: Lessons) -> None:
    columns = 200 // 4
    assert lessons.decibels.shape == (6, 200, 64)
    assert lessons.targets.shape == lessons.weights.shape == (6, columns, len(LABELS))
    at = looks(200, lessons.embedding.shape[1])
    assert (at[0], at[1] - at[0]) == (11, 6)
    assert at[-1] < columns


def test_a_teacher_with_no_say_leaves_what_is_known(lessons: Lessons) -> None:
    taught = lessons.taught(0.0)
    known = lessons.weights > 0
    np.testing.assert_array_equal(taught.targets[known], lessons.targets[known])
    assert taught.embedding.astype(np.float32).mean() == pytest.approx(0.0, abs=0.05)
    assert set(np.unique(taught.weights)) <= {0.5, 1.0}


def test_joined_lessons_are_all_lessons_in_order(lessons: Lessons) -> None:
    both = joined([lessons, lessons])
    np.testing.assert_array_equal(both.decibels[6:], lessons.decibels)


def test_a_scene_has_sounds_where_its_labels_say(part, tmp_path: Path) -> None:
    recipe = replace(RUN.recipe, bed=0.0, distract=0.0, snr_db=(40.0, 40.0), mask=0.0, mixstyle=0.0)
    mixer = make_mixer(part, default_front_end(tmp_path), replace(recipe, silent_start=0.0), Timing())
    scenes = mixer.batch(32, np.random.default_rng(0))
    level = scenes.decibels.reshape(32, 50, 4, 64).mean(axis=(2, 3))
    on = scenes.targets[:, :, : len(CLASSES)].max(axis=2) > 0.5
    sure = scenes.weights.min(axis=2) > 0
    both = (on & sure).any(axis=1) & (~on & sure).any(axis=1)
    assert both.sum() > 5
    for row in np.flatnonzero(both):
        assert level[row][on[row] & sure[row]].mean() > level[row][~on[row] & sure[row]].mean() + 5


def test_a_run_that_is_stopped_goes_on_to_the_very_same_weights(part, lessons, tmp_path: Path) -> None:
    mixer = make_mixer(part, default_front_end(tmp_path), RUN.recipe, Timing())
    scaling = measure_scaling(mixer, 0)

    class StoppedError(Exception):
        pass

    def stop(text: str) -> None:
        raise StoppedError

    def once(folder: str, report) -> list[np.ndarray]:
        return train(RUN, mixer, lessons, scaling, tmp_path / folder, report).get_weights()

    whole = once("whole", silent)
    with pytest.raises(StoppedError):
        once("stopped", stop)
    resumed = once("stopped", silent)
    assert all(np.array_equal(a, b) for a, b in zip(whole, resumed, strict=True))


def test_the_recipe_ends_in_a_package_that_the_monitor_reads(
    part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.streaming.lessons.Teacher", FakeTeacher)
    monkeypatch.setattr(default, "split", lambda *_: Split(part, part))
    monkeypatch.setattr(default, "DEVELOPMENT_SCAPES", 1)
    plan = Plan((1, 3), (2,), RUN, PLAN, "9.9.9", "sound-training default")
    school = School(tmp_path / "teacher", ())
    outcome = make(
        plan, Corpora((), (), (), (), {}), school, default_front_end(tmp_path), tmp_path / "runs", silent
    )
    loaded = load_model(write(outcome, tmp_path / "models"), ThirdParty())
    assert outcome.parity < 1e-5
    assert loaded.card.state is not None
    assert loaded.card.hop == 12 * 320
    assert set(loaded.card.classes) == set(CLASSES)
    write_records(outcome, plan, tmp_path / "records")
    assert "sound-training default" in (tmp_path / "records" / "README.md").read_text()
