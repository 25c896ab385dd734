"""The manifest keeps what a person wrote of a background and notices another file under its name."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner
from corpora import write_backgrounds

from training.check import check
from training.cli import main
from training.errors import DataError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_backgrounds(tmp_path)
    return tmp_path


def run(root: Path) -> str:
    result = CliRunner().invoke(main, ["data", "manifest", "--data", str(root)])
    assert result.exit_code == 0, result.output
    return result.stdout


def entries(root: Path) -> dict[str, dict[str, str]]:
    with (root / "background" / "manifest.csv").open(newline="") as lines:
        return {row["file"]: row for row in csv.DictReader(lines)}


def fill_in(root: Path, file: str) -> None:
    table = root / "background" / "manifest.csv"
    text = table.read_text()
    line = next(line for line in text.splitlines() if line.startswith(file))
    table.write_text(text.replace(line, line.removesuffix(",,") + ",recorded by me,CC0"))


def kinds(root: Path) -> list[tuple[str, str]]:
    report = check(root, decode=True, tick=lambda done: None, workers=1)
    return [(finding.kind, finding.name) for finding in report.findings]


def test_every_background_gets_a_line(root: Path) -> None:
    assert "6 files, 6 without source or licence" in run(root)
    assert set(entries(root)) == {f"{kind}/{kind}{n}.wav" for kind in ("street", "rain") for n in range(3)}


def test_what_was_filled_in_stays_also_after_a_renaming(root: Path) -> None:
    run(root)
    fill_in(root, "rain/rain1.wav")
    (root / "background" / "rain" / "rain1.wav").rename(root / "background" / "rain" / "drizzle.wav")
    assert "6 files, 5 without" in run(root)
    entry = entries(root)["rain/drizzle.wav"]
    assert (entry["source"], entry["licence"]) == ("recorded by me", "CC0")


def test_a_background_with_source_and_licence_is_not_reported(root: Path) -> None:
    run(root)
    fill_in(root, "rain/rain1.wav")
    found = kinds(root)
    assert ("unlicensed", "rain/rain0.wav") in found
    assert ("unlicensed", "rain/rain1.wav") not in found


def test_another_file_under_a_listed_name_is_damage(root: Path) -> None:
    run(root)
    beds = root / "background" / "street"
    (beds / "street0.wav").write_bytes((beds / "street1.wav").read_bytes())
    assert ("damaged", "street/street0.wav") in kinds(root)


def test_a_manifest_without_a_column_is_refused(root: Path) -> None:
    (root / "background" / "manifest.csv").write_text("file,licence\n")
    with pytest.raises(DataError, match=r"manifest\.csv: columns sha256, source are missing"):
        kinds(root)
