"""Laws of sounds played to others: receivers are judged for themselves, alerts count from the onset on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from corpora import write_urbansound8k

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from training.base.maths import fit_temperature
from training.base.tflite import Invoker, operator_names
from training.data.audio import RATE, read
from training.data.corpora import CLASSES, Clip
from training.errors import DataError, ExportError
from training.export.conversion import to_tflite
from training.records.jobs import Job
from training.robustness.attacks.methods import snr_db
from training.robustness.page import tables_played
from training.robustness.page.gather import Findings
from training.robustness.played import alerts, examples, transfer
from training.robustness.played.alerts import AS_RECORDED, SIREN, Alerted, on_street, raised
from training.robustness.played.analyses import own_subject
from training.robustness.played.transfer import SNRS_DB, Transferred
from training.robustness.played.transfer import transfer as played_to
from training.robustness.targets.networks import target
from training.robustness.targets.planted import planted
from training.robustness.targets.subjects import Subject, of_published
from training.stream_eval.replayed import Detections, Event
from training.study.task import Options

# foolbox imports scipy by an older name.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Please import `gaussian_filter`:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
RIGHT, WRONG = 5.0, -5.0


def knowing(loudest: float) -> Any:
    """A receiver that takes a sound for a siren while its peak is at most ``loudest``, else for a dog."""

    def hear(sounds: Sequence[Any]) -> Any:
        logits = np.zeros((len(sounds), len(CLASSES)), np.float32)
        for row, sound in enumerate(sounds):
            label = SIREN if np.abs(sound).max() <= loudest else "dog_bark"
            logits[row, CLASSES.index(label)] = RIGHT
        return logits

    return hear


def test_each_receiver_is_judged_by_its_own_right_and_beside_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = tuple(Clip(Path(f"{n}.wav"), "made", str(n), SIREN, 1) for n in range(2))
    sounds = np.array([[0.1] * 4, [0.3] * 4], np.float32)
    louder = {f"{snr:g} dB": sounds + 1 / snr for snr in SNRS_DB}
    noise = {f"noise at {snr:g} dB": sounds for snr in SNRS_DB}
    monkeypatch.setattr(transfer, "sounds_of", lambda given: sounds)
    monkeypatch.setattr(transfer, "perturbed", lambda *given: {**louder, **noise})
    source: Any = SimpleNamespace(job=Job("honest", "net", 2, 0), clips=clips, truth=np.full(2, 8))
    receivers = [Subject("firm", knowing(1.0)), Subject("half", knowing(0.19))]
    firm, half = played_to(source, receivers, frozenset({"half"}), 1, lambda text: None)
    assert (firm.right, half.right) == ((True, True), (True, False))
    assert all(kept == (True, True) for kept in firm.withstood.values())
    # 1/40 and 1/30 and 1/20 of full scale leave the first below 0.19, 1/10 does not.
    assert [half.withstood[f"{snr:g} dB"] for snr in SNRS_DB] == [(True, False)] * 3 + [(False, False)]
    assert all(kept == half.right for kept in half.noise.values())
    assert (firm.heard, half.heard) == (False, True)
    table = tables_played.transfer(Findings((), (), transferred=(firm, half)))
    assert [row[1] for row in table.rows] == ["firm", "half†"]
    assert table.rows[1][-4:] == (0.0, 0.0, 0.0, 1.0)


def test_a_sound_at_a_higher_rate_is_the_same_sound_and_gradients_pass() -> None:
    low, high = (
        np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)[None].astype(np.float32)
        for rate in (16_000, 22_050)
    )
    given = tf.constant(low)
    with tf.GradientTape() as tape:
        tape.watch(given)
        found = transfer.resampled(given, 16_000, 22_050)
        power = tf.reduce_sum(found**2)
    np.testing.assert_allclose(found, high, atol=1e-3)
    np.testing.assert_allclose(tape.gradient(power, given), 2 * low * 22_050 / 16_000, atol=0.01)


def test_what_has_no_gradients_for_sound_is_no_source() -> None:
    with pytest.raises(DataError, match="choose another source"):
        transfer.logits_by(planted("toy", 1.0))


def dense(bands: int = 8) -> Any:
    keras.utils.set_random_seed(3)
    window = keras.layers.Input((20, bands))
    x = keras.layers.Conv1D(12, 3, activation="relu")(window)
    return keras.Model(window, keras.layers.Dense(11)(keras.layers.GlobalAveragePooling1D()(x)))


def test_a_network_in_eight_bits_is_nearly_itself_and_computes_in_integers() -> None:
    model, windows = dense(), np.random.default_rng(0).standard_normal((60, 20, 8)).astype(np.float32)
    flatbuffer = to_tflite(model, "int8", windows)
    invoke = Invoker(flatbuffer)
    given = np.stack([invoke(window) for window in windows])
    wanted = np.asarray(model(windows))
    assert 0.0 < np.abs(given - wanted).max() < 0.1 * np.abs(wanted).max()
    assert {"QUANTIZE", "DEQUANTIZE"} <= operator_names(flatbuffer)


def test_a_conversion_that_fails_is_an_error_of_one_line() -> None:
    with pytest.raises(ExportError, match="TFLite conversion ended with code 1"):
        to_tflite(dense(), "int8", np.zeros((2, 7, 5), np.float32))


def test_a_published_network_hears_a_sound_as_the_study_gave_it(tmp_path: Path) -> None:
    write_urbansound8k(tmp_path / "data", folds=(1, 2, 3), rate=RATE)
    options = Options(
        tmp_path / "data", cache=tmp_path / "cache", runs=tmp_path / "runs", epochs=1, threads=1
    )
    one = target(Job("honest", "cnn", 1, 0), options, 4, True, lambda text: None)
    assert one.published is not None
    heard = of_published("cnn", one.published).hear([read(clip.path, RATE) for clip in one.clips])
    own = one.given(np.arange(4))(one.decibels)
    np.testing.assert_allclose(heard, own, atol=1e-3)
    # As an everyday subject it is as sure as suits the clips that it validated on.
    fitted = fit_temperature(one.published.logits(one.validation), np.array(one.validation_truth))
    calibrated = own_subject(one).hear([read(clip.path, RATE) for clip in one.clips])
    np.testing.assert_allclose(calibrated * fitted, heard, atol=1e-3)


def event(label: str, decided_s: float) -> Event:
    return Event(label, decided_s - 0.5, decided_s + 1, decided_s)


def test_an_alert_counts_if_it_is_a_siren_decided_after_the_onset(monkeypatch: pytest.MonkeyPatch) -> None:
    street = 0.01 * np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32)
    scenes = on_street(np.full((4, RATE), 0.1, np.float32), [street])
    onset = scenes[0].onset_s
    heard = (
        (event(SIREN, onset + 0.5),),
        (event(SIREN, onset - 0.5),),
        (event("dog_bark", onset + 0.5),),
        (event("dog_bark", onset), event(SIREN, onset + 1.0)),
    )
    monkeypatch.setattr(alerts, "listen", lambda assembly, files: [*files])
    monkeypatch.setattr(
        alerts, "Profile", lambda assembly: SimpleNamespace(detected=lambda s: Detections(heard, (1.0,) * 4))
    )
    listener: Any = SimpleNamespace(overrides={"quiet": ()}, assembly=lambda profile: profile)
    assert raised(listener, scenes) == {"quiet": (True, False, False, True)}


def test_versions_of_a_siren_meet_the_same_street_at_the_same_moment() -> None:
    street = 0.01 * np.random.default_rng(0).standard_normal(20 * RATE).astype(np.float32)
    one, other = (on_street(np.full((1, RATE), level, np.float32), [street])[0] for level in (0.1, 0.2))
    before = slice(0, int(one.onset_s * RATE))
    np.testing.assert_allclose(one.samples[before] * 2, other.samples[before], rtol=1e-4)


def test_alerts_are_counted_and_missed_are_those_reported_before() -> None:
    runs = {AS_RECORDED: (True, True, True, False)}
    runs |= {f"{snr:g} dB": (True, snr > 20, snr > 30, False) for snr in SNRS_DB}
    runs |= {f"noise at {snr:g} dB": (True, True, True, True) for snr in SNRS_DB}
    found = Alerted(
        "net", "shipped", "quiet", 2, 0, ("a", "b", "c", "d"), runs, True, ("1", "1", "1", "2"), ("x", "y")
    )
    ((receiver, *_, sirens, files, recorded, at_40, _, at_20, _, _, _, missed_at_20, _),) = (
        tables_played.alerts(Findings((), (), alerted=(found,))).rows
    )
    # Four clips of two recordings, over streets of two files; those reported are all of one recording.
    assert (receiver, sirens, files, recorded) == ("shipped†", "4 (2)", 2, "3 (1)")
    assert (at_40, at_20) == ("3 / 4", "1 / 4")
    assert missed_at_20 == pytest.approx(2 / 3)


def test_seeds_and_folds_of_a_transfer_are_one_row() -> None:
    kept = {f"{snr:g} dB": (True, False) for snr in SNRS_DB}
    found = tuple(
        Transferred("net", "other", fold, 0, ("a", "b"), (True, True), kept, kept) for fold in (1, 2)
    )
    (row,) = tables_played.transfer(Findings((), (), transferred=found)).rows
    assert row[:4] == ("net", "other", 4, 1.0)
    assert row[-1] == 0.5


def exemplary(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Four clips, of dogs and sirens in turn, and a network that knows them."""
    from test_attacks_on_sounds import SPEC, listening, tilted

    from training.robustness.targets.front_end import log_mel, on_features

    sounds, _ = tilted(5)
    one = listening(1.0)
    network = one.windows.network  # type: ignore[union-attr]
    features = np.asarray(log_mel(SPEC, RATE)(sounds))
    given = on_features(network.model, SPEC, network.scaling)
    monkeypatch.setattr(
        examples, "sounds_of", lambda clips: np.stack([sounds[int(clip.path.stem)] for clip in clips])
    )
    object.__setattr__(one, "decibels", features)
    object.__setattr__(one, "given", lambda rows: given)
    return one, sounds


