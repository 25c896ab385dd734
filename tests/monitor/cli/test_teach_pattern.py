"""``teach --pattern`` prints what the config takes, or says why it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import yaml
from alarms import alarm, noise
from click.testing import CliRunner

from monitor.cli.commands import cli
from monitor.config.load import SHIPPED_CONFIG, load_config
from monitor.errors import AudioError
from monitor.patterns.spec import Pattern

WASHER = Pattern("washer", ((2000.0, 2200.0),), beep_s=0.3, gap_s=0.2, count=5, pause_s=4.0)


def test_the_lines_that_are_printed_are_config(tmp_path: Path) -> None:
    file = tmp_path / "washer.wav"
    soundfile.write(file, alarm(WASHER, 2093.0, 22.0, rate=44100) * 0.2 + noise(22.0, -50, rate=44100), 44100)
    done = CliRunner().invoke(cli, ["teach", "--pattern", "washer", str(file)], catch_exceptions=False)
    assert done.exit_code == 0
    written = yaml.safe_load(done.stdout)["events"]["patterns"]["own"]
    config = load_config(SHIPPED_CONFIG, [f"events.patterns.own={written}"])
    own = config.settings.events.patterns.own["washer"]
    assert own.count == 5
    assert own.hz == pytest.approx(2093, abs=5)
    assert (own.beep_s, own.gap_s, own.pause_s) == pytest.approx((0.3, 0.2, 4.0), abs=0.03)


def test_a_recording_without_a_pattern_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    file = tmp_path / "noise.wav"
    soundfile.write(file, noise(5.0, -30), 16000)
    with pytest.raises(AudioError, match=r"noise\.wav: no tone stands out"):
        CliRunner().invoke(cli, ["teach", "--pattern", "x", str(file)], catch_exceptions=False)
