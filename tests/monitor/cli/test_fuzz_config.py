"""No config and no options break the command line: one line, a documented exit code, in bounded time.

Seeded, so that a failure is found again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
import soundfile
import yaml
from fuzzing import check, mutated, run_all

from monitor.cli.commands import cli

ROOT = Path(__file__).parents[3]
STREET = ROOT / "examples" / "street.wav"

VALUES = (
    "", " ", "null", "true", "0", "-1", "1e400", "-1e400", ".nan", ".inf", "9" * 400, "0x10", "1_0", "é",
    "\\ud800", "[]", "{}", "[[[[]]]]", "{a: {b: {c: 1}}}", "[" * 300, "{a: " * 300, "!!timestamp q",
    "!!binary q", "!!set {a}", "!!python/object:os.system x", "&a [*a]", "*a", "2026-01-31", "12:30:45",
    "'", '"', "|", ">", "---", "...", "%", "${HOME}", "${}", "${NOBODY_SETS_THIS}", "a\0b", "/",
    "/dev/null", "/proc/self/mem", "-", "a" * 5000, "- - -", "? a", "<<: 1", "{<<: 1}", "!x y", "@", "`",
    "\t", "{? [] : 1}", "{[]: 1}", "0b1", "0o8", "~", "=", "1:",
)  # fmt: skip
"""Texts that YAML, numbers or paths treat in a way of their own."""

TEXTS = (
    "&a {b: *a}\n", "a: &a [1]\nb: &b [*a, *a]\n", "node: 1\nnode: 2\n", "\ufeffnode: x\n",
    "%YAML 9.9\n---\nnode: x\n", "--- a\n--- b\n", "node: !!timestamp q\n", "? [a, b]\n: c\n", "{" * 3000,
    "[" * 3000, "- " * 3000, "a: " * 3000, "audio: &a {device: *a}\n", "events: &e {classes: *e}\n",
    "history: {path: \"a\\0b\"}\n", "\x00", "\x85", "\u2028: 1",
    "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10) if i else 'x'}]\n" for i in range(10)),
    "node: " + "x" * 100_000 + "\n", "mqtt: {host: " + "9" * 10_000 + "}\n",
)  # fmt: skip
"""Whole files that broke YAML readers before: aliases of themselves, bombs of aliases, deep nesting."""


def settings() -> list[str]:
    """Return all settings of the shipped config by their dotted names."""

    def walk(prefix: str, value: object) -> Iterator[str]:
        if isinstance(value, dict) and value:
            for key, below in value.items():
                yield from walk(f"{prefix}.{key}" if prefix else str(key), below)
        else:
            yield prefix

    return list(walk("", yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))))


def _scraps(chance: random.Random) -> Iterator[bytes]:
    """Yield broken config files."""
    text = (ROOT / "config.yaml").read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    yield from (text.encode() for text in TEXTS)
    while True:
        if chance.random() < 0.3:
            yield mutated(text.encode(), chance)
            continue
        some = list(lines)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(some))
            key, colon, _ = some[at].partition(":")
            if colon and chance.random() < 0.7:
                some[at] = f"{key}: {chance.choice(VALUES)}\n"
            else:
                some[at : at + chance.randrange(3)] = chance.choices(some, k=chance.randrange(3))
        yield "".join(some).encode("utf-8", "surrogatepass")


def test_config_files(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.yaml" for number in range(80)]
    for file, data in zip(files, _scraps(random.Random(1)), strict=False):
        file.write_bytes(data)
    outcomes = run_all([["config", "--config", str(file)] for file in files], tmp_path)
    assert check(outcomes) == {0, 2}


def test_settings_of_the_command_line(tmp_path: Path) -> None:
    chance, names = random.Random(2), settings()
    pairs = [(chance.choice([*names, *VALUES]), chance.choice(VALUES)) for _ in range(80)]
    commands = [["config", "--set", f"{name}={value}".replace("\0", "")] for name, value in pairs]
    outcomes = run_all(commands, tmp_path)
    assert check(outcomes) == {0, 2}


OFFLINE = ("replay", "events", "report", "tune", "config", "model show", "model check", "calibrate")
"""Commands that neither listen, nor wait, nor publish."""
WAITS = {"--realtime", "--page", "--view", "--mqtt", "--device", "--version", "--debug"}


def _option_names(words: list[str]) -> list[str]:
    found = cli
    for word in words:
        found = found.get_command(None, word)  # type: ignore[attr-defined, arg-type]
    return [name for option in found.params for name in option.opts if name.startswith("-")]


def _command_lines(chance: random.Random) -> Iterator[list[str]]:
    values = [
        *(value.replace("\0", "") for value in VALUES),
        "2026-01-31T00:00",
        "1 h",
        "siren",
        "street.wav",
        ".",
    ]
    while True:
        words = chance.choice(OFFLINE).split()
        names = [name for name in _option_names(words) if name not in WAITS] or ["--help"]
        for _ in range(chance.randrange(4)):
            words += [chance.choice(names)] if chance.random() < 0.8 else []
            words += [chance.choice(values)] if chance.random() < 0.8 else []
        yield words


def test_options(tmp_path: Path) -> None:
    samples, rate = soundfile.read(STREET, frames=32000, dtype="int16")
    soundfile.write(tmp_path / "street.wav", samples, rate)
    commands = list(islice(_command_lines(random.Random(3)), 100))
    assert 2 in check(run_all(commands, tmp_path))


@pytest.mark.parametrize(
    "path", ["a" * 300, "b/" * 3000 + "c", "/dev/null/x"], ids=["long name", "long path", "below a file"]
)
def test_paths_that_cannot_be(tmp_path: Path, path: str) -> None:
    (made,) = run_all([["replay", str(STREET), "--scores", "street.csv"]], tmp_path)
    assert made.code == 0
    replay = ["replay", str(STREET)]
    commands = [
        ["replay", path], ["model", "show", path], ["model", "check", path], ["config", "--config", path],
        ["events", "--history", path], ["report", "--history", path], ["report", "-o", f"{path}.html"],
        ["tune", f"{path}.csv"], ["tune", "street.csv", "--events", path], ["calibrate", path, "--at", "94"],
        ["tune", "street.csv", "--plot", f"{path}.svg"], ["config", "--set", f"history.path={path}"],
        [*replay, "--scores", f"{path}.csv"], [*replay, "--expect", path], [*replay, "--history", path],
        [*replay, "--set", f"model.path={path}"], [*replay, "--set", f"model.labels={path}"],
        [*replay, "--mqtt", "--set", f"mqtt.password_file={path}"],
    ]  # fmt: skip
    outcomes = run_all(commands, tmp_path)
    assert check(outcomes) <= {0, 2, 3, 4}