def test_an_example_is_a_clip_that_is_fooled_the_next_of_its_class_if_need_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, sounds = exemplary(monkeypatch)
    least = examples.deepfool

    def in_vain(heard: Any, given: Any, truth: Any) -> Any:
        return given if np.array_equal(given[0], sounds[1]) else least(heard, given, truth)

    monkeypatch.setattr(examples, "deepfool", in_vain)
    found = examples.examples(one, tmp_path / "sounds", lambda text: None)
    assert [(e.clip, e.label, e.taken_for) for e in found] == [
        ("3", "siren", "dog_bark"), ("0", "dog_bark", "siren")
    ]  # fmt: skip


def test_examples_leave_a_picture_and_sounds_that_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = exemplary(monkeypatch)
    found = examples.examples(one, tmp_path / "sounds", lambda text: None)
    assert {(e.label, e.taken_for) for e in found} == {("dog_bark", "siren"), ("siren", "dog_bark")}
    assert (tmp_path / "sounds" / found[0].picture).stat().st_size > 1000
    for one_found in found:
        clip, louder, result = (
            soundfile.read(tmp_path / "sounds" / "bright" / name)[0] for name in one_found.sounds
        )
        assert snr_db(clip[None], result[None])[0] == pytest.approx(one_found.snr_db, abs=0.1)
        change = result - clip
        np.testing.assert_allclose(louder / np.abs(louder).max(), change / np.abs(change).max(), atol=0.01)
        assert 0.0 < one_found.rms_db <= one_found.max_db
