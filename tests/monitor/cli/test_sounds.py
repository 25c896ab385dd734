"""Sounds beside the classes are labels like any other: scores, events, topics, tuning, history."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
from calling import ROOT, Call
from tiny import LABELS, RATE, SOUNDS, multi_head_card, multi_head_model

from monitor.config.load import load_config
from monitor.delivery.topics import Topics
from monitor.errors import ConfigError
from monitor.model.package import write_package
from monitor.stream.assembly import assemble

WITHOUT_SOUNDS = ROOT / "models" / "urban-sounds-0.6.0.tflite"


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "heads.tflite"
    write_package(path, multi_head_model(), LABELS, multi_head_card(), SOUNDS)
    return f"model.path={str(path)!r}"


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "noise.wav"
    soundfile.write(path, np.random.default_rng(1).uniform(-1, 1, 4 * RATE), RATE, subtype="FLOAT")
    return path


def test_scores_have_a_column_for_each_sound_behind_the_models_own(
    call: Call, model: str, sound: Path
) -> None:
    wanted = "events.sounds=[knock, 'Dog, bark']"
    assert call("replay", sound, "--set", model, "--set", wanted, "--scores", "scores.csv").code == 0
    with open("scores.csv", encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header[3:] == [*LABELS, "knock", "Dog, bark"]
    assert len({row[-1] for row in rows}) > 1
    assert call("replay", sound, "--set", model, "--set", wanted, "--scores", "scores.npz").code == 0
    with np.load("scores.npz") as stored:
        assert stored["labels"].tolist() == header[3:]
        np.testing.assert_allclose(stored["scores"], np.array(rows)[:, 3:].astype(float), atol=1e-6)


def test_a_sound_makes_events_and_can_be_tuned(call: Call, model: str, sound: Path) -> None:
    keys = ("--set", model, "--set", "events.sounds=[knock]", "--set", "events.classes.knock.enter=0.6")
    records = call("replay", sound, *keys, "--json", "--scores", "scores.csv").json
    starts = [record for record in records if record["type"] == "start" and record["label"] == "knock"]
    assert starts
    tuned = call("tune", "scores.csv", *keys, "--label", "knock", "--json").json_document["classes"]
    (point,) = [point for point in tuned["knock"]["curve"] if point["enter"] == 0.6]
    assert point["alarms"] == len(starts)


def test_without_being_asked_for_a_sound_is_nowhere(call: Call, model: str, sound: Path) -> None:
    result = call("replay", sound, "--set", model, "--json", "--scores", "scores.csv")
    assert {record["label"] for record in result.json} <= {"bell", "horn"}
    assert Path("scores.csv").read_text(encoding="utf-8").splitlines()[0].endswith(",".join(LABELS))


def test_a_sound_has_a_topic_and_one_that_would_share_a_classs_is_refused(model: str) -> None:
    def topics(sounds: str) -> Topics:
        assembly = assemble(load_config(None, (model, f"events.sounds={sounds}")))
        return Topics("sound-monitor", "attic", assembly.event_labels)

    assert topics("['Dog, bark']").state("Dog, bark") == "sound-monitor/attic/sound/dog_bark/state"
    with pytest.raises(ConfigError, match=r"'bell' and 'Bell' would share the topic .* or events\.sounds"):
        topics("[Bell]")


def test_model_show_names_the_curated_sounds_and_sounds_lists_all(call: Call, model: str) -> None:
    shown = call("model", "show", "--set", model)
    assert "sound     animal: Cat; Dog, bark\n" in shown.out
    assert "sounds    5 labels" in shown.out
    listed = call("model", "sounds", "--set", model)
    assert (listed.code, listed.out.splitlines()) == (0, ["animal", "knock", *SOUNDS])
    assert call("model", "sounds", "--set", f"model.path={WITHOUT_SOUNDS}").out == ""


def test_an_unknown_sound_is_one_line_and_exit_2(call: Call, model: str, sound: Path) -> None:
    result = call("replay", sound, "--set", model, "--set", "events.sounds=[knok]")
    assert (result.code, len(result.complaints)) == (2, 1)
    assert "nearest are: knock" in result.complaints[0]
