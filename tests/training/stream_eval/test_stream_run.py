"""A whole evaluation: heard through the monitor, kept in records, taken up again, put on a page."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from recordings import make_part

from monitor.listeners import Listener as ReplayListener
from monitor.records import EventRecord
from monitor.stream.replay import Replay, ReplayOptions
from training.base.report import write
from training.cli import main
from training.errors import DataError
from training.mixing.soundscapes import ScapePlan
from training.stream_eval.judge import MOVES
from training.stream_eval.page import compose, wilson
from training.stream_eval.pooled import pooled
from training.stream_eval.records import (
    BACKGROUNDS,
    STREAMS,
    Evaluations,
    Setting,
    StreamRecord,
)
from training.stream_eval.replayed import Profile, listen
from training.stream_eval.run import conditions, run
from training.stream_eval.systems import own, unheard_folds

pytest.importorskip("sed_eval")

ROOT = Path(__file__).parents[3]
MODEL, STREET = ROOT / "models" / "urban-sounds.tflite", ROOT / "examples" / "street.wav"
PLAN = ScapePlan(count=2, seconds=12.0, sounds=3)
NO_SWEEPS = ()


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return Setting(make_part(tmp_path_factory.mktemp("recordings"), seconds=1.0), PLAN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("records")


@pytest.fixture(scope="module")
def records(setting: Setting, folder: Path) -> list[StreamRecord]:
    return run([own(MODEL)], setting, ("band",), folder, 1, lambda text: None)


class _Records(ReplayListener):
    def __init__(self) -> None:
        self.records: list[EventRecord] = []

    def on_record(self, record: EventRecord) -> None:
        self.records.append(record)


@pytest.mark.parametrize("profile", ["quiet", "sensitive"])
def test_a_profile_decides_over_hops_as_the_replay_does(profile: str) -> None:
    listener = own(MODEL)
    assembly, seen = listener.assembly(profile), _Records()
    Replay(assembly, ReplayOptions(node="test", deterministic=True), [seen], threading.Event()).run(
        [STREET], pytest.fail
    )
    # The scores come from a replay with the other profile: they do not depend on it.
    hops = listen(listener.assembly("quiet"), [STREET])
    heard = [
        (e.label, pytest.approx(e.onset_s, abs=1e-3), pytest.approx(e.decided_s, abs=1e-3))
        for e in Profile(assembly).detected(hops).events[0]
    ]
    starts = [(r.label, r.start_s, r.start_s + r.delay_s) for r in seen.records if r.type == "start"]
    assert starts
    assert starts == heard


def test_higher_thresholds_raise_fewer_alarms() -> None:
    listener = own(MODEL)
    hops = listen(listener.assembly("quiet"), [STREET])
    profile = Profile(listener.assembly("sensitive"))
    counts = [len(profile.detected(hops, moved).events[0]) for moved in (0.0, 3.0, 20.0)]
    assert counts[0] > counts[1] >= counts[2] == 0


def test_every_condition_is_kept_as_it_was_heard(
    records: list[StreamRecord], setting: Setting, folder: Path
) -> None:
    assert [r.condition for r in records] == [BACKGROUNDS, "plain", "band-4k"]
    store = Evaluations(folder, setting)
    for record in records:
        assert store.find(own(MODEL), record.condition) == record
        assert STREAMS.unpack(STREAMS.pack(record)) == record
    assert all(set(r.scenes) | set(r.beds) == {"quiet", "sensitive"} for r in records)
    assert all(len(bed.curve) == len(MOVES) for bed in records[0].beds["quiet"])


def test_what_is_kept_is_not_heard_again(records: list[StreamRecord], setting: Setting, folder: Path) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    again = run([own(MODEL)], setting, ("band",), folder, 1, refuse)
    assert again == records


def test_records_of_other_scenes_or_other_models_are_made_again(
    records: list[StreamRecord], setting: Setting, folder: Path, tmp_path: Path
) -> None:
    assert Evaluations(folder, Setting(setting.part, ScapePlan(seed=9))).find(own(MODEL), "plain") is None
    other = tmp_path / MODEL.name
    other.write_bytes(MODEL.read_bytes() + b" ")
    assert Evaluations(folder, setting).find(own(other), "plain") is None
    other.write_bytes(MODEL.read_bytes())
    assert Evaluations(folder, setting).find(own(other), "plain") == records[1]


def test_a_damaged_record_is_made_again(
    records: list[StreamRecord], setting: Setting, tmp_path: Path
) -> None:
    store = Evaluations(tmp_path, setting)
    store.write(records[1])
    path = next(tmp_path.glob("*.json"))
    path.write_text(path.read_text()[:-40])
    assert store.find(own(MODEL), "plain") is None


def test_several_processes_hear_what_one_does(
    records: list[StreamRecord], setting: Setting, tmp_path: Path
) -> None:
    assert run([own(MODEL)], setting, ("band",), tmp_path, 2, lambda text: None) == records


def test_families_name_the_conditions() -> None:
    assert {BACKGROUNDS, "plain", "snr-5"} <= set(conditions(("snr",)))
    assert "room-large" not in conditions(("snr",))
    assert "room-large" in conditions(("snr", "room"))


def test_folds_are_pooled(records: list[StreamRecord], folder: Path, tmp_path: Path) -> None:
    """Twice the same fold: as good, with twice the sounds, the hours and the alarms."""
    for number in (1, 2):
        for record in records:
            target = tmp_path / str(number) / "records" / f"{record.condition}.json"
            target.parent.mkdir(parents=True, exist_ok=True)
            named = replace(record, listener=f"without-fold{number}")
            target.write_text(STREAMS.pack(named).to_json())
    twice = {r.condition: r for r in pooled([tmp_path / "1", tmp_path / "2"])}
    assert {r.listener for r in twice.values()} == {"without the fold"}
    for record in records:
        both = twice[record.condition]
        for profile, figures in record.scenes.items():
            again = both.scenes[profile]
            assert again.macro("onset_f1") == pytest.approx(figures.macro("onset_f1"), abs=1e-4)
            assert [2 * c.sounds for c in figures.classes] == [c.sounds for c in again.classes]
            assert len(again.delays_s) == 2 * len(figures.delays_s)
        for profile, beds in record.beds.items():
            assert sum(b.seconds for b in both.beds[profile]) == pytest.approx(
                2 * sum(b.seconds for b in beds)
            )
    with pytest.raises(DataError, match="no records of an evaluation"):
        pooled([tmp_path])


def test_the_page_names_every_picture_and_table(records: list[StreamRecord], tmp_path: Path) -> None:
    report = compose(records, PLAN, "sound-training stream-eval", ["", "**A note.**"])
    page = write(report, tmp_path)
    assert "**A note.**" in report.markdown
    assert all(f"]({name})" in report.markdown for name in report.pictures)
    assert all(f"`{name}`" in report.markdown for name in report.tables)
    assert page.read_text().count("data:image/png") == len(report.pictures)
    assert "urban-sounds, quiet" in report.markdown


def test_a_run_without_a_package_is_refused_in_usage(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["stream-eval", "--data", str(tmp_path)])
    assert result.exit_code == 2
    assert "name one with --model" in result.output


def test_a_card_tells_which_folds_its_weights_never_saw() -> None:
    card = own(MODEL).assembly("quiet").model.card
    assert unheard_folds(card) == frozenset(), "its figures are of the recipe, its weights heard all"
    of_the_weights = tuple(q.model_copy(update={"recipe_cv": False, "fold": "2"}) for q in card.quality)
    assert unheard_folds(card.model_copy(update={"quality": of_the_weights})) == {2}


def test_the_interval_of_a_share_is_wilsons() -> None:
    assert wilson(4, 4) == pytest.approx((0.510, 1.0), abs=1e-3)
    assert wilson(0, 4) == pytest.approx((0.0, 0.490), abs=1e-3)
    assert wilson(5, 10) == pytest.approx((0.237, 0.763), abs=1e-3)
