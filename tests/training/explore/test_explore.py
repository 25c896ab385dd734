"""The exploration counts what is there, and its page needs nothing else."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from corpora import CLASS_IDS, write_esc50, write_urbansound8k

from training.cli import main
from training.data.corpora import DATA_VARIABLE, Clip, data_root, places
from training.explore.counts import chi_square, count, labels_of
from training.explore.duplicates import embed, likeness
from training.explore.measure import ENVELOPE_FRAMES, SPEC, Measurement, envelope, measure, measure_all
from training.explore.page import class_table, explored, report

RATE = SPEC.rate

# UrbanSound8K's official table, counted by class and fold.
OFFICIAL = np.array([
    [100, 100, 100, 100, 100, 100, 100, 100, 100, 100],
    [36, 42, 43, 59, 98, 28, 28, 30, 32, 33],
    [100, 100, 100, 100, 100, 100, 100, 100, 100, 100],
    [100, 100, 100, 100, 100, 100, 100, 100, 100, 100],
    [100, 100, 100, 100, 100, 100, 100, 100, 100, 100],
    [96, 100, 107, 107, 107, 107, 106, 88, 89, 93],
    [35, 35, 36, 38, 40, 46, 51, 30, 31, 32],
    [120, 120, 120, 120, 120, 68, 76, 78, 82, 96],
    [86, 91, 119, 166, 71, 74, 77, 80, 82, 83],
    [100, 100, 100, 100, 100, 100, 100, 100, 100, 100],
])  # fmt: skip


def clip(recording: str, label: str = "siren", fold: int = 1, salience: int = 1) -> Clip:
    return Clip(Path(f"{recording}-{label}-{fold}.wav"), "UrbanSound8K", recording, label, fold, salience)


def test_the_published_chi_square_follows_from_the_official_counts() -> None:
    result = chi_square(OFFICIAL)
    assert OFFICIAL.sum() == 8732
    assert result.statistic == pytest.approx(192.24, abs=0.005)
    assert result.degrees == 81
    assert result.p == pytest.approx(4.9e-11, rel=0.01)


@pytest.mark.accuracy
@pytest.mark.skipif(not os.environ.get(DATA_VARIABLE), reason="SOUND_DATA is not set")
def test_the_official_table_gives_the_published_chi_square() -> None:
    (place,) = (p for p in places(data_root(None)) if p.corpus == "UrbanSound8K")
    counts = count([row for row, _ in place.read()])
    np.testing.assert_array_equal(counts.by_fold, OFFICIAL)
    assert chi_square(counts.by_fold).statistic == pytest.approx(192.24, abs=0.005)


def test_an_even_table_has_no_chi_square() -> None:
    result = chi_square(np.full((3, 4), 10))
    assert (result.statistic, result.degrees) == (0.0, 6)
    assert result.p == 1.0


def test_counts_are_of_classes_folds_salience_and_recordings() -> None:
    counts = count([clip("1"), clip("1", salience=2), clip("2", fold=3), clip("3", "dog_bark", 3)])
    assert counts.labels == ("dog_bark", "siren")
    assert counts.folds == (1, 3)
    assert counts.by_fold.tolist() == [[0, 1], [2, 1]]
    assert counts.by_salience.tolist() == [[1, 0], [2, 1]]
    assert counts.recordings.tolist() == [1, 2]
    assert counts.largest.tolist() == [1, 2]


def test_labels_that_are_not_ours_come_after_ours() -> None:
    assert labels_of([clip("1", "rain"), clip("2", "siren"), clip("3", "cat")]) == ("siren", "cat", "rain")


def write_tone(path: Path, hz: float, seconds: float, amplitude: float = 0.5) -> Path:
    time = np.arange(round(seconds * RATE)) / RATE
    soundfile.write(path, amplitude * np.sin(2 * np.pi * hz * time), RATE, subtype="FLOAT")
    return path


def test_length_level_and_rate_of_a_tone_are_what_they_are(tmp_path: Path) -> None:
    found = measure(write_tone(tmp_path / "tone.wav", 1000, 1.5))
    assert found.seconds == pytest.approx(1.5)
    assert (found.rate, found.channels, found.clipped) == (RATE, 1, 0.0)
    assert found.rms_dbfs == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.01)
    assert found.peak_dbfs == pytest.approx(20 * np.log10(0.5), abs=0.01)


def test_samples_at_full_scale_are_counted(tmp_path: Path) -> None:
    square = np.sign(np.sin(np.arange(RATE))) * np.repeat([1.0, 0.5], RATE // 2)
    soundfile.write(tmp_path / "loud.wav", square, RATE)
    assert measure(tmp_path / "loud.wav").clipped == pytest.approx(0.5, abs=0.01)


def test_the_spectrum_of_a_tone_peaks_at_it(tmp_path: Path) -> None:
    low = measure(write_tone(tmp_path / "low.wav", 200, 1.0)).mean.argmax()
    high = measure(write_tone(tmp_path / "high.wav", 4000, 1.0)).mean.argmax()
    assert low < 10
    assert high > 40


def test_the_envelope_is_under_the_loudest_and_ends_with_the_clip() -> None:
    samples = np.concatenate([np.full(RATE // 2, 0.5), np.full(RATE // 2, 0.05)]).astype(np.float32)
    levels = envelope(samples, RATE)
    assert levels.shape == (ENVELOPE_FRAMES,)
    np.testing.assert_allclose(levels[:10], 0.0, atol=1e-3)
    np.testing.assert_allclose(levels[10:20], -20.0, atol=1e-3)
    assert np.isnan(levels[20:]).all()


def test_a_clip_shorter_than_one_step_of_the_envelope_has_one() -> None:
    levels = envelope(np.full(100, 0.1, np.float32), RATE)
    assert np.isfinite(levels).sum() == 1


def test_two_processes_measure_what_one_measures(tmp_path: Path) -> None:
    write_urbansound8k(tmp_path, folds=(1, 2, 3))
    (place,) = places(tmp_path)
    clips = [row for row, present in place.read() if present]
    done: list[int] = []
    one, two = measure_all(clips, done.append, 1), measure_all(clips, done.append, 2)
    assert sum(done) == 2 * len(clips)
    for first, second in zip(one, two, strict=True):
        np.testing.assert_equal(vars(first), vars(second))


def sounds(means: np.ndarray) -> list[Measurement]:
    """Measurements that differ in their spectra alone."""
    none = np.zeros(ENVELOPE_FRAMES, np.float32)
    return [Measurement(4.0, RATE, 1, -20.0, -3.0, 0.0, none, m, np.abs(m[::-1] - m.mean())) for m in means]


def test_a_copy_under_another_id_is_the_closest_pair() -> None:
    means = np.random.default_rng(0).standard_normal((40, 8)).astype(np.float32)
    means[31] = means[4] + 7.0
    means[31][0] += 0.01
    clips = [clip(str(i), fold=1 + i % 3) for i in range(40)]
    found = likeness(clips, embed(sounds(means)))
    assert {found.pairs[0].first.recording, found.pairs[0].second.recording} == {"4", "31"}


def test_slices_of_one_recording_are_no_strangers() -> None:
    means = np.random.default_rng(0).standard_normal((10, 8)).astype(np.float32)
    means[1] = means[0]
    clips = [clip("0"), clip("0"), *(clip(str(i)) for i in range(2, 10))]
    found = likeness(clips, embed(sounds(means)))
    assert all(pair.first.recording != pair.second.recording for pair in found.pairs)
    assert found.within.sum() == 1
    assert found.between.sum() == 10 * 9 // 2 - 1
    assert found.typical == pytest.approx(1.0, abs=1e-5)


def test_strangers_as_alike_as_slices_are_counted_across_folds() -> None:
    means = np.random.default_rng(3).standard_normal((12, 8)).astype(np.float32)
    means[1] = means[0] + 0.3 * np.random.default_rng(4).standard_normal(8).astype(np.float32)
    means[3] = means[2]
    means[5] = means[4]
    clips = [clip("a"), clip("a"), clip("b", fold=1), clip("c", fold=2), clip("d", fold=1), clip("e", fold=1)]
    clips += [clip(str(i)) for i in range(6, 12)]
    found = likeness(clips, embed(sounds(means)))
    assert (found.suspicious, found.suspicious_across) == (2, 1)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the command writes for five folds, of which the second is absent."""
    root = tmp_path_factory.mktemp("data")
    write_urbansound8k(root, folds=(1, 3, 4, 5), classes=tuple(CLASS_IDS), recordings=1)
    out = root / "out"
    result = CliRunner().invoke(main, ["explore", "--data", str(root), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(out / "index.html")
    return out


def test_the_page_needs_nothing_beside_it(page: Path) -> None:
    text = (page / "index.html").read_text()
    pictures = re.findall(r'<img[^>]*src="([^"]{30})', text)
    assert len(pictures) == 8
    assert all(source.startswith("data:image/png;base64,") for source in pictures)
    assert "http" not in text.replace("http-equiv", "")


def test_every_picture_and_table_that_the_page_names_is_written(page: Path) -> None:
    named = set(re.findall(r"\(([\w-]+\.png)\)", (page / "README.md").read_text()))
    assert named == {path.name for path in page.glob("*.png")}
    assert {path.name for path in page.glob("*.csv")} == {"classes.csv", "folds.csv", "duplicates.csv"}


def test_the_page_says_that_the_data_is_partial_and_tests_the_whole_table(page: Path) -> None:
    text = (page / "README.md").read_text()
    assert "80 of the table's 200 clips are present" in text
    assert "with 81 degrees of freedom" in text
    assert "no evidence that the classes are spread unevenly over the folds" in text


def test_a_class_of_which_no_clip_is_here_keeps_its_row(tmp_path: Path) -> None:
    write_urbansound8k(tmp_path, folds=(1,))
    (place,) = places(tmp_path)
    rows = [(row, present and row.label != "siren") for row, present in place.read()]
    measured = measure_all([row for row, present in rows if present], lambda done: None, 1)
    found = explored(rows, measured)
    by_class = {row[0]: row for row in class_table(found).rows}
    assert by_class["siren"][6:8] == (0, None)
    assert by_class["dog_bark"][6] == 4
    assert "| siren |" in report(found, gallery=False).markdown


def test_esc_can_be_explored_too(tmp_path: Path) -> None:
    write_esc50(tmp_path)
    out = tmp_path / "out"
    command = ["explore", "--data", str(tmp_path), "--corpus", "ESC", "--out", str(out), "--no-gallery"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert not (out / "gallery.png").exists()


def test_a_corpus_that_is_not_here_is_one_line_and_exit_3(tmp_path: Path) -> None:
    write_esc50(tmp_path)
    result = CliRunner().invoke(main, ["explore", "--data", str(tmp_path)])
    assert result.exit_code == 3
    assert result.stderr.startswith("error: ")
    assert "no clip of UrbanSound8K" in result.stderr
