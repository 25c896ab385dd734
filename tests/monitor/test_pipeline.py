"""The route gives the same rows however the audio was cut, and survives whatever it holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st
from streams import HOP, RATE, WINDOW, bands, card, pipeline, plain, run

from monitor.config.load import SHIPPED_CONFIG, load_config
from monitor.features.logmel import log_mel
from monitor.features.spec import LogMelSpec
from monitor.records import AudioBlock
from monitor.stream.assembly import assemble

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LENGTH = 5 * HOP + 123
cuts = st.lists(st.integers(0, 2 * LENGTH), max_size=10).map(sorted)


def sound(count: int, seed: int = 1) -> np.ndarray:
    """Noise whose loudness comes and goes, so that events begin and end."""
    noise = np.random.default_rng(seed).normal(0.0, 1.0, count)
    return (noise * 0.2 * np.sin(np.arange(count) / 3000.0) ** 4).astype(np.float32)


@given(st.sampled_from([RATE, 16000, 22050, 44100]), st.sampled_from([1, 2]), cuts)
def test_blocks_of_any_size_give_the_same_rows_to_the_bit(rate: int, channels: int, at: list[int]) -> None:
    samples = sound(2 * LENGTH * channels).reshape(-1, channels)
    samples = samples[:, 0] if channels == 1 else samples
    at = [min(cut, len(samples)) for cut in at]
    assert plain(run(pipeline(rate), samples, at)) == plain(run(pipeline(rate), samples))


def test_gain_raises_what_the_model_hears_and_no_level() -> None:
    samples = sound(LENGTH)
    as_recorded = run(pipeline(), samples)
    quiet = run(pipeline(gain=64.0), samples / 64)  # a power of two: to the bit
    for one, other in zip(quiet, as_recorded, strict=True):
        np.testing.assert_array_equal(one.scores, other.scores)
        assert one.level.rms_dbfs == pytest.approx(other.level.rms_dbfs - 20 * np.log10(64), abs=0.1)


def test_the_configured_gain_is_in_decibels() -> None:
    config = load_config(SHIPPED_CONFIG, ["audio.gain_db=20"])
    assert assemble(config).new_parts().gain == pytest.approx(10.0)
    assert assemble(load_config(SHIPPED_CONFIG)).new_parts().gain == 1.0


@pytest.mark.parametrize("rate", [RATE, 44100])
@pytest.mark.parametrize("size", [1, HOP - 1, HOP, HOP + 1])
def test_blocks_of_one_size_give_the_same_rows_to_the_bit(rate: int, size: int) -> None:
    samples = sound(LENGTH)
    assert plain(run(pipeline(rate), samples, range(size, LENGTH, size))) == plain(
        run(pipeline(rate), samples)
    )


def test_a_row_is_the_model_on_the_window_that_ends_there() -> None:
    samples = sound(6 * HOP)
    front_end = card().front_end
    assert isinstance(front_end, LogMelSpec)
    frames = log_mel(samples, front_end, RATE, HOP // 80)
    per_hop, per_window = HOP // 80, WINDOW // 80
    rows = run(pipeline(), samples)
    assert [row.position for row in rows] == [HOP * (i + 1) for i in range(6)]
    assert [row.time_s for row in rows] == [HOP * (i + 1) / RATE for i in range(6)]
    for index in range(2, 6):
        end = (index + 1) * per_hop
        np.testing.assert_array_equal(rows[index].scores, bands(frames[end - per_window : end]))
    # Before the first full window, what has been heard is repeated.
    np.testing.assert_array_equal(rows[0].scores, bands(np.tile(frames[:per_hop], (3, 1))))


def test_the_warmup_of_silence_puts_the_front_end_of_zeros_before_the_start() -> None:
    samples = sound(HOP)
    front_end = card().front_end
    assert isinstance(front_end, LogMelSpec)
    frames = log_mel(samples, front_end, RATE, HOP // 80)
    rows = run(pipeline(warmup="silence"), samples)
    past = np.full((WINDOW // 80 - len(frames), 8), -100.0, np.float32)
    np.testing.assert_allclose(rows[0].scores, bands(np.concatenate([past, frames])), atol=1e-6)


@pytest.mark.parametrize("rate", [RATE, 11025, 48000, 192000])
@pytest.mark.parametrize("count", [1, 2, 100, 799, 800, 801, 4321])
def test_every_stream_with_audio_gives_a_row_and_the_last_ends_with_the_audio(rate: int, count: int) -> None:
    samples = sound(count) + 0.1
    rows = run(pipeline(rate), samples)
    heard = len(soxr.resample(samples, rate, RATE))
    assert len(rows) == max(1, -(-heard // HOP))
    assert rows[-1].position == max(1, heard)


def test_a_stream_without_audio_gives_no_row() -> None:
    assert run(pipeline(), np.empty(0, np.float32)) == []
    assert run(pipeline(48000), np.empty(0, np.float32)) == []


def test_the_tail_is_heard_before_silence_and_its_level_is_its_own() -> None:
    samples = sound(2 * HOP + 100)
    padded = np.concatenate([samples, np.zeros(HOP - 100, np.float32)])
    tail, whole = run(pipeline(), samples)[-1], run(pipeline(), padded)[-1]
    np.testing.assert_array_equal(tail.scores, whole.scores)
    alone = run(pipeline(), samples[2 * HOP :])[0]
    assert (tail.level.rms_dbfs, tail.level.peak_dbfs) == (alone.level.rms_dbfs, alone.level.peak_dbfs)
    assert tail.position == 2 * HOP + 100


@pytest.mark.parametrize("rate", [RATE, 16000, 44100])
@pytest.mark.parametrize("heard", [0, 100, HOP, 2 * HOP + 5])
def test_lost_audio_advances_the_clock_and_what_follows_is_heard_afresh(rate: int, heard: int) -> None:
    samples, gap = sound(4 * HOP), 12345
    stream = pipeline(rate)
    before = list(stream.push(AudioBlock(samples[:heard], 0)))
    after = list(stream.push(AudioBlock(samples, heard + gap))) + list(stream.flush())
    fresh = run(pipeline(rate), samples)
    shift = round((heard + gap) * RATE / rate)
    assert stream.lost_samples == gap
    assert [row.position for row in after] == [row.position + shift for row in fresh]
    assert [row.scores.tobytes() for row in after] == [row.scores.tobytes() for row in fresh]
    assert all(row.position <= heard * RATE / rate for row in before)


def test_audio_that_lost_nothing_counts_nothing() -> None:
    stream = pipeline()
    run(stream, sound(LENGTH), [10, 20, 3000])
    assert stream.lost_samples == 0


def test_an_event_that_a_loss_swallows_ends_while_nothing_was_heard() -> None:
    loud = sound(8 * HOP) * 0 + 0.5 * np.sign(sound(8 * HOP))
    stream = pipeline()
    started = [d for row in stream.push(AudioBlock(loud, 0)) for d in row.decisions]
    assert {d.type for d in started} == {"start"}
    quiet = np.full(HOP, 1e-5, np.float32) * np.sign(sound(HOP))
    ended = [d for row in stream.push(AudioBlock(quiet, 40 * HOP)) for d in row.decisions]
    assert {d.type for d in ended} == {"end"}
    assert all(8 * HOP < d.decided_pos < 40 * HOP for d in ended)
    assert stream.active == ()


def finite(samples: np.ndarray) -> list[float]:
    rows = run(pipeline(), samples.astype(np.float32))
    assert all(np.isfinite(row.scores).all() for row in rows)
    assert all(-120.0 <= value <= 0.0 for row in rows for value in (row.level.rms_dbfs, row.level.peak_dbfs))
    return [row.level.rms_dbfs for row in rows]


@given(st.lists(st.floats(width=32), min_size=1, max_size=50), st.integers(0, 3 * HOP))
def test_no_value_of_a_float_makes_a_score_or_a_level_that_is_none(values: list[float], at: int) -> None:
    samples = np.insert(sound(3 * HOP), at, np.array(values, np.float32))
    finite(samples)


def test_bad_samples_are_forgotten_after_a_window() -> None:
    samples = sound(12 * HOP)
    bad = samples.copy()
    bad[HOP : HOP + 50] = np.nan
    for row, clean in zip(run(pipeline(), bad)[5:], run(pipeline(), samples)[5:], strict=True):
        np.testing.assert_array_equal(row.scores, clean.scores)


def test_silence_has_the_lowest_level_and_no_event() -> None:
    rows = run(pipeline(), np.zeros(10 * HOP, np.float32))
    assert {(row.level.rms_dbfs, row.level.background_dbfs, row.level.clipped) for row in rows} == {
        (-120.0, -120.0, 0)
    }
    assert [row for row in rows if row.decisions] == []


def test_a_constant_offset_does_not_change_the_level() -> None:
    samples = sound(8 * HOP)
    np.testing.assert_allclose(finite(samples + 0.4), finite(samples), atol=0.01)


@pytest.mark.parametrize("offset", [0.3, -0.01])
def test_a_constant_offset_does_not_change_the_shipped_models_scores(offset: float) -> None:
    assembly = assemble(load_config(SHIPPED_CONFIG))
    samples, rate = soundfile.read(EXAMPLES / "street.wav", dtype="float32", frames=10 * 16000)
    plain_rows, offset_rows = (
        run(assembly.new_pipeline(rate), value) for value in (samples, samples + np.float32(offset))
    )
    # The first windows hold the step at the beginning, the last hop that at the end, where silence fills it.
    begin = round(assembly.window_s / assembly.hop_s) + 1
    for one, other in list(zip(plain_rows[begin:], offset_rows[begin:], strict=True))[:-1]:
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)


def test_clipped_samples_are_counted_hop_by_hop() -> None:
    samples = sound(3 * HOP) * 0.1
    samples[HOP + 10 : HOP + 17] = 1.0
    samples[2 * HOP :] = -1.0
    assert [row.level.clipped for row in run(pipeline(), samples)] == [0, 7, HOP]


def test_two_runs_are_equal_to_the_bit_and_a_stream_knows_nothing_of_the_one_before() -> None:
    first, second = sound(20 * HOP, 1), sound(20 * HOP, 2)
    rows = run(pipeline(), first)
    assert any(row.decisions for row in rows)
    run(pipeline(), second)
    assert plain(run(pipeline(), first)) == plain(rows)


def test_rejected_windows_make_no_event_but_keep_their_scores() -> None:
    samples = sound(20 * HOP)
    free = run(pipeline(), samples)
    rejected = run(pipeline(reject={"negative_over": 0.0}), samples)
    assert any(row.decisions for row in free)
    assert not any(row.decisions for row in rejected)
    for one, other in zip(free, rejected, strict=True):
        np.testing.assert_array_equal(one.scores, other.scores)


def test_close_ends_what_is_on_where_the_stream_stands() -> None:
    stream = pipeline()
    list(stream.push(AudioBlock(0.5 * np.sign(sound(4 * HOP + 50)), 0)))
    list(stream.flush())
    assert set(stream.active) == {"low", "high"}
    decisions = stream.close("source_lost")
    assert {(d.type, d.reason, d.decided_pos) for d in decisions} == {("end", "source_lost", 4 * HOP + 50)}
    assert stream.active == ()
    assert stream.close("stopped") == ()
