"""The front end equals librosa, and how the audio was cut does not change a bit."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.features.logmel import LogMel, log_mel, matrix_sha256, mel_matrix
from monitor.features.spec import LogMelSpec, Normalisation
from monitor.model.package import read_package

SMALL = LogMelSpec(n_fft=64, win_length=48, hop=16, frames=8, n_mels=6, fmax=4000.0)
SMALL_RATE = 8000
_MODELS = Path(__file__).parents[3] / "models"


def earlier() -> tuple[LogMelSpec, int]:
    """Return the front end of 0.6.0, whose successor has another kind."""
    card = read_package(_MODELS / "urban-sounds-0.6.0.tflite").card
    assert card is not None
    assert isinstance(card.front_end, LogMelSpec)
    return card.front_end, card.sample_rate


SPECS = {
    "0.6.0": earlier(),
    "small": (SMALL, SMALL_RATE),
    "htk, no norm": (
        LogMelSpec(
            n_fft=512, win_length=400, hop=160, frames=96, n_mels=64,
            fmin=125.0, fmax=7500.0, scale="htk", norm="none", floor=1e-6,
        ),
        16000,
    ),
    "odd lengths": (
        LogMelSpec(
            n_fft=511, win_length=301, hop=255, frames=50, n_mels=128,
            fmin=20.0, fmax=11025.0, reference=0.01,
        ),
        22050,
    ),
}  # fmt: skip


def sound(seed: int, count: int, scale: float = 0.1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, scale, count).astype(np.float32)


def librosa_frames(samples: np.ndarray, spec: LogMelSpec, rate: int) -> np.ndarray:
    """Normalised log-mel by librosa, in float64, of the signal after ``n_fft − hop`` zeros."""
    power = librosa.feature.melspectrogram(
        y=np.concatenate([np.zeros(spec.n_fft - spec.hop), samples]),
        sr=rate,
        n_fft=spec.n_fft,
        win_length=spec.win_length,
        hop_length=spec.hop,
        window="hann",
        center=False,
        power=2.0,
        n_mels=spec.n_mels,
        fmin=spec.fmin,
        fmax=spec.fmax,
        htk=spec.scale == "htk",
        norm="slaney" if spec.norm == "slaney" else None,
    ).T
    decibels = 10.0 * np.log10(np.maximum(power, spec.floor) / spec.reference)
    return (decibels - np.array(spec.normalisation.mean)) / np.array(spec.normalisation.std)


@pytest.mark.parametrize("name", SPECS)
def test_frames_are_librosas_within_float_rounding(name: str) -> None:
    spec, rate = SPECS[name]
    frames_per_call = 25
    samples = sound(1, 2 * frames_per_call * spec.hop)
    samples += 0.3 * np.sin(2 * np.pi * 440 * np.arange(len(samples)) / rate).astype(np.float32)
    ours = log_mel(samples, spec, rate, frames_per_call)
    theirs = librosa_frames(samples, spec, rate)
    assert ours.shape == theirs.shape
    assert ours.dtype == np.float32
    decibels = np.abs(ours - theirs) * np.array(spec.normalisation.std)
    assert decibels.max() < 1e-3
    assert np.median(decibels) < 1e-5


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.filterwarnings("ignore:Empty filters:UserWarning")
def test_mel_filters_are_librosas(name: str) -> None:
    spec, rate = SPECS[name]
    theirs = librosa.filters.mel(
        sr=rate,
        n_fft=spec.n_fft,
        n_mels=spec.n_mels,
        fmin=spec.fmin,
        fmax=spec.fmax,
        htk=spec.scale == "htk",
        norm="slaney" if spec.norm == "slaney" else None,
        dtype=np.float64,
    )
    np.testing.assert_allclose(mel_matrix(spec, rate), theirs, rtol=1e-9, atol=1e-15)


def test_silence_is_the_floor_and_full_scale_is_far_above() -> None:
    silence = log_mel(np.zeros(160, np.float32), SMALL, SMALL_RATE, 5)
    np.testing.assert_allclose(silence, -100.0, atol=1e-4)
    square = np.where(np.arange(1600) % 8 < 4, 1.0, -1.0).astype(np.float32)
    loud = log_mel(square, SMALL, SMALL_RATE, 5)
    assert np.isfinite(loud).all()
    assert loud[10:].max() > 0.0


def test_a_tone_peaks_in_the_band_that_holds_it() -> None:
    spec, rate = SPECS["0.6.0"]
    centres = librosa.mel_frequencies(spec.n_mels + 2, fmin=spec.fmin, fmax=spec.fmax)[1:-1]
    plain = spec.model_copy(update={"normalisation": Normalisation()})
    for band in range(20, spec.n_mels, 5):
        tone = 0.1 * np.sin(2 * np.pi * centres[band] * np.arange(rate) / rate)
        frames = log_mel(tone.astype(np.float32), plain, rate, 25)
        assert abs(int(frames[40].argmax()) - band) <= 1


def test_normalisation_subtracts_the_mean_and_divides_by_the_deviation_of_each_band() -> None:
    mean, std = tuple(-float(i) for i in range(6)), tuple(1.0 + i for i in range(6))
    normalised = SMALL.model_copy(update={"normalisation": Normalisation(mean=mean, std=std)})
    samples = sound(2, 800)
    plain = log_mel(samples, SMALL, SMALL_RATE, 5)
    scaled = log_mel(samples, normalised, SMALL_RATE, 5)
    np.testing.assert_allclose(scaled, (plain - np.array(mean)) / np.array(std), rtol=1e-5, atol=1e-5)


def test_the_reference_shifts_all_bands_alike() -> None:
    samples = sound(3, 800)
    shifted = log_mel(samples, SMALL.model_copy(update={"reference": 0.01}), SMALL_RATE, 5)
    np.testing.assert_allclose(shifted, log_mel(samples, SMALL, SMALL_RATE, 5) + 20.0, atol=1e-4)


@given(st.integers(0, 9), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_hop_by_hop_is_the_whole_to_the_bit(hops: int, frames_per_call: int, seed: int) -> None:
    samples = sound(seed, hops * frames_per_call * SMALL.hop)
    whole = log_mel(samples, SMALL, SMALL_RATE, frames_per_call)
    stream = LogMel(SMALL, SMALL_RATE, frames_per_call)
    pushed = [stream.push(hop) for hop in samples.reshape(hops, stream.hop_samples)]
    assert whole.shape == (hops * frames_per_call, SMALL.n_mels)
    np.testing.assert_array_equal(np.concatenate([whole[:0], *pushed]), whole)


@given(st.integers(0, 200))
def test_zeros_fill_the_last_hop_of_a_whole_signal(missing: int) -> None:
    samples = sound(4, 400)
    cut = samples[: len(samples) - missing]
    padded = np.concatenate([cut, np.zeros(-len(cut) % 80, np.float32)])
    np.testing.assert_array_equal(log_mel(cut, SMALL, SMALL_RATE, 5), log_mel(padded, SMALL, SMALL_RATE, 5))


@given(st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_a_frame_does_not_look_ahead(hop: int, seed: int) -> None:
    samples = sound(seed, 4 * 80)
    changed = samples.copy()
    changed[(hop + 1) * 80 :] = 1.0
    upto = (hop + 1) * 5
    np.testing.assert_array_equal(
        log_mel(changed, SMALL, SMALL_RATE, 5)[:upto], log_mel(samples, SMALL, SMALL_RATE, 5)[:upto]
    )


def test_after_reset_a_stream_begins_again() -> None:
    stream = LogMel(SMALL, SMALL_RATE, 5)
    hop = sound(5, stream.hop_samples)
    first = stream.push(hop)
    assert not np.array_equal(stream.push(hop), first)
    stream.reset()
    np.testing.assert_array_equal(stream.push(hop), first)


def test_frames_already_given_do_not_change_later() -> None:
    stream = LogMel(SMALL, SMALL_RATE, 5)
    first = stream.push(sound(6, stream.hop_samples))
    kept = first.copy()
    stream.push(sound(7, stream.hop_samples))
    np.testing.assert_array_equal(first, kept)


def test_another_mel_matrix_than_in_training_is_refused() -> None:
    right = matrix_sha256(mel_matrix(SMALL, SMALL_RATE))
    LogMel(SMALL.model_copy(update={"matrix_sha256": right}), SMALL_RATE, 5)
    with pytest.raises(ValueError, match="not the one this model was trained with"):
        LogMel(SMALL.model_copy(update={"matrix_sha256": right, "fmin": 1.0}), SMALL_RATE, 5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hop": 49}, "hop 49 ≤ win_length 48 ≤ n_fft 64 must hold"),
        ({"win_length": 65}, "hop 16 ≤ win_length 65 ≤ n_fft 64 must hold"),
        ({"fmin": 4000.0}, r"fmin 4000\.0 Hz must be below fmax 4000\.0 Hz"),
        ({"normalisation": {"mean": [0.0, 1.0]}}, "normalisation.mean has 2 values; 1 or 6 fit"),
        ({"normalisation": {"std": [0.0]}}, "greater than 0"),
        ({"normalisation": {"mean": [float("nan")]}}, "finite number"),
        ({"floor": float("inf")}, "finite number"),
        ({"power": 1.0}, "power"),
        ({"dither": 1.0}, "dither"),
    ],
)
def test_a_front_end_that_cannot_be_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LogMelSpec.model_validate({**SMALL.model_dump(), **changes})


def test_bands_above_half_the_rate_and_hops_of_a_wrong_size_are_refused() -> None:
    with pytest.raises(ValueError, match="fmax 4000 Hz is above half the sample rate 7000 Hz"):
        LogMel(SMALL, 7000, 5)
    with pytest.raises(ValueError, match="frames_per_call is 0"):
        LogMel(SMALL, SMALL_RATE, 0)
    with pytest.raises(ValueError, match=r"a hop has shape \(80,\), not \(81,\)"):
        LogMel(SMALL, SMALL_RATE, 5).push(np.zeros(81, np.float32))
