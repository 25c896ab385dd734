"""The weighting filters against the standard's definition and its table."""

from __future__ import annotations

import numpy as np
import pytest
from iec61672 import RATES, WEIGHTINGS, exact_hz

from monitor.level.blocks import GROUP, ChunkFilter
from monitor.level.weighting import analogue_db, design

TABLE_HZ = np.array([exact_hz(nominal) for nominal in WEIGHTINGS])


@pytest.mark.parametrize("column", [0, 1])
def test_the_analogue_definition_is_the_table(column: int) -> None:
    goals = [row[column] for row in WEIGHTINGS.values()]
    assert analogue_db(TABLE_HZ, "AC"[column]) == pytest.approx(goals, abs=0.051)


@pytest.mark.parametrize("rate", [8000, 11025, *RATES, 96000, 192000])
@pytest.mark.parametrize("column", [0, 1])
def test_every_third_of_an_octave_lies_within_class_2(rate: int, column: int) -> None:
    for nominal, row in WEIGHTINGS.items():
        hz = exact_hz(nominal)
        if hz < rate / 2:
            response = design(rate).response(np.array([hz]), rate)[column, 0]
            deviation = 20 * np.log10(abs(response)) - row[column]
            assert row[2] <= deviation <= row[3], (nominal, deviation)


@pytest.mark.parametrize("rate", [8000, *RATES, 96000])
def test_up_to_nine_tenths_of_nyquist_the_filters_are_within_a_decibel(rate: int) -> None:
    hz = np.geomspace(10.0, 0.45 * rate, 200)
    responses = 20 * np.log10(np.abs(design(rate).response(hz, rate)))
    assert responses[0] == pytest.approx(analogue_db(hz, "A"), abs=1.0)
    assert responses[1] == pytest.approx(analogue_db(hz, "C"), abs=1.0)


@pytest.mark.parametrize("rate", [1000, 8000, 48000, 768000])
def test_the_filters_are_stable_and_block_an_offset(rate: int) -> None:
    system = design(rate)
    assert np.abs(np.linalg.eigvals(system.step)).max() < 1.0
    assert np.abs(system.response(np.array([0.0]), rate)).max() < 1e-9


@pytest.mark.parametrize("rate", [16000, 48000])
def test_chunks_give_what_the_recursion_gives_sample_by_sample(rate: int) -> None:
    system, size, groups = design(rate), 16, 3
    samples = np.random.default_rng(1).normal(0.3, 0.1, 4 * size * GROUP * groups).astype(np.float32)
    filtering = ChunkFilter(system, size, groups)
    filtering.reset(float(samples[0]))
    chunks = [filtering.push(chunk) for chunk in samples.reshape(4, -1)]
    found = np.array([np.concatenate([chunk[column].ravel() for chunk in chunks]) for column in (0, 1)])
    state = np.linalg.solve(np.eye(6) - system.step, system.enter) * samples[0]
    wanted = np.empty_like(found, np.float64)
    for at, sample in enumerate(samples.astype(np.float64)):
        wanted[:, at] = system.output @ state + system.direct * sample
        state = system.step @ state + system.enter * sample
    assert found == pytest.approx(wanted, abs=1e-6)


def test_an_offset_from_the_first_sample_on_makes_no_sound() -> None:
    filtering = ChunkFilter(design(16000), 16, 3)
    filtering.reset(0.5)
    a_weighted, c_weighted = filtering.push(np.full(16 * GROUP * 3, 0.5, np.float32))
    assert max(np.abs(a_weighted).max(), np.abs(c_weighted).max()) < 1e-6
