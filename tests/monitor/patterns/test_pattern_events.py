"""From config to events: an alarm in a stream starts and ends like any other sound."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from alarms import alarm, noise

from monitor.config.load import SHIPPED_CONFIG, load_config
from monitor.config.patterns import resolve_patterns
from monitor.delivery.homeassistant.discovery import discovery
from monitor.delivery.mqtt.announcement import Announcement
from monitor.delivery.topics import Topics
from monitor.errors import ConfigError
from monitor.patterns.spec import CO_ALARM, SMOKE_ALARM, Pattern
from monitor.records import AudioBlock, Decision
from monitor.stream.assembly import Assembly, assemble

BOTH = ["events.patterns.smoke_alarm=true", "events.patterns.co_alarm=true", "events.enabled=[]"]
WASHER = "{hz: 2093, beep_s: 0.3, gap_s: 0.2, count: 5, pause_s: 4}"


@pytest.fixture(scope="module")
def assembly() -> Assembly:
    return assemble(load_config(SHIPPED_CONFIG, BOTH))


def decisions(assembly: Assembly, samples: np.ndarray, lost: int = 0) -> list[Decision]:
    """What a stream at 16 kHz decides; ``lost`` samples are missing in its middle."""
    pipeline = assembly.new_pipeline(16000)
    half = len(samples) // 2
    rows = [*pipeline.push(AudioBlock(samples[:half], 0))]
    rows += [*pipeline.push(AudioBlock(samples[half + lost :], half + lost)), *pipeline.flush()]
    return [decision for row in rows for decision in row.decisions] + list(pipeline.close("stopped"))


def test_an_alarm_starts_and_ends_near_its_true_times(assembly: Assembly) -> None:
    rate, start_s, stop_s = assembly.model.card.sample_rate, 3.0, 25.0
    samples = alarm(SMOKE_ALARM, 3100.0, 45.0, start_s=start_s)
    samples[round(stop_s * 16000) :] = 0
    start, end = decisions(assembly, samples * np.float32(0.1) + noise(45.0, -60))
    assert (start.type, end.type, start.label, end.label) == ("start", "end", "smoke_alarm", "smoke_alarm")
    assert abs(start.start_pos / rate - start_s) <= 1.0
    assert end.end_pos is not None
    assert abs(end.end_pos / rate - stop_s) <= 3.0
    assert end.reason == "released"
    assert start.score >= start.threshold


def test_a_long_pause_of_a_co_alarm_ends_nothing(assembly: Assembly) -> None:
    first = alarm(CO_ALARM, 3100.0, 20.0)
    again = alarm(CO_ALARM, 3100.0, 20.0)
    samples = np.concatenate([first, np.zeros(50 * 16000, np.float32), again]) * np.float32(0.1)
    found = decisions(assembly, samples + noise(90.0, -60))
    assert [(one.type, one.label) for one in found] == [("start", "co_alarm"), ("end", "co_alarm")]


def test_beeps_are_an_event_without_a_description(assembly: Assembly) -> None:
    config = load_config(SHIPPED_CONFIG, ["events.patterns.beeps=true", "events.enabled=[]"])
    beeping = assemble(config, assembly.model)
    fridge = Pattern("fridge", ((1.0, 2.0),), 0.5, 0.5, 1, 0.5)
    samples = alarm(fridge, 1234.0, 30.0, start_s=3.0)
    samples[20 * 16000 :] = 0.0
    start, end = decisions(beeping, samples * np.float32(0.1) + noise(30.0, -60))
    assert (start.type, end.type, start.label, end.reason) == ("start", "end", "beeps", "released")
    assert abs(start.start_pos / beeping.model.card.sample_rate - 3.0) <= 1.5
    assert end.end_pos is not None
    assert abs(end.end_pos / beeping.model.card.sample_rate - 20.0) <= 4.0


def test_lost_audio_is_no_part_of_a_pattern(assembly: Assembly) -> None:
    samples = alarm(SMOKE_ALARM, 3100.0, 10.0, start_s=0.5) * 0.1 + noise(10.0, -60)
    assert [one.type for one in decisions(assembly, samples)] == ["start", "end"]
    assert decisions(assembly, samples, lost=800) == []


def test_patterns_are_labels_like_others_and_can_be_switched_off(assembly: Assembly) -> None:
    assert assembly.event_labels == ("smoke_alarm", "co_alarm")
    assert assembly.without(["co_alarm"]).event_labels == ("smoke_alarm",)
    stricter = assemble(load_config(SHIPPED_CONFIG, [*BOTH, "events.classes={smoke_alarm: {enter: 0.95}}"]))
    assert stricter.alarms["smoke_alarm"].enter == 0.95


def test_home_assistant_is_told_what_kind_of_alarm_it_is() -> None:
    topics = Topics("sound-monitor", "hall", ("siren", "smoke_alarm", "co_alarm"))
    message = discovery(topics, Announcement(topics.labels), prefix="homeassistant")
    parts = json.loads(message.payload)["components"].items()
    kinds = {name: part["device_class"] for name, part in parts if name.startswith("sound_")}
    assert kinds == {
        "sound_siren": "sound",
        "sound_smoke_alarm": "smoke",
        "sound_co_alarm": "carbon_monoxide",
    }


@pytest.mark.parametrize(("rate", "highest"), [(16000, 7519), (22050, 10363), (32000, 7519), (44100, 10363)])
def test_a_tone_beyond_what_is_left_of_the_rate_is_refused(rate: int, highest: int) -> None:
    for hz, refused in ((highest, False), (highest + 2, True)):
        own = f"{{washer: {{hz: {hz}, beep_s: 0.3, gap_s: 0.2, count: 5, pause_s: 4}}}}"
        config = load_config(SHIPPED_CONFIG, [f"events.patterns.own={own}"])
        if refused:
            with pytest.raises(ConfigError, match=f"hz {hz} is above"):
                resolve_patterns(config, rate, ())
        else:
            assert resolve_patterns(config, rate, ())


def test_an_own_pattern_is_read_from_the_config(assembly: Assembly) -> None:
    config = load_config(SHIPPED_CONFIG, [f"events.patterns.own={{washer: {WASHER}}}"])
    (washer,) = assemble(config, assembly.model).patterns
    assert (washer.label, washer.count, washer.tolerance) == ("washer", 5, 0.1)
    assert washer.bands[0][0] < 2093 < washer.bands[0][1]


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (f"siren: {WASHER}", "siren is a label already"),
        (f"loud: {WASHER}", "loud is a label already"),
        ("washer: {hz: 2093, beep_s: 5, gap_s: 5, count: 5, pause_s: 20}", "fit into"),
        ("washer: {hz: 19000, beep_s: 0.3, gap_s: 0.2, count: 5, pause_s: 4}", "hz 19000"),
        ("washer: {hz: 2093, beep_s: 0.3, gap_s: 0.2, count: 5, pause_s: 0.2}", "pause_s"),
    ],
)
def test_a_pattern_that_cannot_be_is_refused_with_its_place(
    assembly: Assembly, own: str, message: str, tmp_path: Path
) -> None:
    config = load_config(SHIPPED_CONFIG, [f"events.patterns.own={{{own}}}"])
    with pytest.raises(ConfigError, match=message):
        assemble(config, assembly.model)
