"""The manifests keep what a person wrote of a file and notice another file under its name."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from corpora import write_backgrounds

from training.cli import main
from training.data.check import check
from training.data.corpora import YAMNET_FILE
from training.data.manifest import KINDS, listed
from training.errors import DataError
from training.export.package import TRANSFER


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_backgrounds(tmp_path / "data")
    return tmp_path / "data"


def add_effects_and_teacher(root: Path) -> None:
    (root / "effects" / "games").mkdir(parents=True)
    for name in ("drums.wav", "games/shots.wav"):
        soundfile.write(root / "effects" / name, np.full(1600, 0.1), 16_000)
    (root / "effects" / "notes.txt").write_text("no sound")
    (root / "yamnet").mkdir()
    (root / "yamnet" / "yamnet_embeddings.tflite").write_bytes(b"a network")


def run(root: Path, *options: str) -> str:
    result = CliRunner().invoke(main, ["data", "manifest", "--data", str(root), *options])
    assert result.exit_code == 0, result.output
    return result.stdout


def rows(table: Path) -> dict[str, dict[str, str]]:
    with table.open(newline="") as lines:
        return {row["file"]: row for row in csv.DictReader(lines)}


def entries(root: Path, folder: str = "background") -> dict[str, dict[str, str]]:
    return rows(root / folder / "manifest.csv")


def fill_in(table: Path, file: str, told: str = "recorded by me,CC0") -> None:
    text = table.read_text()
    line = next(line for line in text.splitlines() if line.startswith(file))
    table.write_text(text.replace(line, f"{line.removesuffix(',,')},{told}"))


def kinds(root: Path) -> list[tuple[str, str]]:
    report = check(root, decode=True, tick=lambda done: None, workers=1)
    return [(finding.kind, finding.name) for finding in report.findings]


def test_every_background_gets_a_line(root: Path) -> None:
    assert "6 files, 6 without source or licence" in run(root)
    assert set(entries(root)) == {f"{kind}/{kind}{n}.wav" for kind in ("street", "rain") for n in range(3)}


def test_what_was_filled_in_stays_also_after_a_renaming(root: Path) -> None:
    run(root)
    fill_in(root / "background" / "manifest.csv", "rain/rain1.wav")
    (root / "background" / "rain" / "rain1.wav").rename(root / "background" / "rain" / "drizzle.wav")
    assert "6 files, 5 without" in run(root)
    entry = entries(root)["rain/drizzle.wav"]
    assert (entry["source"], entry["licence"]) == ("recorded by me", "CC0")


def test_a_background_with_source_and_licence_is_not_reported(root: Path) -> None:
    run(root)
    fill_in(root / "background" / "manifest.csv", "rain/rain1.wav")
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


def test_sounds_without_labels_and_the_teacher_have_their_manifests(root: Path) -> None:
    add_effects_and_teacher(root)
    said = run(root)
    assert all(f"{folder}/manifest.csv" in said for folder in ("background", "effects", "yamnet"))
    assert set(entries(root, "effects")) == {"drums.wav", "games/shots.wav"}
    assert set(entries(root, "yamnet")) == {"yamnet_embeddings.tflite"}


@pytest.mark.parametrize("file", ["effects/drums.wav", "yamnet/yamnet_embeddings.tflite"])
def test_another_teacher_or_effect_than_the_listed_one_is_damage(file: str, root: Path) -> None:
    add_effects_and_teacher(root)
    run(root)
    (root / file).write_bytes((root / "effects" / "games" / "shots.wav").read_bytes() + b"more")
    assert ("damaged", file.partition("/")[2]) in kinds(root)


def test_manifests_written_elsewhere_leave_the_data_alone(root: Path, tmp_path: Path) -> None:
    add_effects_and_teacher(root)
    before = sorted(root.rglob("*"))
    run(root, "--out", str(tmp_path / "new" / "out"))
    assert sorted(root.rglob("*")) == before
    tables = {path.name for path in (tmp_path / "new" / "out").iterdir()}
    assert tables == {"background.csv", "effects.csv", "yamnet.csv"}


def test_what_is_told_in_the_data_or_elsewhere_is_kept_elsewhere(root: Path, tmp_path: Path) -> None:
    run(root)
    fill_in(root / "background" / "manifest.csv", "rain/rain0.wav", "in the data,CC0")
    fill_in(root / "background" / "manifest.csv", "rain/rain1.wav", "in the data,CC0")
    assert "6 files, 4 without" in run(root, "--out", str(tmp_path))
    fill_in(tmp_path / "background.csv", "street/street0.wav", "elsewhere,CC0")
    table = tmp_path / "background.csv"
    table.write_text(table.read_text().replace("in the data,CC0", "corrected elsewhere,CC0", 1))
    assert "6 files, 3 without" in run(root, "--out", str(tmp_path))
    sources = {file: row["source"] for file, row in rows(table).items() if row["source"]}
    assert sources == {
        "rain/rain0.wav": "corrected elsewhere",
        "rain/rain1.wav": "in the data",
        "street/street0.wav": "elsewhere",
    }


def test_a_manifest_that_cannot_be_written_says_where_else_to_write(root: Path) -> None:
    (root / "background" / "manifest.csv").mkdir()
    result = CliRunner().invoke(main, ["data", "manifest", "--data", str(root)])
    assert result.exit_code == 3
    assert "manifest.csv: cannot be written" in result.stderr
    assert "--out FOLDER" in result.stderr


def test_a_folder_without_anything_to_list_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["data", "manifest", "--data", str(tmp_path)])
    assert result.exit_code == 3
    assert "contains no background/<kind>/, background_more/, effects/" in result.stderr


# --- the model that ships


def test_every_file_that_the_model_was_trained_with_has_a_source_and_a_licence() -> None:
    ours = dict(listed(Path(__file__).parents[3] / "docs" / "results" / "default" / "manifest"))
    assert all(entry.is_told() for entry in ours.values())
    assert {name.split("/")[1] for name in ours if name.startswith("background/")} == set(KINDS)
    assert f"yamnet/{YAMNET_FILE}" in ours
    assert any(name.startswith("effects/") for name in ours)


@pytest.mark.parametrize("named", ["EfficientAT", "that nobody labelled", "CC BY-SA"])
def test_the_card_names_the_licences_of_what_it_learned_from(named: str) -> None:
    assert any(named in licence for licence in TRANSFER.data_licences)
