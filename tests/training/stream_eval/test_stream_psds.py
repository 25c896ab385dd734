"""PSDS is 1 for scores that tell the truth and 0 for none, whatever the scale of the scores."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.settings import ClassSettings
from training.mixing.soundscapes import Soundscape, Truth
from training.stream_eval.psds import ScoreTable, _set_back, psds

pytest.importorskip("sed_scores_eval", reason="an extra: it is compiled at installation")

LABELS = ("dog_bark", "siren")
HOP_S = 0.1
EDGES = np.arange(601) * HOP_S


@pytest.fixture(scope="module")
def scapes() -> list[Soundscape]:
    truths = (("dog_bark", 2.0, 4.0), ("siren", 10.0, 14.0), ("dog_bark", 30.0, 33.0), ("siren", 40.0, 45.0))
    sounds = tuple(Truth(label, on, off, 10.0, label) for label, on, off in truths)
    return [Soundscape(f"scene{i}", np.zeros(60 * 16_000, np.float32), sounds) for i in range(3)]


def _scores(scapes: list[Soundscape], high: float, shift_s: float = 0.0) -> list[ScoreTable]:
    tables = []
    for scape in scapes:
        scores = np.full((600, 2), 0.01)
        for truth in scape.truths:
            on, off = (round((t + shift_s) / HOP_S) for t in (truth.onset_s, truth.offset_s))
            scores[on:off, LABELS.index(truth.label)] = high
        tables.append(ScoreTable(EDGES, scores))
    return tables


@pytest.mark.parametrize("high", [0.99, 0.2])
def test_scores_that_tell_the_truth_reach_one(scapes: list[Soundscape], high: float) -> None:
    found = psds(scapes, _scores(scapes, high), LABELS)
    assert found == pytest.approx({"psds1": 1.0, "psds2": 1.0}, abs=0.01)


def test_scores_that_never_change_reach_nothing(scapes: list[Soundscape]) -> None:
    silent = [ScoreTable(EDGES, np.full((600, 2), 0.01)) for _ in scapes]
    assert psds(scapes, silent, LABELS) == pytest.approx({"psds1": 0.0, "psds2": 0.0}, abs=0.01)


def test_mistimed_scores_lose_most_where_times_count(scapes: list[Soundscape]) -> None:
    late = psds(scapes, _scores(scapes, 0.9, shift_s=1.5), LABELS)
    assert late["psds1"] < 0.05
    assert late["psds2"] > 0.5


def test_one_class_has_no_psds(scapes: list[Soundscape]) -> None:
    assert psds(scapes, _scores(scapes, 0.9), ("siren",)) == {}


def test_a_row_is_set_back_by_what_the_profile_says_that_it_comes_late() -> None:
    scores = np.zeros(50, np.float32)
    scores[20:30] = 1.0
    settings = ClassSettings(onset_shift_s=0.5, offset_shift_s=0.5)
    back = _set_back(scores, settings, hop_s=0.1)
    # The row of a sound that began 0.5 s before its end is four hops behind the hop it covers.
    assert np.flatnonzero(back > 0).tolist() == list(range(16, 26))
