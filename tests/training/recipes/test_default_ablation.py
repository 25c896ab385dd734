"""The ablation of the shipped recipe: what is changed, what is heard, what a job leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from corpora import write_corpora
from recordings import make_part
from scored import random_record

from training.base.report import Table
from training.base.variants import changed, settings_of
from training.errors import DataError
from training.features.front_end import default_front_end
from training.fit.streaming import StreamRun
from training.mixing.streams import Scored
from training.networks.columns import StreamSpec
from training.networks.compact import NetworkSpec
from training.networks.windowed import WindowSpec
from training.recipes.ablation.factors import GROUPS, NAME, Settings, models
from training.recipes.ablation.front import Front, Pcen
from training.recipes.ablation.listening import ScoredMaterial, Streams, judge, prepare, thresholds
from training.recipes.ablation.page import compose, gain
from training.recipes.ablation.records import AblationRecord, read_all
from training.recipes.shipped import HOP_FRAMES
from training.study.ablation import Factor, Group

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NETWORK = StreamSpec(stem=4, blocks=(4, 6, 8), top=8, rings=(2, 5), level_frames=10)
WINDOWS = WindowSpec(NetworkSpec(frames=48, stem=4, blocks=(4, 6), top=8, level="window"))
LABELS = 11


def test_the_front_of_the_base_is_the_one_that_ships(tmp_path: Path) -> None:
    assert Front().front_end(tmp_path, 100) == default_front_end(tmp_path)


@pytest.mark.parametrize("group", GROUPS.values(), ids=list(GROUPS))
def test_every_factor_makes_other_settings_that_exist(group: Group, tmp_path: Path) -> None:
    made = [settings_of(model, {NAME: Settings()}) for model in group.models()]
    assert all(one != other for i, one in enumerate(made) for other in made[:i])
    for settings in made:
        network = settings.network
        assert settings.front.front_end(tmp_path, network.window).spec.n_mels == network.n_mels
        # A hop ends with a column; what comes before a stream's window is whole columns.
        assert settings.front.in_frames(HOP_FRAMES) % network.stride == 0
        assert network.lead % network.stride == 0


def test_all_models_are_run_once_and_every_base_before_its_factors() -> None:
    order = models()
    assert sorted(order) == sorted({model for group in GROUPS.values() for model in group.models()})
    for group in GROUPS.values():
        assert all(order.index(group.base) < order.index(group.model(f)) for f in group.factors)


def test_frames_at_another_rate_are_as_long(tmp_path: Path) -> None:
    base, half = (Front(rate=rate).front_end(tmp_path, 100) for rate in (16_000, 8_000))
    assert half.spec.hop / half.rate == base.spec.hop / base.rate
    assert half.spec.win_length / half.rate == base.spec.win_length / base.rate
    assert half.spec.fmax == half.rate / 2


def test_pcen_forgets_a_gain() -> None:
    rng = np.random.default_rng(0)
    decibels = rng.uniform(-60, -30, (1, 400, 8)).astype(np.float32)
    scaling = Pcen(np.zeros(8, np.float32), 1.0, 0.02)
    quiet, loud = (scaling.apply(decibels + gain_db)[:, 200:] for gain_db in (0.0, 20.0))
    assert np.abs(loud - quiet).max() < 0.2 * quiet.std()


def _stream(scores: Sequence[Sequence[float]], truths: tuple[tuple[str, float, float], ...] = ()) -> Scored:
    rows = np.array(scores, np.float32)
    return Scored("", "", 0.0, 0.0, 0.1 * np.arange(1, len(rows) + 1), rows, (), truths)


def _rows(count: int, value: float) -> list[list[float]]:
    return [[value] * LABELS for _ in range(count)]


def test_a_threshold_is_what_one_piece_in_a_hundred_exceeds() -> None:
    pieces = [_stream(_rows(50, piece / 1000)) for piece in range(200)]
    assert thresholds(pieces) == pytest.approx(0.197)


def test_a_sound_is_heard_at_the_first_row_over_the_threshold() -> None:
    beds = tuple(_stream(_rows(50, 0.3)) for _ in range(4))
    scores = np.full((100, LABELS), 0.1, np.float32)
    scores[10:, 0] = 0.3  # no more than the background
    scores[35:60, 0] = 0.8
    scape = _stream(scores.tolist(), (("air_conditioner", 2.0, 6.0), ("siren", 1.0, 3.0)))
    judged = judge(ScoredMaterial(np.zeros((1, LABELS), np.float32), (scape,), beds))
    assert judged.sounds == ("air_conditioner", "siren")
    assert judged.delays_s == (pytest.approx(1.6), None)
    assert judged.precision["air_conditioner"] is not None
    assert judged.precision["dog_bark"] is None


def _streams(precision: float, delays_s: Sequence[float | None]) -> Streams:
    return Streams({"siren": precision, "dog_bark": None}, ("siren",) * len(delays_s), tuple(delays_s))


def test_what_a_part_brings_is_the_base_minus_the_run_without_it() -> None:
    base, without = _streams(0.5, [1.0, 1.0, 2.0, None]), _streams(0.3, [1.5, None, 2.1, None])
    brings = gain([(base, without)], Factor("", {}, left_out=True))
    assert brings is not None
    assert brings.precision == pytest.approx(0.2)
    assert brings.heard == pytest.approx(0.25)
    assert brings.delay_s == pytest.approx(-0.3)
    other = gain([(base, without)], Factor("", {}))
    assert other is not None
    assert other.precision == pytest.approx(-0.2)


def _record(
    model: str, right: float, fold: int, settings: dict[str, object], precision: float
) -> AblationRecord:
    made = random_record(model, right, fold)
    run = {"epochs": 8, "steps": 50, "batch": 32}
    making = replace(made.making, settings={"run": run | settings, "lessons": {"count": 9}})
    return AblationRecord(replace(made, making=making), _streams(precision, [0.5, None]), 60.0)


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    record = _record(NAME, 0.7, 1, {}, 0.4)
    path = record.write(tmp_path)
    (back,) = read_all(tmp_path)
    assert (back.streams, back.cpu_s) == (record.streams, record.cpu_s)
    assert back.job.to_json() == record.job.to_json()
    assert back.job.job == record.job.job
    assert len(path.read_bytes()) < 20_000
    path.write_text("{}")
    with pytest.raises(DataError, match="delete it"):
        read_all(tmp_path)


def test_the_page_says_what_was_run_and_what_was_not() -> None:
    without = changed(NAME, {"run.weight": 0.0})
    records = [_record(NAME, 0.8, fold, {"weight": 3.0}, 0.4) for fold in (1, 2)]
    records += [_record(without, 0.5, fold, {"weight": 0.0}, 0.3) for fold in (1, 2)]
    page = compose(records, Table(("front end",), (("ships",),)), Table((), ()))
    assert "| YAMNet's embedding to predict | left out | +" in page.markdown
    assert "+10.0" in page.markdown
    assert "Not run: lessons: what YAMNet heard;" in page.markdown
    assert "it was not run" in page.markdown
    assert "| ships |" in page.markdown
    assert set(page.tables) == {"recipe.csv", "costs.csv"}


def test_records_of_two_recipes_are_not_compared() -> None:
    without = changed(NAME, {"run.weight": 0.0})
    records = [_record(NAME, 0.8, 1, {"weight": 3.0, "soft": 0.5}, 0.4)]
    records.append(_record(without, 0.5, 1, {"weight": 0.0, "soft": 0.8}, 0.3))
    with pytest.raises(DataError, match=r"run\.soft is not as in default"):
        compose(records, Table((), ()), Table((), ()))


def test_what_ships_costs_what_its_network_costs_and_twice_the_frames_twice_as_much() -> None:
    pytest.importorskip("tensorflow")
    from training.networks.streaming import cost
    from training.recipes.ablation.costs import costs

    rows = {row[0]: row for row in costs().rows}
    assert set(rows) == {"ships"} | {
        factor.name for name in ("form", "front-end") for factor in GROUPS[name].factors
    }
    a_second = cost(WindowSpec(), HOP_FRAMES).multiply_adds / 0.48 / 1e6
    assert float(str(rows["ships"][-1])) == pytest.approx(a_second, abs=0.06)
    assert float(str(rows["frames of 10 ms"][-1])) == pytest.approx(2 * a_second, rel=0.01)
    assert float(str(rows["ships"][5])) == WindowSpec().frames / 50


@pytest.mark.parametrize("network", [NETWORK, WINDOWS], ids=["columns", "windows"])
def test_columns_are_what_the_monitor_scores(network: StreamSpec | WindowSpec, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    import keras

    from training.export.package import undecided
    from training.fit.windows import measure_scaling
    from training.mixing.prepare import make_mixer
    from training.networks.streaming import build
    from training.recipes.ablation.listening import listen
    from training.recipes.shipped import Trained
    from training.scoring.evaluation import streamer

    part, front_end = make_part(tmp_path, recordings=1), default_front_end(tmp_path).cut(network.window)
    keras.utils.set_random_seed(3)
    model, run = build(network), StreamRun(network=network)
    scaling = measure_scaling(make_mixer(part, front_end, run.recipe, lambda done: None), 0)
    trained = Trained(model, run, scaling, front_end)
    flatbuffer, state = trained.converted()
    rows = streamer(trained.card(undecided(), state), flatbuffer).beds(part.backgrounds)[0]
    ours = listen(model, network, scaling, prepare(part, front_end, scapes=1)).beds[0]
    hop = HOP_FRAMES // network.stride
    at = np.arange(hop - 1, len(ours.scores), hop)
    np.testing.assert_allclose(ours.times_s[at], rows.times_s[: len(at)])
    # Frames are kept to 16 bits here.
    np.testing.assert_allclose(ours.scores[at], rows.scores[: len(at)], atol=2e-3)


def test_a_job_ends_in_a_record_and_is_made_again_when_the_recipe_changes(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from training.data.corpora import load
    from training.recipes.ablation.job import AblationInputs, found, planned, run_job
    from training.recipes.shipped import School
    from training.records.jobs import Job

    root = write_corpora(tmp_path / "data", folds=(1, 2))
    place = AblationInputs(load(root), School(tmp_path / "none", ()), tmp_path, tmp_path / "runs")
    network = replace(WINDOWS, network=replace(WINDOWS.network, n_mels=40))
    base = Settings(run=StreamRun(network=network, epochs=1, steps=2, batch=4), front=Front(bands=40))
    job = Job("honest", changed(NAME, {"run.taught": 0.0}), 1, 0)
    assert job in planned((1, 2), 0)
    assert found(job, base, place, tmp_path) is None
    record = run_job(job, base, place, lambda text: None)
    record.write(tmp_path)
    assert record.job.data.train_folds == (2,)
    assert len(record.job.clips.clip) == 12
    assert [epoch.epoch for epoch in record.job.epochs] == [1]
    assert record.streams is not None
    assert len(record.streams.sounds) > 0
    assert found(job, base, place, tmp_path) is not None
    other = replace(base, run=replace(base.run, rate=1e-3))
    assert found(job, other, place, tmp_path) is None
    with pytest.raises(DataError, match="leave them out"):
        run_job(Job("honest", NAME, 1, 0), base, place, lambda text: None)
