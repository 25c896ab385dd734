"""The making of the streaming model: lessons, runs that resume, and a package that the monitor reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recordings import make_part
from teachers import FakeTeacher

pytest.importorskip("tensorflow")

from monitor.model.load import ThirdParty, load_model
from training.data.corpora import CLASSES, LABELS, Corpora
from training.data.splits import Split
from training.errors import DataError
from training.features.front_end import default_front_end
from training.fit.adversarial import Trades
from training.fit.lessons import LessonPlan, Lessons, MixtureMaker, joined, make_lessons
from training.fit.streaming import StreamRun, mined, train
from training.fit.windows import measure_scaling
from training.mixing.mixer import Recipe
from training.mixing.prepare import make_mixer
from training.networks.columns import LEAD, StreamSpec
from training.networks.compact import NetworkSpec
from training.networks.streaming import build
from training.networks.windowed import WindowSpec
from training.networks.yamnet import EMBEDDING
from training.recipes import shipped as default
from training.recipes.shipped import School, ShippedPlan, make, write
from training.recipes.shipped_report import write_records
from training.records.jobs import read_all
from training.scoring import held_out

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NETWORK = StreamSpec(stem=4, blocks=(4, 6, 8), top=8, rings=(2, 25), level_frames=10)
WINDOWS = WindowSpec(NetworkSpec(frames=48, stem=4, blocks=(4, 6), top=8, level="window"))
RUN = StreamRun(network=NETWORK, epochs=2, steps=2, batch=4)
PLAN = LessonPlan(count=6)
WINDOW = 100


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory):
    return make_part(tmp_path_factory.mktemp("recordings"), recordings=6)


@pytest.fixture
def lessons(part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lessons:
    monkeypatch.setattr("training.fit.lessons.Yamnet", FakeTeacher)
    return make_lessons(
        part, (), default_front_end(tmp_path), LEAD, Path("fake"), PLAN, 0.9, 0, lambda done: None
    )


def silent(text: str) -> None:
    pass


def test_a_lesson_is_a_window_and_what_came_before_it(lessons: Lessons) -> None:
    assert lessons.windows.shape == (6, LEAD + WINDOW, 64)
    assert lessons.targets.shape == (6, len(LABELS))
    assert lessons.embedding.shape == (6, EMBEDDING)
    assert lessons.labelled.all()


def test_a_teacher_with_no_say_leaves_what_is_known(lessons: Lessons) -> None:
    taught = lessons.taught(0.0)
    np.testing.assert_array_equal(taught.targets, lessons.targets)
    assert taught.embedding.astype(np.float32).mean() == pytest.approx(0.0, abs=0.05)


def test_joined_lessons_are_all_lessons_in_order(lessons: Lessons) -> None:
    both = joined([lessons, lessons])
    np.testing.assert_array_equal(both.windows[6:], lessons.windows)


@pytest.mark.parametrize("room", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_labelled_sound_is_heard_in_the_window_itself(part, seed: int, room: float) -> None:
    plan = LessonPlan(negatives=0.0, unlabelled=0.0, second=0.0, background=0.0, partial=1.0, room=room)
    alone = replace(part, backgrounds=part.backgrounds[:1])
    maker = MixtureMaker(alone, (), LEAD * 320, WINDOW * 320, plan, 0.9)
    samples, targets, known = maker.draw(np.random.default_rng(seed))
    assert known
    assert targets.max() >= 0.9
    assert len(samples) == (LEAD + WINDOW) * 320
    assert np.abs(samples[LEAD * 320 :]).max() > 0


def test_what_comes_before_a_window_belongs_to_the_same_sounds(part, tmp_path: Path) -> None:
    """A window with a lead is the window that a mixer without one makes of the same chance."""
    quiet = Recipe(
        partial=1.0, second=0.0, background=0.0, stretch=0.0, bands=0, equaliser_db=0.0, level_db=(0.0, 0.0),
        noise_db=(200.0, 200.0), mixstyle=0.0, mask=0.0, negatives=0.0,
    )  # fmt: skip
    front_end = default_front_end(tmp_path)
    with_lead = make_mixer(part, front_end, quiet, lambda done: None, LEAD)
    without = make_mixer(part, front_end, quiet, lambda done: None)
    assert (with_lead.frames, without.frames) == (LEAD + WINDOW, WINDOW)
    long, targets = with_lead.batch(16, np.random.default_rng(3))
    short, same = without.batch(16, np.random.default_rng(3))
    np.testing.assert_array_equal(targets, same)
    np.testing.assert_array_equal(_sounding(long[:, LEAD:]), _sounding(short))
    assert _sounding(long[:, :LEAD]).any()


def _sounding(windows: np.ndarray) -> np.ndarray:
    """Which frames hold more than a fraction of the loudest."""
    level: np.ndarray = windows.max(axis=2)
    return level > level.max() - 60.0


@pytest.mark.parametrize(
    "run",
    [RUN, replace(RUN, mined=0.5, hardening=Trades(beta=1.0, steps=1))],
    ids=["plain", "mined and hardened"],
)
def test_a_run_that_is_stopped_goes_on_to_the_very_same_weights(
    run: StreamRun, part, lessons, tmp_path: Path
) -> None:
    mixer = make_mixer(part, default_front_end(tmp_path), run.recipe, lambda done: None, LEAD)
    scaling = measure_scaling(mixer, 0)

    class StoppedError(Exception):
        pass

    def stop(text: str) -> None:
        raise StoppedError

    def once(folder: str, report) -> list[np.ndarray]:
        return train(run, mixer, lessons, scaling, tmp_path / folder, report).get_weights()

    whole = once("whole", silent)
    with pytest.raises(StoppedError):
        once("stopped", stop)
    resumed = once("stopped", silent)
    assert all(np.array_equal(a, b) for a, b in zip(whole, resumed, strict=True))
    # What is finished is finished for these settings and these recordings alone.
    other = replace(run, recipe=replace(run.recipe, mask=0.1))
    with pytest.raises(DataError, match=r"was trained with other recipe\.mask; delete it, or"):
        train(other, mixer, lessons, scaling, tmp_path / "whole", silent)
    with pytest.raises(DataError, match="was trained with other recordings or lessons"):
        train(run, mixer, lessons, scaling, tmp_path / "whole", silent, "another fold")


def test_mined_windows_are_those_without_a_class_that_are_most_taken_for_one(part, tmp_path: Path) -> None:
    front_end = default_front_end(tmp_path)
    mixer = make_mixer(part, front_end, RUN.recipe, lambda done: None, LEAD)

    def by_level(rows: np.ndarray, training: bool) -> list[np.ndarray]:
        """Takes a window for the first class, the louder the more; sure of ``background`` always."""
        logits = np.zeros((len(rows), len(LABELS)), np.float32)
        logits[:, 0], logits[:, -1] = rows.mean(axis=(1, 2)), 100.0
        return [logits]

    scaling = measure_scaling(mixer, 0)
    assert mined(by_level, replace(RUN, mined=0.1), mixer, scaling, 0) is None
    assert mined(by_level, RUN, mixer, scaling, 1) is None
    hard = mined(by_level, replace(RUN, mined=0.1), mixer, scaling, 1)
    assert hard is not None
    windows, targets = hard
    assert (targets.argmax(axis=1) == len(LABELS) - 1).all()
    ordinary, _ = mixer.batch(64, np.random.default_rng(1), negatives=1.0)
    assert np.median(windows.mean(axis=(1, 2))) > np.quantile(ordinary.mean(axis=(1, 2)), 0.8)


@pytest.mark.parametrize("network", [WINDOWS, NETWORK], ids=["windows", "columns"])
def test_the_recipe_ends_in_a_package_that_the_monitor_reads(
    network: WindowSpec | StreamSpec, part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.fit.lessons.Yamnet", FakeTeacher)
    monkeypatch.setattr(default, "leave_one_out", lambda *_: dict.fromkeys((1, 2), Split(part, part)))
    monkeypatch.setattr(default, "everything", lambda *_: part)
    # Training has its tests above; each takes seconds to compile.
    monkeypatch.setattr(default, "train", lambda run, *_: build(run.network))
    monkeypatch.setattr(default, "history_of", lambda _: [{"loss": 2.0, "seconds": 3.0}])
    monkeypatch.setattr(held_out, "SCAPES", 1)
    plan = ShippedPlan((1, 2), (0,), replace(RUN, network=network), PLAN, "9.9.9", "sound-training default")
    school = School(tmp_path / "teacher", ())
    outcome = make(
        plan, Corpora((), (), (), (), {}), school, default_front_end(tmp_path), tmp_path / "runs", silent
    )
    loaded = load_model(write(outcome, tmp_path / "models", tmp_path / "runs"), ThirdParty())
    assert outcome.parity < 1e-5
    assert loaded.card.state is not None
    assert loaded.card.window == network.frames * 320
    assert loaded.card.hop == default.HOP_FRAMES * 320
    assert set(loaded.card.classes) == set(CLASSES)
    assert loaded.card.reject is not None
    assert loaded.card.reject.negative_over == held_out.REJECT
    apart = load_model(tmp_path / "runs" / "without-fold2.tflite", ThirdParty()).card
    assert {(quality.fold, quality.recipe_cv) for quality in apart.quality} == {("2", False)}
    rows = {(quality.fold, quality.recipe_cv) for quality in loaded.card.quality}
    assert rows == {("1, 2", True), ("none", False)}  # the second is of the conversion
    write_records(outcome, plan, [tmp_path / "study"], tmp_path / "records")
    assert "sound-training default" in (tmp_path / "records" / "README.md").read_text()
    records = read_all(tmp_path / "records" / "records")
    assert [record.job.test_fold for record in records] == [1, 2]
    assert {record.provenance.seconds for record in records} == {3.0}
