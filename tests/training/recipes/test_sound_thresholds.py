"""Thresholds of sounds keep to a shared budget, and what is counted is what the daemon would raise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from monitor.delivery.topics import slug
from monitor.events.tracker import EventTracker
from monitor.model.classifier import Inference
from monitor.records import Level
from training.data import corpora
from training.recipes.sounds.alarms import ENTERS, alarm_counts, false_alarms, settings_at
from training.recipes.sounds.figures import ClipRecall, Judge, held_out_report, other_report, recall
from training.recipes.sounds.fit import (
    BUDGETS,
    DRAFT_PER_HOUR,
    FOLDS,
    AlarmBudget,
    class_cards,
    draft,
    fit,
    sound_cards,
    source_folds,
)
from training.recipes.sounds.groups import CLASSES, SOUNDS, SoundGroup
from training.recipes.sounds.page import SoundsRecord, read_record, write_record
from training.recipes.sounds.scores import Recorded, SoundRows, score, score_all

HOP_S = 0.5
LABELS = ("Bell", "Cat", "Meow", "Knock")
CAT = SoundGroup(("Cat", "Meow"), clips=("cat",), near=("lion",), may_hold=("purring",))
QUIET = Level(-50.0, -40.0, -55.0, 0)


def rows(name: str, logits: np.ndarray, kind: str = "", source: str = "") -> SoundRows:
    return SoundRows(name, kind, source or name, np.asarray(logits, np.float16), HOP_S)


def noise(seed: int, count: int, name: str = "street", kind: str = "") -> SoundRows:
    return rows(name, np.random.default_rng(seed).normal(-3, 3, (count, len(LABELS))), kind)


counts = arrays(np.int64, (len(ENTERS),), elements=st.integers(0, 9))


@given(st.dictionaries(st.sampled_from("abcdef"), counts, min_size=1), st.floats(0.1, 4))
def test_a_draft_keeps_to_its_rate_and_no_highest_threshold_could_be_lower(
    by_sound: dict[str, np.ndarray], hours: float
) -> None:
    levels = draft(by_sound, hours)
    total = sum(of[levels[name]] for name, of in by_sound.items())
    unavoidable = sum(of[-1] for of in by_sound.values())  # what even the highest thresholds raise
    most = max(DRAFT_PER_HOUR * hours, unavoidable)
    assert total <= most
    for name, level in levels.items():
        if level:
            assert total - by_sound[name][level] + by_sound[name][level - 1] > most


@given(st.integers(0, 2**32 - 1), st.sampled_from(ENTERS))
def test_alerts_are_counted_as_the_event_logic_raises_them(seed: int, enter: float) -> None:
    recordings = [noise(seed, 40), noise(seed + 1, 25), noise(seed + 2, 3)]
    found = alarm_counts(CAT, LABELS, recordings)[ENTERS.index(enter)]
    for recording, count in zip(recordings, found, strict=True):
        tracker = EventTracker(["cat"], {"cat": settings_at(enter)}, rate=1000, hop=500)
        raised = 0
        for number, row in enumerate(recording.logits.astype(np.float64), 1):
            score = np.array([1 / (1 + np.exp(-max(row[1], row[2])))], np.float32)
            raised += sum(d.type == "start" for d in tracker.push(500 * number, score, QUIET))
        assert raised == count


def test_alerts_where_the_sound_may_really_be_are_not_false() -> None:
    loud = np.full((4, len(LABELS)), 9.0)
    recordings = [rows(*pair) for pair in (("street", loud), ("purring-0", loud))]
    recordings += [rows("1-2-A", loud, "cat"), rows("1-3-A", loud, "lion"), rows("1-4-A", loud, "dog")]
    np.testing.assert_array_equal(false_alarms(CAT, LABELS, recordings)[0], [1, 0, 0, 0, 1])


def test_a_source_is_never_in_two_folds() -> None:
    recordings = [
        noise(0, 1, f"{source}-{part}") for source in ("night", "office", "rain") for part in range(9)
    ]
    recordings = [replace(one, source=one.name.split("-")[0]) for one in recordings]
    folds = source_folds(recordings)
    assert [len(set(part)) for part in folds.reshape(3, 9)] == [1, 1, 1]
    assert set(folds) <= set(range(FOLDS))


def places(logit: float) -> list[SoundRows]:
    """Ten sources, each ten minutes; in each the cat's logit is for a while a quarter higher than before."""
    found = []
    for number in range(10):
        logits = np.full((1200, len(LABELS)), -6.0)
        logits[5:9, 1] = logit + 0.25 * number + 0.1
        found.append(rows(f"place{number}", logits))
    return found


