"""Laws of everyday disturbances: they do what they say, alike for every model, and are compared in pairs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("tensorflow")

from training.data.corpora import CLASSES, Clip
from training.errors import DataError
from training.mixing.streams import rms
from training.records.envelope import RunTime
from training.records.store import Store
from training.robustness import records
from training.robustness.corruptions import disturbances
from training.robustness.corruptions.disturbances import CLEAN, RATE, Disturbance, clipped, codec, every, over
from training.robustness.corruptions.everyday import Finding, findings
from training.robustness.page import tables
from training.robustness.page.gather import Findings
from training.robustness.targets.subjects import FoldSubjects, Responses, Subject, chosen, of_package

_TIME = np.arange(RATE) / RATE
TONE = (0.3 * np.sin(2 * np.pi * 440 * _TIME)).astype(np.float32)
HISS = (0.05 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def louder_is_siren(sounds: Any) -> Any:
    """A model of loudness: a siren over 0.1 RMS, else a dog."""
    logits = np.zeros((len(sounds), len(CLASSES)), np.float32)
    for row, sound in enumerate(sounds):
        logits[row, CLASSES.index("siren" if rms(sound) > 0.1 else "dog_bark")] = 5.0
    return logits


@pytest.fixture
def panel(tmp_path: Path) -> FoldSubjects:
    clips = []
    for number in range(6):
        path = tmp_path / f"clip{number}.wav"
        soundfile.write(path, TONE * (1.0 if number % 2 else 0.1), RATE)
        clips.append(Clip(path, "UrbanSound8K", str(number), "siren" if number % 2 else "dog_bark", 1))
    return FoldSubjects(1, tuple(clips), (Subject("loudness", louder_is_siren),))


@pytest.mark.parametrize("snr_db", [20.0, 0.0, -5.0])
def test_noise_lies_so_many_decibels_under_the_clip(snr_db: float) -> None:
    mixed = over(lambda samples, rng: HISS, snr_db)(TONE * 0.1, rng())
    assert 20 * np.log10(rms(TONE * 0.1) / rms(mixed - TONE * 0.1)) == pytest.approx(snr_db, abs=0.01)


def test_pink_noise_has_equal_power_in_every_octave_and_white_twice_as_much_in_the_next() -> None:
    for slope, ratio in ((1.0, 1.0), (0.0, 2.0)):
        power = np.abs(np.fft.rfft(disturbances.coloured(slope)(np.zeros(RATE * 8), rng()))) ** 2
        octaves = [power[8 * hertz : 16 * hertz].sum() for hertz in (500, 1000, 2000)]
        assert octaves[1] / octaves[0] == pytest.approx(ratio, rel=0.1)
        assert octaves[2] / octaves[1] == pytest.approx(ratio, rel=0.1)


def test_clipping_cuts_the_peak_off_and_leaves_a_quiet_clip_as_loud_as_a_loud_one() -> None:
    loud, quiet = (clipped(6.0)(TONE * gain, rng()) for gain in (1.0, 0.01))
    np.testing.assert_allclose(loud, quiet, atol=1e-5)
    assert np.abs(loud).max() == 1.0
    assert np.mean(np.abs(loud) == 1.0) == pytest.approx(2 / 3, abs=0.02)  # arcsin ½ is a third of the way


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize(("container", "kbit", "rate"), [("mp3", 64, 44_100), ("ogg", 24, 48_000)])
def test_a_codec_gives_the_same_sound_back_but_not_the_same_samples(
    container: str, kbit: int, rate: int
) -> None:
    heard = Disturbance("coded", "codec", "", changes=(codec(container, kbit, rate),))(TONE, "clip")
    assert len(heard) == len(TONE)
    assert not np.array_equal(heard, TONE)
    spectrum = np.abs(np.fft.rfft(heard))
    assert np.argmax(spectrum) == 440
    assert rms(heard) == pytest.approx(rms(TONE), rel=0.15)


def test_a_codec_that_ffmpeg_refuses_is_an_error_of_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DataError, match="apt install ffmpeg"):
        codec("mp3", 64, 44_100)(TONE, rng())


def test_a_disturbance_is_the_same_for_every_model_and_keeps_the_length() -> None:
    for disturbance in every([HISS], [HISS[:4000]]):
        if disturbance.family in ("mp3", "opus"):
            continue  # a process each; their law is above
        first, second = disturbance(TONE, "one"), disturbance(TONE, "one")
        np.testing.assert_array_equal(first, second)
        assert first.shape == TONE.shape
        assert first.dtype == np.float32
        assert np.isfinite(first).all()


def test_what_is_lost_is_lost_against_the_clean_clip_and_names_are_of_one_thing(panel: FoldSubjects) -> None:
    quiet = Disturbance("quiet", "gain", "", changes=(lambda samples, rng: samples * np.float32(0.1),))
    clean, softer = findings([panel], {1: [Disturbance(CLEAN, CLEAN, ""), quiet]}, [(1,)], lambda text: None)
    assert (clean.figures.accuracy, clean.lost.value) == (1.0, 0.0)
    assert (softer.figures.accuracy, softer.lost.value) == (0.5, 0.5)
    assert softer.lost.low > 0.0
    names = [disturbance.name for disturbance in every([HISS], [HISS])]
    assert len(set(names)) == len(names)
    assert names[0] == CLEAN


def test_every_pool_of_folds_is_counted_for_itself_unless_a_fold_is_missing(panel: FoldSubjects) -> None:
    other = replace(panel, fold=2, clips=panel.clips[1::2])
    pools = [(1, 2), (2,), (2, 3)]
    clean = Disturbance(CLEAN, CLEAN, "")
    found = findings([panel, other], {1: [clean], 2: [clean]}, pools, lambda text: None)
    assert [(one.folds, one.figures.clips) for one in found] == [((1, 2), 9), ((2,), 3)]
    by_pool = tables.pools(Findings((), (), everyday=tuple(found)))
    assert [row[2] for pool in by_pool.values() for row in tables.everyday(pool).rows] == [9, 3]


def test_the_noise_of_each_fold_is_its_own(panel: FoldSubjects) -> None:
    quiet = Disturbance("softer", "gain", "", changes=(lambda samples, rng: samples * np.float32(0.1),))
    same = Disturbance("softer", "gain", "", changes=())
    clean = Disturbance(CLEAN, CLEAN, "")
    other = replace(panel, fold=2)
    found = findings(
        [panel, other], {1: [clean, quiet], 2: [clean, same]}, [(1,), (2,), (1, 2)], lambda text: None
    )
    assert [one.lost.value for one in found if one.condition == "softer"] == [0.5, 0.0, 0.25]


def test_without_the_clean_clip_there_is_nothing_to_compare_to(panel: FoldSubjects) -> None:
    with pytest.raises(ValueError, match="must, as what others are compared to"):
        findings([panel], {1: [Disturbance("quiet", "gain", "")]}, [(1,)], lambda text: None)


def test_the_chosen_clips_do_not_depend_on_the_order_of_the_table(panel: FoldSubjects) -> None:
    assert chosen(panel.clips, 3) == chosen(panel.clips[::-1], 3)
    assert len(chosen(panel.clips, 0)) == 6


def test_the_shipped_package_is_heard_as_the_daemon_runs_it() -> None:
    shipped = of_package(Path(__file__).parents[3] / "models" / "urban-sounds-0.6.0.tflite")
    long, short = shipped.hear([np.tile(TONE, 4), TONE[: RATE // 4]])
    assert long.shape == short.shape == (len(CLASSES),)
    assert np.isfinite(long).all()


def test_reports_are_counted_as_the_class_of_the_clip_or_as_another(panel: FoldSubjects) -> None:
    def report(sounds: Any) -> Responses:
        quiet = tuple(frozenset({"siren"} if rms(sound) > 0.1 else ()) for sound in sounds)
        always = tuple(frozenset({"siren", "dog_bark"}) for _ in sounds)
        return Responses(louder_is_siren(sounds), {"quiet": quiet, "sensitive": always})

    alerting = replace(panel, subjects=(Subject("loudness", louder_is_siren, report),))
    louder = Disturbance("louder", "gain", "", changes=(lambda samples, rng: samples * np.float32(20.0),))
    clean = Disturbance(CLEAN, CLEAN, "")
    found = findings([alerting], {1: [clean, louder]}, [(1,)], lambda text: None)
    always = (1.0, 1.0)
    # Three of six clips are sirens; in the louder ones the dogs are reported as sirens too.
    assert [one.alerts for one in found] == [
        {"quiet": (0.5, 0.0), "sensitive": always}, {"quiet": (0.5, 0.5), "sensitive": always}
    ]  # fmt: skip
    assert tables.everyday_alerts(found).rows[1][1:] == ("louder", 6, 0.5, 0.5, 1.0, 1.0)
    assert tables.everyday_alerts(findings([panel], {1: [clean]}, [(1,)], lambda text: None)).rows == ()


def test_a_package_reports_by_its_profiles_and_its_logits_are_those_without_the_silence() -> None:
    shipped = of_package(Path(__file__).parents[3] / "models" / "urban-sounds.tflite")
    assert shipped.report is not None
    sounds = [np.tile(TONE, 4), np.zeros(4 * RATE, np.float32)]
    heard = shipped.report(sounds)
    np.testing.assert_array_equal(heard.logits, shipped.hear(sounds))
    assert set(heard.reported) == {"quiet", "sensitive"}
    assert heard.reported["quiet"][1] == frozenset()


def test_findings_come_back_from_their_file(panel: FoldSubjects, tmp_path: Path) -> None:
    found = findings([panel], {1: [Disturbance(CLEAN, CLEAN, "")]}, [(1,)], lambda text: None)
    record = records.FindingsRecord({"clips": 6}, found, RunTime(1.0, 1.0))
    Store(tmp_path, records.FINDINGS).write("everyday", record)
    (row,) = records.read_all(tmp_path)["everyday"].rows
    assert row["subject"] == "loudness"
    assert row["figures"]["accuracy"] == 1.0
    assert row["figures"]["background"] is None  # no such clips: not a number, which JSON cannot say
    assert isinstance(found[0], Finding)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DataError, match="not a findings record"):
        records.read_all(tmp_path)
