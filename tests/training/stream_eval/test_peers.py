"""Laws of the comparison with peers: alike for all, at the same false alarms, from records alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from training.base.maths import log_odds, logistic
from training.data.corpora import CLASSES
from training.mixing.soundscapes import Soundscape, Truth
from training.mixing.streams import Scored
from training.records.envelope import CodeVersion
from training.scoring.calibration import CalibrationStreams
from training.stream_eval.peers import figures, operating
from training.stream_eval.peers.figures import (
    CURVE,
    RATES,
    Sample,
    SystemCurve,
    curve,
    difference,
    estimate,
    sample,
    within,
)
from training.stream_eval.peers.operating import MOVES, TrialCounts, count, one_to_one
from training.stream_eval.peers.page import compose
from training.stream_eval.peers.records import TRIALS, TrialRecord, digest_of
from training.stream_eval.peers.systems import FoldHeard, Heard, Trial, calibrated, with_head

HOP_S, SECONDS, RATE = 0.5, 40.0, 100
ROWS = round(SECONDS / HOP_S)
TIMES = np.arange(1, ROWS + 1) * HOP_S
LABELS = ("dog_bark", "siren")
Numbers = NDArray[np.float64]


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    """Few draws and settings to try: the laws hold for any number."""
    quick = {
        label: replace(one, smoothings_s=(0.0,), attacks_s=one.attacks_s[:1])
        for label, one in operating.TEMPERS.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "DRAWS", 50)
        patch.setattr(operating, "ENTERS", operating.ENTERS[::3])
        patch.setattr(operating, "TEMPERS", quick)
        yield


def soundscapes(fold: int, number: int = 6) -> list[Soundscape]:
    made = []
    for one in range(number):
        truths = tuple(
            Truth(label, onset, onset + 4.0, 10.0, f"{fold}{label}{(one + place) % 4}")
            for place, (label, onset) in enumerate(zip(LABELS * 2, (3.0, 12.0, 21.0, 30.0), strict=True))
        )
        made.append(Soundscape(f"scape{one:03d}", np.zeros(round(SECONDS * RATE), np.float32), truths, RATE))
    return made


def logits_of(truths: tuple[Truth, ...], strength: float, rng: np.random.Generator) -> Numbers:
    """Log-odds of every class: raised while a sound of it lasts, by ``strength`` over unit noise."""
    logits = rng.standard_normal((ROWS, len(CLASSES))) - 5.0
    for truth in truths:
        on = (truth.onset_s < TIMES) & (truth.offset_s >= TIMES)
        logits[on, CLASSES.index(truth.label)] += strength
    return logits


def streams(fold: int, strength: float, squashed: float = 1.0, seed: int = 0) -> CalibrationStreams:
    """A fold as a system scores it; ``squashed`` divides its log-odds."""
    rng = np.random.default_rng((fold, seed))

    def scored(name: str, truths: tuple[Truth, ...]) -> Scored:
        scores = logistic(4.0 * logits_of(truths, strength, rng) / squashed).astype(np.float32)
        spans = tuple((t.label, t.onset_s, t.offset_s) for t in truths)
        return Scored(name, "", 0.0, SECONDS, TIMES, scores, (), spans)

    scenes = tuple(scored(scape.name, scape.truths) for scape in soundscapes(fold))
    beds = tuple(scored(f"rain/{number}", ()) for number in range(12))
    return CalibrationStreams(scenes, beds, (scored("ESC", ()),), 1.0, HOP_S)


def counted(system: str, strength: float, squashed: float = 1.0, seed: int = 0) -> list[TrialCounts]:
    folds = {fold: streams(fold, strength, squashed, seed) for fold in (1, 2)}
    return [
        count(
            calibrated(system, (fold, seed), [s for other, s in folds.items() if other != fold], test),
            soundscapes(fold),
        )
        for fold, test in folds.items()
    ]


def curves(trials: list[TrialCounts], drawn: Sample, *names: str) -> list[SystemCurve]:
    return [curve(name, [t for t in trials if t.system == name], drawn) for name in names]


@pytest.fixture(scope="module")
def good() -> list[TrialCounts]:
    return counted("default", 9.0)


@pytest.fixture(scope="module")
def poor() -> list[TrialCounts]:
    return counted("YAMNet", 2.5)


def test_a_system_that_separates_the_sounds_finds_them_all(good: list[TrialCounts]) -> None:
    best = curve("default", good, sample(good, 20))
    assert estimate(best, 5.0).value == pytest.approx(1.0, abs=0.03)
    sounds = sum(row.sounds for trial in good for row in trial.sounds)
    assert sounds == 2 * 6 * 4


def test_scores_that_are_squashed_are_calibrated_and_lose_nothing(poor: list[TrialCounts]) -> None:
    squashed = counted("squashed", 2.5, 3.0)
    assert squashed[0].temperature < poor[0].temperature
    both = [*poor, *squashed]
    plain, other = curves(both, sample(both, 20), "YAMNet", "squashed")
    for rate in RATES:
        assert estimate(other, rate).value == pytest.approx(estimate(plain, rate).value, abs=0.1)


def test_the_better_system_is_better_in_pairs(good: list[TrialCounts], poor: list[TrialCounts]) -> None:
    both = [*good, *poor]
    drawn = sample(both, 50)
    first, second = (
        curve(name, [t for t in both if t.system == name], drawn) for name in ("default", "YAMNet")
    )
    found = difference(first, second, 1.0)
    assert found.low > 0
    assert found.value == pytest.approx(estimate(first, 1.0).value - estimate(second, 1.0).value)


def test_the_interval_holds_the_seeds_too(good: list[TrialCounts], poor: list[TrialCounts]) -> None:
    """One good and one poor seed: the interval reaches from one to the other."""
    mixed = [*good, *(replace(trial, system="default", seed=1) for trial in poor)]
    drawn = sample(mixed, 200)
    both = estimate(curve("default", mixed, drawn), 1.0)
    alone = estimate(curve("default", good, drawn), 1.0)
    assert both.low < both.seeds[0] + 0.1
    assert both.high - both.low > alone.high - alone.low
    assert both.value == pytest.approx(sum(both.seeds) / 2)


def test_more_false_alarms_never_cost_sounds(poor: list[TrialCounts]) -> None:
    for trial in poor:
        alarms = np.sum([bed.alarms for bed in trial.beds], axis=0)
        assert alarms[0] >= alarms[len(MOVES) // 2] >= alarms[-1]


@pytest.mark.parametrize(
    ("rate", "limit", "move"),
    [
        ([9.0, 5.0, 1.0], 5.0, 1),
        ([9.0, 5.0, 1.0], 20.0, 0),
        ([9.0, 5.0, 1.0], 0.5, 2),
        ([4.0, 6.0, 1.0], 5.0, 2),
        ([0.0, 0.0, 0.0], 1.0, 0),
    ],
)
def test_the_most_sensitive_shift_that_stays_within_the_rate_is_taken(
    rate: list[float], limit: float, move: int
) -> None:
    assert within(np.array([rate]), limit).tolist() == [move]


def test_an_event_answers_for_one_sound_alone() -> None:
    events, onsets = np.array([1.0, 1.2, 5.0, 9.0]), np.array([1.1, 5.4, 8.0])
    assert one_to_one(events, onsets, 0.5) == ([0, 1], [0, 2])
    assert one_to_one(events[:0], onsets, 0.5) == ([], [])


def test_a_head_learns_from_the_other_folds_what_the_embedding_tells() -> None:
    def heard(fold: int) -> FoldHeard:
        given = streams(fold, 9.0)

        def through(scored: Scored) -> Heard:
            embedding = log_odds(scored.scores.astype(np.float64)).astype(np.float32)
            return Heard(scored, np.full_like(scored.scores, 0.5), embedding)

        kinds = [tuple(map(through, kind)) for kind in (given.scenes, given.beds, given.others, given.scenes)]
        return FoldHeard(*kinds, 1.0, HOP_S)

    folds = {fold: heard(fold) for fold in (1, 2)}
    trials = {trial.fold: trial for trial in with_head("head", folds)}
    scene = trials[1].test.scenes[0]
    on = (scene.times_s > 3.5) & (scene.times_s <= 7.0)
    column = CLASSES.index("dog_bark")
    assert scene.scores[on, column].min() > scene.scores[scene.times_s <= 3.0, column].max()
    assert trials[1].test.scenes[0].scores[:, CLASSES.index("drilling")].max() < 1e-3


def record(counts: TrialCounts) -> TrialRecord:
    return TrialRecord(counts, "0123", "sound-training peers", CodeVersion("c0ffee", "aaaa"))


def test_a_record_keeps_everything(good: list[TrialCounts]) -> None:
    assert TRIALS.unpack(TRIALS.pack(record(good[0]))) == record(good[0])


def test_the_digest_of_a_trial_follows_its_scores() -> None:
    test = streams(1, 9.0)
    one, same, other = (
        calibrated("net", (1, 0), [streams(2, strength)], test) for strength in (9.0, 9.0, 3.0)
    )
    assert digest_of(one) == digest_of(same) != digest_of(other)
    assert isinstance(one, Trial)


def test_the_page_leaves_out_a_seed_without_a_fold_and_marks_few_recordings(
    good: list[TrialCounts], poor: list[TrialCounts]
) -> None:
    lacking = replace(good[0], seed=7)
    page = compose([record(one) for one in (*good, *poor, lacking)])
    assert "(1 seeds)" in page.markdown
    assert "Fewer than 10 recordings, so hardly evidence: air_conditioner" in page.markdown
    assert "code aaaa (commit c0ffee)" in page.markdown
    assert [row[0] for row in page.tables["f1.csv"].rows][: len(CURVE)] == ["default"] * len(CURVE)
    assert page.tables["differences.csv"].rows[0][:2] == ("default", "YAMNet")