@pytest.mark.parametrize("alarms_per_hour", [0.0, 1.0, 4.0])
def test_alarms_in_sources_left_out_come_near_to_the_budget(alarms_per_hour: float) -> None:
    recordings = places(-1.0)
    budget = AlarmBudget(alarms_per_hour, 0.05)
    judge = Judge({"cat": CAT}, LABELS)
    fitted = fit(judge.false_alarms(recordings), recordings, budget)
    hours = sum(one.seconds for one in recordings) / 3600
    assert fitted.alarms["cat"] / hours == pytest.approx(alarms_per_hour, abs=0.5)
    # A budget of nothing needs a threshold above every source, one of more needs none.
    above = ENTERS[fitted.levels["cat"]] > 1 / (1 + np.exp(-1.35))
    assert above == (alarms_per_hour == 0.0)
    report = held_out_report(judge, {"quiet": fitted}, recordings, [noise(1, 10, "1-1-A", "cat")])
    assert [one.alarms for one in report.figures] == [fitted.alarms["cat"]]


def test_thresholds_never_lie_below_the_least() -> None:
    recordings = places(-9.0)
    judge = Judge({"cat": CAT}, LABELS)
    fitted = fit(judge.false_alarms(recordings), recordings, AlarmBudget(100.0, 0.3))
    assert ENTERS[fitted.levels["cat"]] == min(enter for enter in ENTERS if enter >= 0.3)


def test_recall_is_of_the_sounds_own_clips_and_false_of_the_others() -> None:
    loud, calm = np.full((4, len(LABELS)), 2.0), np.full((4, len(LABELS)), -6.0)
    clips = [rows("a", loud, "cat"), rows("b", calm, "cat"), rows("c", loud, "dog"), rows("d", loud, "lion")]
    level = next(index for index, enter in enumerate(ENTERS) if enter >= 0.5)
    assert recall(CAT, alarm_counts(CAT, LABELS, clips), clips, level) == ClipRecall(1, 2, 1, 1)


def test_each_class_and_sound_has_labels_settings_and_a_topic_of_its_own() -> None:
    assert tuple(CLASSES) == corpora.CLASSES
    names = [*CLASSES, *SOUNDS]
    assert len({slug(name) for name in names}) == len(names)
    assert all(name == slug(name) for name in names)
    middle = ENTERS.index(0.5)
    levels = {profile: dict.fromkeys(names, middle) for profile in BUDGETS}
    cards = sound_cards(SOUNDS, levels)
    assert cards["cat"].labels == SOUNDS["cat"].labels
    assert cards["cat"].profiles["sensitive"].exit < cards["cat"].profiles["sensitive"].enter == 0.5
    assert set(class_cards(CLASSES, levels)) == set(CLASSES)


class _Loudness:
    """Scores a label by how loud a hop is, in thousands of its samples."""

    def push(self, hop: np.ndarray) -> Inference:
        return Inference(np.zeros(1, np.float32), sounds=np.full(3, hop.sum() / 1000, np.float32))


def loudness_model(flatbuffer: bytes = b"model") -> SimpleNamespace:
    card = SimpleNamespace(name="loud", hop=500, sample_rate=1000, front_end="none", warmup="repeat")
    return SimpleNamespace(card=card, package=SimpleNamespace(flatbuffer=flatbuffer), classifier=_Loudness)


def test_a_recording_is_scored_hop_by_hop_and_silence_fills_the_last(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    soundfile.write(file, np.full(1250, 0.5), 1000)
    np.testing.assert_allclose(score(loudness_model(), file)[:, 0], [0.25, 0.25, 0.125], atol=1e-3)


def test_scores_are_kept_for_a_network_and_its_recordings(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    soundfile.write(file, np.full(1000, 0.5), 1000)
    recordings = [Recorded(file, "a", "cat", "a")]
    done: list[int] = []
    first = score_all(loudness_model(), recordings, tmp_path / "kept", done.append)
    again = score_all(loudness_model(), recordings, tmp_path / "kept", done.append)
    assert done == [1]
    np.testing.assert_array_equal(first[0].logits, again[0].logits)
    assert (again[0].name, again[0].kind, again[0].seconds) == ("a", "cat", 1.0)
    score_all(loudness_model(b"another"), recordings, tmp_path / "kept", done.append)
    assert done == [1, 1]


def test_the_page_is_made_of_the_record_alone(tmp_path: Path) -> None:
    judge = Judge({"cat": CAT}, LABELS)
    backgrounds = [noise(seed, 50, f"place{seed}") for seed in range(10)]
    clips = [noise(seed, 10, f"{seed}", "cat" if seed % 2 else "dog") for seed in range(6)]
    fitted = judge.fit(backgrounds, BUDGETS)
    held_out = held_out_report(judge, fitted, backgrounds, clips)
    apart = other_report(judge, fitted, backgrounds[5:], clips)
    record = SoundsRecord(
        "sound-training free",
        "2026-01-01",
        "package",
        "1",
        10,
        0.01,
        0.5,
        held_out,
        apart,
        apart,
        apart,
    )
    page = write_record(record, tmp_path)
    assert read_record(tmp_path) == record
    text = page.read_text(encoding="utf-8")
    write_record(read_record(tmp_path), tmp_path)
    assert page.read_text(encoding="utf-8") == text
    assert "| cat |" in text
