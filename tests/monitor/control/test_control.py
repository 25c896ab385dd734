"""Settings changed while running take effect at once, survive a restart, and nonsense changes nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.load import load_config
from monitor.control.control import Control
from monitor.control.state import ControlState
from monitor.control.store import SettingsStore, settings_path
from monitor.errors import ControlError
from monitor.stream.assembly import Assembly, assemble

NOW = 1_780_000_000.0


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def base() -> Assembly:
    return assemble(load_config(overrides=["events.profile=sensitive"]))


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(folder: Path, base: Assembly, clock: Clock, *overrides: str) -> Control:
    config = load_config(overrides=["events.profile=sensitive", *overrides])
    assembly = assemble(config, base.model)
    return Control(config, assembly, SettingsStore(settings_path(folder / "history.db")), utc=clock)


def shown(state: ControlState) -> dict[str, object]:
    values: dict[str, object] = json.loads(state.to_json())
    return values


def test_without_changes_the_config_holds(tmp_path: Path, base: Assembly, clock: Clock) -> None:
    state = opened(tmp_path, base, clock).state
    assert state.assembly.classes == base.classes
    assert state.orders.off is None
    assert (state.profile, dict(state.changes)) == ("sensitive", {})
    assert not list(tmp_path.iterdir())


CHANGES: list[tuple[str, object]] = [
    ("classes.siren.enabled", False),
    ("classes.siren.threshold", 0.83),
    ("classes.dog_bark.threshold", 0.21),
    ("profile", "quiet"),
    ("pause_s", 600.0),
    ("listening", False),
]


KEYS = [key for key, _ in CHANGES]


def test_every_setting_takes_effect_at_once_and_survives_a_restart(
    tmp_path: Path, base: Assembly, clock: Clock
) -> None:
    control = opened(tmp_path, base, clock)
    for key, value in CHANGES:
        control.apply(key, value, "mqtt")
    state = control.state
    assert "siren" not in state.assembly.classes
    assert "siren" in state.assembly.disabled
    assert state.classes["siren"].threshold == 0.83
    assert state.assembly.classes["dog_bark"].enter == 0.21
    assert state.profile == "quiet"
    assert (state.paused_until, state.orders.off) == (NOW + 600, "switched off")
    assert opened(tmp_path, base, clock).state == state
    control.apply("listening", True, "page")
    control.apply("classes.siren.enabled", True, "page")
    again = opened(tmp_path, base, clock).state
    assert again.assembly.classes["siren"].enter == 0.83
    assert again.orders.off is None
    for key, _ in CHANGES:
        control.apply(key, None, "page")
    assert control.state.assembly.classes == base.classes
    assert not control.state.changes


def test_a_pause_ends_by_the_clock_also_after_a_restart(tmp_path: Path, base: Assembly, clock: Clock) -> None:
    opened(tmp_path, base, clock).apply("pause_s", 3600, "mqtt")
    clock.now += 3599
    control = opened(tmp_path, base, clock)
    control.tick()
    assert control.state.orders.off == "paused until 2026-05-28T21:26:40.000Z"
    clock.now += 1
    control.tick()
    assert control.state.orders.off is None
    assert opened(tmp_path, base, clock).state.orders.off is None


def test_followers_get_the_state_at_once_and_after_each_change(
    tmp_path: Path, base: Assembly, clock: Clock
) -> None:
    control = opened(tmp_path, base, clock)
    states: list[ControlState] = []
    control.follow(states.append)
    control.apply("profile", "quiet", "mqtt")
    control.apply("listening", True, "mqtt")
    with pytest.raises(ControlError):
        control.apply("profile", "loud", "mqtt")
    assert [state.profile for state in states] == ["sensitive", "quiet"]
    assert states[-1] is control.state


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("profile", "loudest", "'loudest' is none of quiet, sensitive"),
        ("profile", True, "is none of"),
        ("listening", "yes", "'yes' is neither on nor off"),
        ("listening", 1, "neither on nor off"),
        ("pause_s", -1, "no number from 0 to 86400"),
        ("pause_s", float("nan"), "no number"),
        ("classes.siren.threshold", 1.0, "no number from 0.01 to 0.99"),
        ("classes.siren.threshold", True, "no number"),
        ("classes.unicorn.enabled", True, "'unicorn' makes no events here; known are: "),
        ("classes.siren.colour", 1, "no such setting"),
        ("mqtt.password", "x", "no such setting"),
        ("x" * 100000, "x", "no such setting"),
        ("profile", "x" * 100000, "is none of"),
    ],
)
def test_nonsense_is_refused_in_one_short_line_and_changes_nothing(
    tmp_path: Path, base: Assembly, clock: Clock, key: str, value: object, words: str
) -> None:
    control = opened(tmp_path, base, clock)
    before = control.state
    with pytest.raises(ControlError, match=words) as refused:
        control.apply(key, value, "mqtt")
    assert len(str(refused.value)) < 400
    assert "\n" not in str(refused.value)
    assert control.state is before
    assert not list(tmp_path.iterdir())


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([key for key, _ in CHANGES]), st.sampled_from([None, True, 0.5, "quiet", 9])
        )
    )
)
def test_any_order_of_changes_is_what_a_restart_restores(
    tmp_path_factory: pytest.TempPathFactory, base: Assembly, steps: Sequence[tuple[str, object]]
) -> None:
    folder, clock = tmp_path_factory.mktemp("control"), Clock()
    control = opened(folder, base, clock)
    for key, value in steps:
        try:
            control.apply(key, value, "mqtt")
        except ControlError:
            continue
        assert opened(folder, base, clock).state == control.state


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"schema": 2, "changes": {}}',
        b'{"schema": 1, "changes": {"a": {"b": 1}}}',
        b"\xff",
    ],
)
def test_a_store_that_cannot_be_read_is_named_and_the_config_holds(
    tmp_path: Path, base: Assembly, clock: Clock, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = settings_path(tmp_path / "history.db")
    path.write_bytes(content)
    control = opened(tmp_path, base, clock)
    assert not control.state.changes
    assert f"{path}: cannot be read" in caplog.text
    control.apply("profile", "quiet", "mqtt")
    assert opened(tmp_path, base, clock).state.profile == "quiet"


def test_changes_that_no_longer_fit_are_left_out_with_a_word(
    tmp_path: Path, base: Assembly, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    control = opened(tmp_path, base, clock)
    control.apply("classes.siren.threshold", 0.7, "mqtt")
    control.apply("classes.dog_bark.threshold", 0.6, "mqtt")
    other = opened(tmp_path, base, clock, "events.enabled=[dog_bark]")
    assert list(other.state.changes) == ["classes.dog_bark.threshold"]
    assert "'siren' makes no events here" in caplog.text


def test_a_disk_that_is_full_is_said_and_the_change_holds(
    tmp_path: Path, base: Assembly, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    store = SettingsStore(tmp_path / "absent" / "settings.json")
    control = Control(load_config(), base, store, utc=clock)
    with caplog.at_level(logging.ERROR):
        assert control.apply("listening", False, "mqtt").orders.off == "switched off"
    assert "cannot be written" in caplog.text


def test_a_change_leaves_the_hours_of_loud_as_configured(
    tmp_path: Path, base: Assembly, clock: Clock
) -> None:
    hours = 'events.loud.hours=[{from: "22:00", to: "07:00", enter_db: 12, exit_db: 6}]'
    control = opened(tmp_path, base, clock, "events.loud.enabled=true", hours)
    before = control.state.assembly.loud
    state = control.apply("profile", "quiet", "mqtt")
    assert state.profile == "quiet"
    assert state.assembly.loud == before
