"""The example street is what its script makes, and its labels are true."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from monitor.cli.replay.command import replay

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
BETWEEN_EVENTS_S = 2.5


@pytest.fixture(scope="module")
def script() -> dict[str, object]:
    return runpy.run_path(str(EXAMPLES / "make_street.py"))


@pytest.fixture(scope="module")
def made(script: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which the script has just written."""
    folder = tmp_path_factory.mktemp("street")
    script["write"](folder, script["SEED"])  # type: ignore[operator]
    return folder


@pytest.fixture(scope="module")
def committed() -> np.ndarray:
    samples, _ = sf.read(EXAMPLES / "street.wav", dtype="int16")
    return samples.astype(np.int64)


def events() -> list[tuple[float, float, str]]:
    lines = (EXAMPLES / "street.labels.tsv").read_text(encoding="utf-8").splitlines()
    return [(float(on), float(off), label) for on, off, label in (line.split("\t") for line in lines)]


def rms_dbfs(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean((samples / 32_768) ** 2)))


def test_the_script_makes_the_committed_street(made: Path, committed: np.ndarray) -> None:
    samples, rate = sf.read(made / "street.wav", dtype="int16")
    assert rate == 16_000
    assert samples.shape == committed.shape
    # Another numpy or processor may round an FFT differently: a sample may step by one, rarely.
    difference = samples - committed
    assert np.max(np.abs(difference)) <= 1
    assert np.mean(difference != 0) < 1e-3


def test_the_script_makes_the_committed_labels(made: Path) -> None:
    written = (made / "street.labels.tsv").read_text(encoding="utf-8")
    assert written == (EXAMPLES / "street.labels.tsv").read_text(encoding="utf-8")


def test_another_seed_makes_another_street(script: dict[str, object], committed: np.ndarray) -> None:
    track, _ = script["scene"](1)  # type: ignore[operator]
    correlation = np.corrcoef(track, committed)[0, 1]
    assert correlation < 0.5


def test_street_is_16_bit_mono_small_and_never_near_full_scale(committed: np.ndarray) -> None:
    info = sf.info(EXAMPLES / "street.wav")
    assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
    assert (EXAMPLES / "street.wav").stat().st_size < 1_500_000
    assert np.max(np.abs(committed)) < 32_768 * 10 ** (-1 / 20)


def test_events_stand_15_to_20_db_over_the_street_and_apart(committed: np.ndarray) -> None:
    quiet = np.ones(len(committed), dtype=bool)
    for onset, offset, _ in events():
        quiet[int(onset * 16_000) : int((offset + 1.0) * 16_000)] = False  # echoes end within 1 s
    background = rms_dbfs(committed[quiet])
    for onset, offset, label in events():
        level = rms_dbfs(committed[int(onset * 16_000) : int(offset * 16_000)])
        assert 15 <= level - background <= 20, label
    for (_, ended, _), (begins, _, label) in zip(events(), events()[1:], strict=False):
        assert begins - ended >= BETWEEN_EVENTS_S, label


def test_labels_begin_where_the_level_rises(committed: np.ndarray) -> None:
    for onset, _, label in events():
        before = rms_dbfs(committed[int((onset - 0.5) * 16_000) : int(onset * 16_000)])
        after = rms_dbfs(committed[int(onset * 16_000) : int((onset + 0.5) * 16_000)])
        assert after - before > 6, label


def test_the_shipped_model_hears_the_street_as_expected() -> None:
    expected = EXAMPLES / "street.expected.jsonl"
    profile = ("--set", "events.profile=sensitive")
    result = CliRunner().invoke(replay, [str(EXAMPLES / "street.wav"), "--expect", str(expected), *profile])
    assert result.exit_code == 0, result.output


def test_what_raises_its_alert_is_in_the_street() -> None:
    """The sensitive profile may miss one of the five classes, and one of the two bursts of the jackhammer."""
    lines = (EXAMPLES / "street.expected.jsonl").read_text(encoding="utf-8").splitlines()
    starts = [record for record in map(json.loads, lines) if record["type"] == "start"]
    classes = {label for _, _, label in events()}
    assert {record["label"] for record in starts} <= classes
    assert len({record["label"] for record in starts}) >= 4
    for record in starts:
        decided = record["start_s"] + record["delay_s"]
        spans = [(onset, offset) for onset, offset, label in events() if label == record["label"]]
        assert any(onset < decided < offset + 1.0 for onset, offset in spans), record["label"]
