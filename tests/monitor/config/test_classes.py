"""A class's settings are its card's profile under config's overrides; what cannot work is refused."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from monitor.config.classes import resolve_classes
from monitor.config.load import load_config
from monitor.errors import ConfigError
from monitor.model.card import Card
from monitor.settings import ClassSettings
from monitor.stream.assembly import SHIPPED_MODEL, assemble, node_name

QUIET = {"enter": 0.8, "exit": 0.6, "attack_s": 0.5, "release_s": 2.0}
SENSITIVE = {"enter": 0.4, "exit": 0.2, "attack_s": 0.0}


def card() -> Card:
    both = {"shortest_s": 1.0, "profiles": {"quiet": QUIET, "sensitive": SENSITIVE}}
    return Card.model_validate(
        {
            "schema": 1, "name": "m", "version": "1", "created": "", "licence": "", "data_licences": [],
            "sample_rate": 16000, "window": 16000, "hop": 8000, "front_end": {"kind": "waveform"},
            "output": "sigmoid", "negative_labels": ["background"],
            "classes": {"siren": both, "horn": {**both, "profiles": {"quiet": QUIET}}},
        }
    )  # fmt: skip


def resolve(*overrides: str) -> dict[str, ClassSettings]:
    return resolve_classes(load_config(SHIPPED, overrides), card())


SHIPPED = Path(__file__).resolve().parents[3] / "config.yaml"


def test_without_overrides_the_cards_quiet_profile_holds_in_the_cards_order() -> None:
    expected = ClassSettings.model_validate(QUIET)
    assert list(resolve().items()) == [("siren", expected), ("horn", expected)]


def test_the_sensitive_profile_holds_where_the_card_has_one() -> None:
    classes = resolve("events.profile=sensitive")
    assert classes["siren"] == ClassSettings.model_validate(SENSITIVE)
    assert classes["horn"] == ClassSettings.model_validate(QUIET)


def test_defaults_go_over_the_card_and_the_classs_own_over_both() -> None:
    classes = resolve("events.defaults={enter: 0.7, cooldown_s: 9}", "events.classes.siren={enter: 0.9}")
    assert (classes["siren"].enter, classes["siren"].cooldown_s) == (0.9, 9.0)
    assert (classes["horn"].enter, classes["horn"].cooldown_s) == (0.7, 9.0)
    assert classes["horn"].attack_s == QUIET["attack_s"]


def test_a_lower_enter_alone_takes_the_cards_exit_down_with_it() -> None:
    siren = resolve("events.classes.siren.enter=0.5")["siren"]
    assert (siren.enter, siren.exit) == (0.5, 0.5)


def test_a_zero_is_an_override_and_null_is_none() -> None:
    siren = resolve("events.classes.siren={attack_s: 0, release_s: null}")["siren"]
    assert (siren.attack_s, siren.release_s) == (0.0, 2.0)


def test_only_enabled_labels_make_events_in_the_cards_order() -> None:
    assert list(resolve("events.enabled=[horn, siren]")) == ["siren", "horn"]
    assert list(resolve("events.enabled=[horn]")) == ["horn"]
    assert resolve("events.enabled=[]") == {}


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("events.enabled=[sirn]", "--set: events.enabled.sirn is no label of model m; did you mean siren?"),
        ("events.enabled=[zzz]", "is no label of model m; known are: horn, siren"),
        (
            "events.classes.sirn.enter=0.5",
            "--set: events.classes.sirn is no label of model m; did you mean siren?",
        ),
        ("events.classes.background.enter=0.5", "is a negative label and makes no events of model m"),
        ("events.classes.siren.exit=0.9", "--set: events.classes.siren: exit 0.9 is above enter 0.8"),
        ("events.classes.siren={enter: 0.3, exit: 0.4}", "exit 0.4 is above enter 0.3"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_model_is_refused(override: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(override)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_line_of_a_label_that_the_model_does_not_have_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("events:\n  classes:\n    sirene: {enter: 0.5}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"config.yaml:3: events.classes.sirene is no label"):
        resolve_classes(load_config(file), card())


def test_settings_that_make_a_class_undetectable_are_refused_with_the_bound(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "events:\n  classes:\n    gun_shot:\n      attack_s: 60\n      smoothing_s: 0\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError) as caught:
        assemble(load_config(file))
    assert str(caught.value).startswith(f"{file}:3: events.classes.gun_shot: gun_shot (shortest sound ")
    assert "can never switch on: attack_s 60 asks for more than it can give" in str(caught.value)


def test_doubtful_settings_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    hop_s = assemble(load_config(SHIPPED)).hop_s
    refused_above = 0.0
    with caplog.at_level(logging.WARNING):
        for hops in range(1, 40):
            try:
                assemble(load_config(SHIPPED, [f"events.classes.gun_shot.attack_s={hops * hop_s}"]))
            except ConfigError:
                refused_above = hops * hop_s
                break
    assert refused_above > 0
    assert "gun_shot" in caplog.text
    assert "may be missed" in caplog.text


def test_the_shipped_model_and_config_pass_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for profile in ("quiet", "sensitive"):
            assembly = assemble(load_config(SHIPPED, [f"events.profile={profile}"]))
            assert set(assembly.classes) == set(assembly.model.card.classes)
    assert caplog.text == ""
    assert SHIPPED_MODEL.is_file()


def test_loud_comes_last_among_the_labels_and_only_when_enabled() -> None:
    quiet = assemble(load_config(SHIPPED))
    loud = assemble(load_config(SHIPPED, ["events.loud.enabled=true", "events.loud.enter_db=25"]))
    assert quiet.loud is None
    assert loud.loud is not None
    assert loud.loud.enter_db == 25.0
    assert loud.event_labels == (*quiet.event_labels, "loud")


def test_the_node_is_the_configured_one_else_the_hosts_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def named(host: str) -> Any:
        monkeypatch.setattr("socket.gethostname", lambda: host)
        return node_name(load_config(SHIPPED))

    assert node_name(load_config(SHIPPED, ["node=balcony"])) == "balcony"
    assert named("pi.lan") == "pi"
    assert named("") == "monitor"
