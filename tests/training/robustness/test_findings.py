"""Laws of what is kept and said: jobs run once, checks can fail, pairs are of the same clips."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from corpora import write_backgrounds, write_corpora

pytest.importorskip("tensorflow")

import tensorflow as tf

from training.base.report import write
from training.cli.robustness import robustness
from training.data.corpora import CLASSES
from training.errors import DataError
from training.networks.compact import Cost
from training.records.envelope import RunTime
from training.records.jobs import ClipOutcomes, DataUse, Job, JobRecord, Provenance
from training.records.store import Store
from training.robustness import records
from training.robustness.attacks import in_sound, universal
from training.robustness.attacks.in_features import (
    EPSILONS_DB,
    LARGE_DB,
    QUICK,
    FeatureEffort,
    Pushed,
    attack_features,
)
from training.robustness.attacks.in_sound import LOUD_DB, NOTHING_DB, PEAKS_DB, SNRS_DB, Attacked
from training.robustness.jobs import Work, run
from training.robustness.page import tables
from training.robustness.page.compose import compose
from training.robustness.page.gather import Findings, gather, share
from training.robustness.page.hardening import Side, is_hardened, pair, plain_of
from training.robustness.page.sanity import checks
from training.robustness.plan import AnalysisPlan, facts, state_of
from training.robustness.played import transfer
from training.robustness.targets.planted import MARGINS_DB, by_level, planted
from training.robustness.targets.subjects import named
from training.study.task import Options

# foolbox imports scipy by an older name.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Please import `gaussian_filter`:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
EFFORT = FeatureEffort(steps=5, restarts=0, deepfool_steps=5, second="FMN", second_steps=40)
PLAIN, HARD = "compact~epochs=30", "compact~epochs=30~hardening.beta=1"
CLIPS = ("a", "b", "c", "d")


def pushed(model: str, margin_db: float) -> Pushed:
    return replace(_attacked(margin_db), model=model)


@cache
def _attacked(margin_db: float) -> Pushed:
    return attack_features(planted("toy", margin_db), EFFORT, lambda text: None)


def side(model: str, snrs: tuple[float | None, ...], right: tuple[bool, ...] = (True,) * 4) -> Side:
    """Four clips of fold 1, ``right`` or not, that fall to perturbations at these SNRs."""
    truth = np.array([0, 1, 2, 3])
    guess = np.where(right, truth, 9)
    clips = ClipOutcomes(
        CLIPS, CLIPS, np.ones(4, np.int64), truth, guess, np.eye(10, dtype=np.float32)[guess]
    )
    record = JobRecord(
        Job("honest", model, 1, 0), DataUse((2, 3), "some", 10, 2, CLASSES), Provenance({}, {}, "", "", 1.0),
        (),
        30, Cost(1, 1), clips,
    )  # fmt: skip
    budgets = {f"{e:g}": right for e in (0.0, *EPSILONS_DB, LARGE_DB)}
    no, none = (False,) * 4, (None,) * 4
    features = Pushed(
        model, 1, 0, CLIPS, CLASSES[:4], CLIPS, right, no, {}, budgets, none, none, "FMN", no, none
    )
    left = {f"{s:g}": tuple(v is not None and v < s for v in snrs) for s in (NOTHING_DB, *SNRS_DB, LOUD_DB)}
    runs = {
        f"{kind} {s:g} dB": right for kind in ("PGD", "Gaussian noise at", "pink noise at") for s in SNRS_DB
    }
    descents = {**{f"PGD {s:g} dB": s for s in SNRS_DB}, **{f"PGD {p:g} dBFS": -p for p in PEAKS_DB}}
    sound = Attacked(
        model, 1, 0, CLIPS, CLASSES[:4], CLIPS, right, no,
        {**runs, **{f"PGD {p:g} dBFS": right for p in PEAKS_DB}}, left, {f"{p:g}": right for p in PEAKS_DB},
        {name: (s, s + 1, None, s) for name, s in descents.items()}, dict.fromkeys(descents, (-50.0,) * 4),
        snrs, right, snrs, snrs, right, (snrs[0], None, None, None),
    )  # fmt: skip
    return Side((record,), (features,), (sound,))


def test_an_analysis_runs_once_and_again_when_its_settings_change(tmp_path: Path) -> None:
    ran = []

    def work(settings: dict[str, Any]) -> Work:
        return Work("kind/one", settings, lambda say: ran.append(settings) or [planted("toy", 1.0).job])

    for settings in ({"clips": 4}, {"clips": 4}, {"clips": 8, "snr": 0.1}, {"clips": 8, "snr": 0.1}):
        assert run([work(settings)], tmp_path) == []
    assert ran == [{"clips": 4}, {"clips": 8, "snr": 0.1}]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_analysis_that_cannot_be_run_stops_no_other(tmp_path: Path, workers: int) -> None:
    def refuse(say: Any) -> Any:
        raise DataError("not trained")

    works = [Work("one", {}, refuse), Work("two", {}, lambda say: [RunTime(1.0, 2.0)])]
    assert run(works, tmp_path, workers) == ["one: not trained"]
    assert (tmp_path / "two.json").is_file()
    assert not (tmp_path / "one.json").exists()


def test_checks_hold_for_an_honest_network_and_find_one_that_hides_its_gradients() -> None:
    def hiding(decibels: Any) -> Any:
        return by_level(tf.stop_gradient(decibels)) + 0.0 * tf.reduce_sum(decibels, axis=(1, 2))[:, None]

    toys = tuple(pushed(name, margin) for name, margin in MARGINS_DB.items())
    masked = attack_features(
        replace(planted("hiding", 0.3), given=lambda rows: hiding), EFFORT, lambda text: None
    )
    found = checks(Findings((pushed("open", 0.3), masked), toys))
    assert all(check.holds for check in found if check.subject != "hiding")
    failed = {check.law for check in found if check.subject == "hiding" and not check.holds}
    assert failed == {
        f"{LARGE_DB:g} dB leave about nothing",
        "noise as strong as PGD at 1 dB fools fewer",
        "as many random changes of 1 dB as PGD has steps fool no more",
        "the loss of every clip that is right has a gradient",
        "DeepFool without limit fools all",
    }
    swapped = tuple(replace(toy, model=name) for toy, name in zip(toys, [*MARGINS_DB][::-1], strict=True))
    assert not any(check.holds for check in checks(Findings((), swapped)))


def test_a_pair_counts_the_clips_that_both_take_right_and_loses_what_it_loses() -> None:
    plain = side(PLAIN, (50.0, 40.0, 45.0, None), (True, True, True, False))
    hard = side(HARD, (40.0, 34.0, None, 30.0), (True, True, False, True))
    found = pair(plain, hard)
    assert (found.folds, found.seeds, found.features) == ((1,), (0,), None)
    assert found.gained.value == 0.0
    assert (found.accuracy, found.plain_accuracy) == (0.75, 0.75)
    assert found.sound is not None
    assert (found.sound.clips, found.sound.both_right) == (4, 2)
    assert (found.sound.plain_least, found.sound.least) == (45.0, 37.0)
    assert found.sound.harder[1] == pytest.approx(8.0)
    assert (found.sound.robust["40 dB SNR"], found.sound.plain_robust["40 dB SNR"]) == (0.5, 0.0)
    gained = found.sound.gained["40 dB SNR"]
    assert (gained.value, gained.clips, gained.recordings) == (0.5, 4, 4)
    assert gained.low < 0.5 < gained.high
    other = replace(hard.attacked[0], clips=("e", *CLIPS[1:]))
    with pytest.raises(DataError, match="on different clips"):
        pair(plain, replace(hard, attacked=(other,)))
    assert pair(plain, replace(hard, attacked=())).sound is None
    with pytest.raises(DataError, match="share no fold"):
        pair(plain, replace(hard, records=()))


def test_a_change_of_features_twice_as_large_is_six_decibels_stronger() -> None:
    plain, hard = side(PLAIN, (None,) * 4), side(HARD, (None,) * 4)
    soft, firm = (
        replace(s.pushed[0], rms_db=values)
        for s, values in ((plain, (0.1, 0.2, None, 0.5)), (hard, (0.2, 0.4, 0.3, None)))
    )
    found = pair(replace(plain, pushed=(soft,)), replace(hard, pushed=(firm,)))
    assert found.sound is None
    assert found.features is not None
    assert (found.features.both_right, found.features.plain_least) == (2, pytest.approx(0.15))
    np.testing.assert_allclose(found.features.harder, 6.02, atol=0.01)


def test_the_plain_network_of_a_hardened_one_is_trained_alike() -> None:
    assert plain_of(f"{HARD}~hardening.epsilon_db=0.5") == PLAIN
    assert is_hardened(HARD)
    assert not is_hardened(PLAIN)
    assert not is_hardened("compact")


def test_the_page_shows_every_network_and_calls_a_failed_check_by_its_name(tmp_path: Path) -> None:
    sides = [side(PLAIN, (50.0, 40.0, 45.0, 41.0)), side(HARD, (40.0, 34.0, 30.0, 35.0))]
    toys = tuple(pushed(name, margin) for name, margin in MARGINS_DB.items())
    cnn = pushed("cnn", 0.3)
    findings = Findings(
        (cnn, replace(cnn, seed=1)), toys, tuple(a for s in sides for a in s.attacked), (pair(*sides),)
    )
    write(compose(findings, "../robustness.md"), tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert "[docs/robustness.md](../robustness.md)" in text
    assert f"| cnn | {cnn.fold} | 2 | 12 | 1.000 |" in text  # another seed is not more clips
    assert "| FMN | 1 of 4 | 50.0 (50.0–50.0) | 50.0 |" in text
    runs = (tmp_path / "sounds-runs.csv").read_text()
    assert f"{PLAIN},40 dB SNR,40.0 (40.0),-50,1,1.0000," in runs
    assert f"| {HARD} | 1 | 0 | 1.000 | 1.000 | +0.0 (+0.0 … +0.0) | yes |" in text
    assert f"| {HARD} | sound | 4 | 1.00 / 1.00 |" in text
    assert "fails" in text  # the made-up networks withstand nothing at no budget
    assert (tmp_path / "trade-off.png").stat().st_size > 1000
    assert (tmp_path / "sounds.csv").read_text().count("\n") == 3
    with pytest.raises(DataError, match="run an analysis first"):
        gather(tmp_path / "none")


def test_the_command_attacks_makes_a_page_and_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Conversions run in child processes and have their own tests.
    monkeypatch.setattr("training.robustness.played.analyses.conversions", lambda source, say: [])
    monkeypatch.setattr(
        "training.robustness.played.analyses._QUICK_EFFORT", universal.UniversalEffort(steps=1)
    )
    monkeypatch.setattr("training.robustness.plan._QUICK_SIRENS", 1)
    monkeypatch.setattr("training.robustness.played.analyses._LEARNING", 2)
    monkeypatch.setattr(in_sound, "QUICK", replace(in_sound.QUICK, steps=2))
    monkeypatch.setattr(
        "training.robustness.plan.QUICK", replace(QUICK, steps=2, deepfool_steps=10, second_steps=2)
    )
    write_corpora(tmp_path / "data", folds=(1, 2, 3))
    write_backgrounds(tmp_path / "data", kinds=("street", "speech"))
    out = tmp_path / "out"
    common = ["--data", str(tmp_path / "data"), "--out", str(out), "--runs", str(tmp_path / "runs")]
    common += ["--cache", str(tmp_path / "cache"), "--folds", "1", "--clips", "2"]
    # One job at a time runs in this process, where the patches above apply.
    common += [
        "--sounds",
        str(tmp_path / "sounds"),
        "--models",
        "cnn~epochs=1,compact~epochs=1",
        "--jobs",
        "1",
        "--package",
        "models/urban-sounds-0.6.0.tflite",
    ]
    runner = CliRunner()
    untrained = runner.invoke(robustness, [*common, "--quick", "--parts", "features"])
    assert untrained.exit_code == 1
    assert "train it first" in untrained.stderr
    trains = runner.invoke(robustness, [*common, "--parts", "examples"], catch_exceptions=False)
    assert trains.exit_code == 0, trains.stderr
    ran = runner.invoke(robustness, [*common, "--quick"], catch_exceptions=False)
    assert ran.exit_code == 0, ran.stderr
    kept = {path: path.stat().st_mtime_ns for path in (out / "records").rglob("*.json")}
    attacked = "compact~epochs=1-fold1-seed0"
    shipped = named(Path("models/urban-sounds-0.6.0.tflite"))
    assert sorted(f"{path.parent.name}/{path.stem}" for path in kept) == [
        f"alerts/{shipped} from {attacked}", "everyday/compact~epochs=1", f"examples/{attacked}",
        "features/cnn~epochs=1-fold1-seed0", f"features/{attacked}", "features/planted robust",
        "features/planted weak", "honest/cnn~epochs=1-fold1-seed0", f"honest/{attacked}",
        f"sound/{attacked}", f"transfer/{attacked} to {shipped}", f"universal/{attacked} to {shipped}",
    ]  # fmt: skip
    page = (out / "README.md").read_text()
    assert "| compact~epochs=1 | 1 | 1 | 2 |" in page
    assert "| clean | as recorded |" in page
    assert "| compact~epochs=1 | cnn~epochs=1 | 2 |" in page
    # Of fold 1 the shipped package has heard recordings, and a mark says so.
    assert f"| compact~epochs=1 | {shipped}† | 2 |" in page
    assert f"| {shipped}† | quiet | compact~epochs=1 |" in page
    assert "| compact~epochs=1 | 1 | hide sirens |" in page
    assert (out / "universal.png").stat().st_size > 1000
    assert [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| all |")] == [
        [" all ", " 10 "]
    ]
    again = runner.invoke(robustness, [*common, "--quick"], catch_exceptions=False)
    assert again.exit_code == 0
    assert kept == {path: path.stat().st_mtime_ns for path in (out / "records").rglob("*.json")}


def test_the_page_alone_of_a_quick_run_that_never_was_is_that_of_the_committed_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Path("models/urban-sounds-0.6.0.tflite").absolute()
    monkeypatch.chdir(tmp_path)
    record = records.FindingsRecord({}, (asdict(pushed(PLAIN, 1.0)),), RunTime(1.0, 1.0))
    Store(tmp_path / "docs/results/robustness/records", records.FINDINGS).write("features/net", record)
    told = CliRunner().invoke(robustness, ["--quick", "--parts", "", "--package", str(package)])
    assert told.exit_code == 0, told.stderr
    assert told.stdout == "docs/results/robustness/index.html\n"


def test_every_network_is_a_source_of_transferred_attacks_unless_quick(tmp_path: Path) -> None:
    plan = AnalysisPlan(Options(tmp_path), ("cnn", "compact"), (1,), (0,), 4, quick=False)
    assert plan.sources == ("cnn", "compact")
    assert replace(plan, quick=True).sources == ("compact",)


def test_what_the_same_networks_did_with_other_packages_is_one_row_and_earlier_records_are_left(
    tmp_path: Path,
) -> None:
    kept = {f"{s:g} dB": (True,) for s in transfer.SNRS_DB}
    heard = [
        transfer.Transferred("net", name, 1, 0, ("a",), (True,), kept, kept)
        for name in ("other", "0.1", "0.2")
    ]
    levels = {f"{s:g} dB": (True,) for s in universal.SNRS_DB}
    for package, one in (("0.1", heard[1]), ("0.2", heard[2])):
        sound = universal.Universal(
            "net", 1, 0, "hide", ("a",), (True,), levels, levels, levels, {f"{package}, quiet": {}}
        )
        for kind, rows in (("transfer", (heard[0], one)), ("universal", (sound,))):
            record = records.FindingsRecord({}, rows, RunTime(1.0, 1.0))
            Store(tmp_path, records.FINDINGS).write(f"{kind}/net to {package}", record)
    (tmp_path / "sound").mkdir()
    (tmp_path / "sound" / "old.json").write_text(
        '{"schema": 1, "settings": {}, "findings": [{"model": "net"}]}'
    )
    found = gather(tmp_path)
    assert [one.receiver for one in found.transferred] == ["other", "0.1", "0.2"]
    assert [[*one.alerts] for one in found.universal] == [["0.1, quiet", "0.2, quiet"]]
    assert found.attacked == ()


def test_a_record_is_out_of_date_when_the_network_or_a_recording_is_another(tmp_path: Path) -> None:
    write_corpora(tmp_path / "data", folds=(1, 2, 3))
    plan = AnalysisPlan(Options(tmp_path / "data", runs=tmp_path / "runs"), ("compact",), (1,), (0,), 4, True)
    (job,) = plan.jobs(["compact"])
    state = state_of(job, plan.options)
    state.parent.mkdir(parents=True)
    seen = []
    for weights in (b"one", b"one", b"two"):
        state.write_bytes(weights)
        seen.append(facts(plan, [job], [1], 4))
    assert seen[0] == seen[1] != seen[2]
    for wav in (tmp_path / "data").rglob("*.wav"):
        wav.write_bytes(wav.read_bytes() + b"00")
    assert facts(plan, [job], [1], 4)["clips"] != seen[2]["clips"]
    assert facts(plan, [job], [1], 2)["clips"] != facts(plan, [job], [1], 4)["clips"]


def test_a_least_perturbation_that_is_not_found_or_not_held_is_told() -> None:
    (found,) = side(PLAIN, (50.0, 40.0, 45.0, 41.0)).attacked
    law = "DeepFool without limit fools all"

    def told(one: Attacked) -> tuple[str, bool]:
        ((text, holds),) = {(c.found, c.holds) for c in checks(Findings((), (), (one,))) if c.law == law}
        return text, holds

    lost = replace(found, rounded_snr_db=(50.0, None, 45.0, None))
    assert told(found) == ("4 of 4, 4 in 16 bits", True)
    assert told(lost) == ("4 of 4, 2 in 16 bits", True)
    missed = replace(found, snr_db=(None, 40.0, 45.0, 41.0), rounded_snr_db=(None, 40.0, 45.0, 41.0))
    assert told(missed) == ("3 of 4, 3 in 16 bits", False)
    shown = tables.sounds(Findings((), (), (lost,)))
    assert shown.rows[0][shown.columns.index("clips lost to 16 bits, even 24 dB up")] == 2
    by_class = tables.sound_classes(Findings((), (), (lost,)))
    assert [row[1] for row in by_class.rows[:3]] == [
        "50.0 / 50.0 (1 / 1)", "40.0 / – (1 / 0)", "45.0 / 45.0 (1 / 1)"
    ]  # fmt: skip


def test_what_was_not_asked_or_not_found_is_a_dash() -> None:
    (found,) = side(PLAIN, (None,) * 4).attacked
    unasked = replace(found, second_asked=(False,) * 4, second_snr_db=(None,) * 4)
    page = compose(Findings((), (), (unasked,))).markdown
    (row,) = [line for line in page.splitlines() if line.startswith(f"| {PLAIN} | 1 | 1 | 4 |")][:1]
    assert row.endswith("| – | – | – | – |")
    assert "nan" not in page


def test_intervals_of_hardening_draw_recordings_and_tell_what_rounding_leaves() -> None:
    plain, hard = side(PLAIN, (50.0, 40.0, 45.0, 41.0)), side(HARD, (40.0, 34.0, 39.0, 35.0))
    found = pair(plain, hard).sound
    assert found is not None
    assert (found.apart.value, found.clip_by_clip.value) == (43.0 - 37.0, 6.0)
    assert found.in_16_bits == found.clip_by_clip
    assert (found.apart.clips, found.apart.recordings) == (4, 4)
    assert found.clip_by_clip.low == 6.0
    assert found.clip_by_clip.high == 10.0
    # Clips of one recording are drawn together: no draw differs from another.
    soft, firm = (
        replace(s, attacked=(replace(s.attacked[0], recordings=("a",) * 4),)) for s in (plain, hard)
    )
    alone = pair(soft, firm).sound
    assert alone is not None
    assert (alone.apart.low, alone.apart.high, alone.apart.recordings) == (6.0, 6.0, 1)


def test_of_no_clips_there_is_no_share() -> None:
    """A network that was right about nothing leaves nothing that could survive 16 bits."""
    assert np.isnan(share([[], []]))
    assert share([[True], [], [False, False, False]]) == 0.25
