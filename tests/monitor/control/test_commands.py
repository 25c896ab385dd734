"""Commands are obeyed or refused in one line; nothing that comes does harm."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.control.changes import checked
from monitor.control.commands import Commands

LABELS = ("siren", "dog_bark", "Police car (siren)", "loud")


@dataclass
class Control:
    """Checks as the real one does, and remembers."""

    applied: list[tuple[str, object, str]] = field(default_factory=list)
    state = SimpleNamespace(classes=dict.fromkeys(LABELS))

    def apply(self, key: str, value: object, by: str) -> None:
        if value is not None:
            value = checked(key, value, LABELS)
        self.applied.append((key, value, by))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("name", "payload", "key", "value"),
    [
        ("listening", b"OFF", "listening", False),
        ("listening", b" ON\n", "listening", True),
        ("pause", b"1h", "pause_s", 3600.0),
        ("pause", b"30 m", "pause_s", 1800.0),
        ("pause", b"90", "pause_s", 90.0),
        ("pause", b"0", "pause_s", 0.0),
        ("profile", b"sensitive", "profile", "sensitive"),
        ("profile", b"default", "profile", None),
        ("sound/siren/enabled", b"OFF", "classes.siren.enabled", False),
        ("sound/siren/threshold", b"0.7", "classes.siren.threshold", 0.7),
        ("sound/police_car_siren/threshold", b"default", "classes.Police car (siren).threshold", None),
    ],
)
def test_commands_become_changes(name: str, payload: bytes, key: str, value: object) -> None:
    control = Control()
    Commands(control).receive(name, payload, retained=False)  # type: ignore[arg-type]
    assert control.applied == [(key, value, "mqtt")]


@pytest.mark.parametrize(
    ("name", "payload", "words"),
    [
        ("listening", b"on", "'on' is neither ON nor OFF"),
        ("listening", b"", "neither ON nor OFF"),
        ("listening", b"\xff", "no text"),
        ("pause", b"forever", "no duration; write 90s, 30m or 1h"),
        ("pause", b"25h", "no number from 0 to 86400"),
        ("pause", b"1.2.3", "no number"),
        ("pause", b"-1", "no duration"),
        ("profile", b"x\n\x1b[2J", "is none of quiet, sensitive"),
        ("sound/siren/threshold", b"nan", "no number from 0.01 to 0.99"),
        ("sound/siren/threshold", b"1e400", "no number from"),
        ("sound/siren/threshold", b"ON", "is no number"),
        ("sound/loud/threshold", b"0.5", "in decibels"),
        ("sound/unicorn/enabled", b"ON", "no such label"),
        ("sound/SIREN/enabled", b"ON", "no such command"),
        ("mqtt/password", b"x", "no such command"),
        ("", b"x", "no such command"),
        ("listening", b"x" * 65536, "65536 bytes are no value"),
    ],
)
def test_nonsense_is_refused_in_one_line_and_has_no_effect(
    name: str, payload: bytes, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    control = Control()
    Commands(control).receive(name, payload, retained=False)  # type: ignore[arg-type]
    assert control.applied == []
    (line,) = [record.getMessage() for record in caplog.records]
    assert words in line
    assert line.isprintable()
    assert len(line) < 400


def test_a_retained_command_is_not_obeyed(caplog: pytest.LogCaptureFixture) -> None:
    control = Control()
    Commands(control).receive("listening", b"OFF", retained=True)  # type: ignore[arg-type]
    assert control.applied == []
    assert "retained commands are not obeyed" in caplog.text


def test_a_flood_of_nonsense_is_named_ten_times_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    commands = Commands(Control(), monotonic=clock)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        for _ in range(6000):
            clock.now += 0.02
            commands.receive("x", b"y", retained=False)
    assert len(caplog.records) == 20


names = st.one_of(
    st.sampled_from(["listening", "pause", "profile", "sound/siren/enabled", "sound/siren/threshold"]),
    st.text(max_size=30),
)


@given(names, st.one_of(st.binary(max_size=300), st.text(max_size=30).map(str.encode)), st.booleans())
def test_whatever_comes_is_a_valid_change_or_nothing(name: str, payload: bytes, retained: bool) -> None:
    control = Control()
    Commands(control).receive(name, payload, retained=retained)  # type: ignore[arg-type]
    for key, value, _ in control.applied:
        assert value is None or checked(key, value, LABELS) == value
