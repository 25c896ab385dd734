"""The check finds what is missing, damaged, mislabelled or misplaced, fold by fold, and nothing else."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from corpora import write_backgrounds, write_corpora, write_esc50, write_urbansound8k

from training.cli import main
from training.data.check import CheckReport, check, disjointness
from training.data.corpora import MN04_FILES, load
from training.errors import DataError


def checked(root: Path, *, decode: bool = True, workers: int = 1) -> CheckReport:
    return check(root, decode=decode, tick=lambda done: None, workers=workers)


def change_row(table: Path, line: int, **values: str) -> None:
    """Rewrite one row of a table; ``line`` 2 is the first row."""
    with table.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    rows[line - 2].update(values)
    with table.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_corpora(tmp_path / "data")


def urban_table(root: Path) -> Path:
    return root / "UrbanSound8K" / "metadata" / "UrbanSound8K.csv"


def test_whole_corpora_are_sound(root: Path) -> None:
    report = checked(root)
    assert report.is_sound()
    assert {finding.kind for finding in report.findings} == {"unlicensed"}, "the backgrounds have no manifest"
    assert [row.fold for row in report.folds if row.corpus == "UrbanSound8K"] == list(range(1, 11))
    assert all(row.present == row.listed and row.seconds > 0 for row in report.folds)
    assert sum(row.present for row in report.backgrounds) == 6
    assert len(report.disjoint) == 10
    assert not any(row.shared_recordings for row in report.disjoint)


def test_two_processes_find_what_one_finds(root: Path) -> None:
    victim = load(root).urban[70].path
    victim.write_bytes(victim.read_bytes()[:30])
    assert checked(root, workers=2) == checked(root, workers=1)


def test_partial_data_is_no_fault_and_is_counted_per_fold(tmp_path: Path) -> None:
    write_urbansound8k(tmp_path, folds=(1, 2))
    next((tmp_path / "UrbanSound8K" / "audio" / "fold2").iterdir()).unlink()
    report = checked(tmp_path)
    assert report.is_sound()
    present = {row.fold: row.present for row in report.folds}
    listed = report.folds[0].listed
    assert present == {1: listed, 2: listed - 1, **dict.fromkeys(range(3, 11), 0)}
    assert len(report.findings) == 8 * listed + 1
    assert {finding.kind for finding in report.findings} == {"missing"}


@pytest.mark.parametrize("suffix", [".flac", ".ogg"])
def test_clips_are_found_by_stem_whatever_their_encoding(suffix: str, tmp_path: Path) -> None:
    write_urbansound8k(tmp_path, folds=(1,), suffix=suffix)
    report = checked(tmp_path)
    assert report.folds[0].present == report.folds[0].listed
    assert report.is_sound()


def truncated(path: Path) -> None:
    samples, rate = soundfile.read(path)
    soundfile.write(path, samples[: len(samples) // 2], rate)


def text(path: Path) -> None:
    path.write_text("<html>404</html>")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def no_samples(path: Path) -> None:
    soundfile.write(path, np.zeros(0), 22_050)


def zeros(path: Path) -> None:
    soundfile.write(path, np.zeros(22_050), 22_050)


def not_numbers(path: Path) -> None:
    soundfile.write(path, np.full(22_050, np.nan, np.float32), 22_050, subtype="FLOAT")


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (truncated, "its row says"),
        (text, "cannot be decoded"),
        (empty, "cannot be decoded"),
        (no_samples, "holds no audio"),
        (zeros, "nothing but zeros"),
        (not_numbers, "not finite"),
    ],
)
def test_damaged_audio_is_named_with_its_fold(damage: Callable[[Path], None], why: str, root: Path) -> None:
    clip = next(clip for clip in load(root).urban if clip.fold == 4)
    damage(clip.path)
    (finding,) = checked(root).wrong()
    assert (finding.kind, finding.fold, finding.name) == ("damaged", 4, clip.path.stem)
    assert why in finding.why


def test_a_quick_check_decodes_nothing_but_sees_an_empty_file(root: Path) -> None:
    first, second = (clip.path for clip in load(root).urban[:2])
    text(first)
    empty(second)
    (finding,) = checked(root, decode=False).wrong()
    assert finding.name == second.stem
    assert finding.why == "is an empty file"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"fsID": "77"}, "the table 77"),
        ({"classID": "0"}, "the name says class 3, the table 0"),
        ({"class": "siren"}, "classID 3 is not siren"),
        ({"start": "9", "end": "8"}, "ends at 8 s"),
    ],
)
def test_a_row_that_contradicts_its_file_name_is_mislabelled(
    values: dict[str, str], why: str, root: Path
) -> None:
    change_row(urban_table(root), 2, **values)
    findings = [f for f in checked(root).findings if f.kind == "mislabelled"]
    assert findings
    assert all("line 2" in finding.why for finding in findings)
    assert any(why in finding.why for finding in findings)


def test_a_row_that_stands_twice_is_mislabelled(root: Path) -> None:
    table = urban_table(root)
    table.write_text(table.read_text() + table.read_text().splitlines()[1] + "\n")
    assert any("listed twice" in finding.why for finding in checked(root).findings)


def test_an_esc_row_that_contradicts_its_file_name_is_mislabelled(root: Path) -> None:
    change_row(root / "ESC-50" / "meta" / "esc50.csv", 2, fold="2", target="9")
    whys = [finding.why for finding in checked(root).findings]
    assert any("the name says fold 1, the table 2" in why for why in whys)
    assert any("the name says class 0, the table 9" in why for why in whys)


def test_a_file_in_another_folds_folder_is_misplaced(root: Path) -> None:
    path = next(clip.path for clip in load(root).urban if clip.fold == 3)
    path.rename(root / "UrbanSound8K" / "audio" / "fold5" / path.name)
    report = checked(root)
    (finding,) = report.wrong()
    assert finding.kind == "misplaced"
    assert "is in fold5; its row says fold 3" in finding.why
    assert not report.is_sound()


def give_two_folds_one_recording(root: Path) -> str:
    """Rename a recording of fold 2 to one of fold 1, as five ids of the official release are."""
    recording, stolen = "1030", "2060"
    table = urban_table(root)
    lines = table.read_text().splitlines(keepends=True)
    for fold_file in (root / "UrbanSound8K" / "audio" / "fold2").glob(f"{stolen}-*"):
        fold_file.rename(fold_file.with_name(fold_file.name.replace(stolen, recording)))
    table.write_text("".join(line.replace(stolen, recording) for line in lines))
    return recording


def test_an_id_in_two_folds_is_reported_and_never_on_both_sides(root: Path) -> None:
    recording = give_two_folds_one_recording(root)
    report = checked(root)
    assert report.twice == ((recording, (1, 2), 4),)
    assert report.is_sound()
    clips = {row.fold: row.train_clips for row in report.disjoint}
    assert clips[1] == clips[2] == clips[3] - 2, "its two clips of the other fold are not trained on"


def test_the_proof_of_disjointness_can_fail(root: Path) -> None:
    recording = give_two_folds_one_recording(root)
    corpora = load(root)
    forgetful = dataclasses.replace(corpora, urban_folds={c.recording: frozenset() for c in corpora.urban})
    shared = {row.fold: row.shared_recordings for row in disjointness(forgetful)}
    assert shared[1] == shared[2] == (recording,)


def test_an_esc_clip_of_an_urban_recording_is_counted(root: Path) -> None:
    for path in (root / "ESC-50" / "audio").glob("1-90100-*"):
        path.rename(path.with_name(path.name.replace("90100", "1030")))
    table = root / "ESC-50" / "meta" / "esc50.csv"
    table.write_text(table.read_text().replace("90100", "1030"))
    report = checked(root)
    assert report.esc_shared == 1
    assert report.is_sound()


# --- errors and the command line


def test_a_folder_without_corpora_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither UrbanSound8K, ESC-50/ESC-10 nor background"):
        checked(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("fsID", "id", "columns fsID are missing"),
        (",siren", ",sirene", "unknown class 'sirene'"),
        (",1,3,dog_bark", ",eleven,3,dog_bark", "invalid value"),
        (",1,3,dog_bark", ",11,3,dog_bark", "invalid value"),
        (",1,3,dog_bark", "", "incomplete"),
        (",1,1,3,dog_bark", ",3,1,3,dog_bark", "salience 3 is neither 1 nor 2"),
    ],
)
def test_a_bad_table_is_named_with_its_line(old: str, new: str, why: str, tmp_path: Path) -> None:
    write_urbansound8k(tmp_path, folds=(1,))
    table = urban_table(tmp_path)
    table.write_text(table.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=rf"UrbanSound8K\.csv(:\d+)?: .*{why}"):
        checked(tmp_path)


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    write_urbansound8k(tmp_path, folds=(1,))
    urban_table(tmp_path).write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match="cannot read the table"):
        checked(tmp_path)


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["data", "check", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_says_per_fold_what_is_here(tmp_path: Path) -> None:
    write_urbansound8k(tmp_path, folds=(1, 2))
    write_esc50(tmp_path)
    write_backgrounds(tmp_path)
    code, out, _ = run("--data", str(tmp_path))
    assert code == 0
    assert "UrbanSound8K: 24 of 120 clips, partial" in out
    assert "fold  3:    0 of   12  12 missing" in out
    assert "ESC: 15 of 15 clips\n" in out
    assert "nothing is damaged or mislabelled (files were decoded)" in out


def test_the_command_exits_1_when_a_file_is_damaged_and_names_it(root: Path) -> None:
    clip = load(root).urban[0]
    text(clip.path)
    code, out, _ = run("--data", str(root))
    assert code == 1
    assert f"damaged: UrbanSound8K fold {clip.fold}: {clip.path.stem} cannot be decoded" in out


def test_json_holds_the_whole_report(root: Path) -> None:
    code, out, _ = run("--data", str(root), "--json")
    report = json.loads(out)
    assert code == 0
    assert report["sound"] is True
    assert {row["corpus"] for row in report["folds"]} == {"UrbanSound8K", "ESC"}
    assert len(report["disjoint"]) == 10


@pytest.mark.parametrize(("folder", "why"), [("nowhere", "no such folder"), (".", "neither UrbanSound8K")])
def test_a_wrong_folder_is_one_line_and_exit_3(folder: str, why: str, tmp_path: Path) -> None:
    code, out, err = run("--data", str(tmp_path / folder))
    assert (code, out) == (3, "")
    assert err.startswith("error: ")
    assert why in err
    assert err.count("\n") == 1


# --- what a retraining of the model that ships lacks


KINDS = ("animals", "indoor", "noise", "outdoor", "rain", "speech", "street", "things", "transport")


def write_all(root: Path) -> None:
    """Write everything that the recipe of ``default`` uses, in miniature."""
    write_urbansound8k(root)
    write_esc50(root)
    write_backgrounds(root, kinds=KINDS, seconds=0.2)
    (root / "effects").mkdir()
    soundfile.write(root / "effects" / "drums.wav", np.full(32_000, 0.1), 16_000)
    (root / "yamnet").mkdir()
    (root / "yamnet" / "yamnet_embeddings.tflite").write_bytes(b"a network")
    (root / "mn04").mkdir()
    for name in MN04_FILES:
        (root / name).write_bytes(b"a network")


def test_nothing_is_lacking_where_all_that_the_recipe_uses_is_here(tmp_path: Path) -> None:
    write_all(tmp_path)
    code, out, _ = run("--data", str(tmp_path))
    assert code == 0
    assert checked(tmp_path).lacking == ()
    assert "lacks" not in out
    assert "effects: 1 files, 0 min" in out
    assert "yamnet: 1 files\n" in out


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        ("UrbanSound8K", "sounds of the ten classes; sound-training data fetch urbansound8k"),
        ("ESC-50", "sounds of other classes; sound-training data fetch esc50"),
        ("background/speech", "background/speech/"),
        ("effects", "effects/: sounds that nobody labelled"),
        ("mn04/mn04_as.npz", "mn04/mn04_as.npz: the published network"),
    ],
)
def test_what_the_recipe_uses_and_is_not_here_is_named_and_no_failure(
    gone: str, named: str, tmp_path: Path
) -> None:
    write_all(tmp_path)
    (tmp_path / gone).rename(tmp_path.parent / f"{tmp_path.name}-gone")
    code, out, _ = run("--data", str(tmp_path), "--quick")
    assert code == 0
    (line,) = (line for line in out.splitlines() if named in line)
    assert line.startswith("  ")
    assert "missing to retrain `default`:" in out


def manifests_of(root: Path, out: Path) -> Path:
    result = CliRunner().invoke(main, ["data", "manifest", "--data", str(root), "--out", str(out)])
    assert result.exit_code == 0, result.output
    return out


def test_files_of_the_manifests_that_are_missing_or_others_are_named(tmp_path: Path) -> None:
    root = tmp_path / "data"
    write_all(root)
    manifests = manifests_of(root, tmp_path / "ours")
    code, out, _ = run("--data", str(root), "--manifest", str(manifests))
    assert (code, "lacks" in out) == (0, False)
    assert f"all 31 files of {manifests} are present" in out
    (root / "background" / "rain" / "rain1.wav").unlink()
    soundfile.write(root / "effects" / "drums.wav", np.full(32_000, 0.2), 16_000)
    code, out, _ = run("--data", str(root), "--manifest", str(manifests))
    assert code == 0
    assert "  background/rain/rain1.wav: missing\n" in out
    assert "  effects/drums.wav: differs from its checksum\n" in out
    assert len(checked(root).lacking) == 0, "only the manifests know of files"


def test_a_folder_without_manifests_is_refused(root: Path, tmp_path: Path) -> None:
    code, _, err = run("--data", str(root), "--manifest", str(tmp_path))
    assert code == 3
    assert "contains none of background.csv, background_more.csv, effects.csv, yamnet.csv" in err


def test_a_damaged_sound_that_nobody_labelled_is_found(tmp_path: Path) -> None:
    write_all(tmp_path)
    text(tmp_path / "effects" / "drums.wav")
    (finding,) = checked(tmp_path).wrong()
    assert (finding.kind, finding.corpus, finding.name) == ("damaged", "effects", "drums")
