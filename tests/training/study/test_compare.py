"""The comparison: made from records alone, honest about what it is made of."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from scored import random_record

from training.base.report import write
from training.cli.study.compare import compare
from training.errors import DataError
from training.networks.compact import Cost
from training.records.envelope import CodeVersion
from training.records.jobs import Job, JobRecord, read_all
from training.study.compare.gather import curve_on_test, gather
from training.study.compare.page import compose
from training.study.compare.published import FOLD_CLIPS
from training.study.folds import LABELS


def _records() -> list[JobRecord]:
    honest = [random_record(m, a, f, 0) for m, a in (("cnn", 0.5), ("compact", 0.8)) for f in (1, 2)]
    seed = [random_record("cnn", 0.5, f, 0, "seed") for f in (1, 2)]
    return [*honest, *seed]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the page that the command made."""
    folder = tmp_path_factory.mktemp("compare")
    for made in _records():
        made.write(folder / "records")
    result = CliRunner().invoke(
        compare, ["--records", str(folder / "records"), "--out", str(folder / "page")]
    )
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(folder / "page" / "index.html")
    return folder / "page"


def test_the_page_is_made_from_records_alone_and_twice_the_same(page: Path, tmp_path: Path) -> None:
    write(compose(gather(read_all(page.parent / "records")), "honest/cnn"), tmp_path)
    first, second = (
        {path.name: path.read_bytes() for path in folder.iterdir()} for folder in (page, tmp_path)
    )
    assert first == second
    assert {path.suffix for path in page.iterdir()} == {".html", ".md", ".csv", ".png"}


def test_the_html_page_needs_no_other_file(page: Path) -> None:
    sources = re.findall(r'src="([^"]{0,30})', (page / "index.html").read_text())
    assert len(sources) == len(list(page.glob("*.png")))
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_every_picture_of_the_markdown_is_beside_it(page: Path) -> None:
    named = re.findall(r"\]\(([\w-]+\.png)\)", (page / "README.md").read_text())
    assert sorted(named) == sorted(path.name for path in page.glob("*.png"))


def test_figures_csv_holds_what_the_records_score() -> None:
    comparison = gather(_records())
    table = compose(comparison, "seed/cnn").tables["figures.csv"].csv()
    by_name = {(row["protocol"], row["model"]): row for row in csv.DictReader(table.splitlines())}
    right = [r.clips.prediction == r.clips.truth for r in _records() if r.job.model == "compact"]
    pooled = sum(float(hits.sum()) for hits in right) / sum(len(hits) for hits in right)
    assert float(by_name["honest", "compact"]["accuracy"]) == pytest.approx(pooled, abs=1e-4)


def test_entries_come_best_first_and_pairs_of_the_reference_are_the_others_minus_it() -> None:
    comparison = gather(_records())
    assert [entry.model for entry in comparison.of("honest")] == ["compact", "cnn"]
    differences = comparison.against("honest/compact")
    assert {pair.first for pair in differences} == {"honest/cnn", "seed/cnn"}
    assert all(pair.second == "honest/compact" and pair.accuracy.high < 0 for pair in differences)


def test_the_published_figure_is_the_mean_over_all_epochs_and_folds() -> None:
    curve = curve_on_test(random_record("cnn", 0.5, fold, 0, "seed") for fold in (1, 2))
    assert curve is not None
    assert curve.mean_accuracy == pytest.approx(0.5 - 0.1 * (1 + 1 / 2 + 1 / 3) / 3)
    assert curve.last_accuracy == pytest.approx(0.5 - 0.1 / 3)
    assert curve.last_f1 == pytest.approx(0.5 - 0.12 / 3)


def test_a_protocol_that_never_watched_the_test_fold_has_no_test_curve() -> None:
    assert curve_on_test([random_record("cnn", 0.5)]) is None


def test_what_was_not_run_is_said() -> None:
    records = [
        r for r in _records() if (r.job.protocol, r.job.model, r.job.test_fold) != ("honest", "cnn", 2)
    ]
    page = compose(gather(records), "seed/cnn").markdown
    missing = page[page.index("## What was not run") :]
    assert "folds 3, 4, 5, 6, 7, 8, 9, 10 of the 10" in missing
    assert "honest/cnn: fold 2" in missing
    assert "Not all models were tested on the same folds" in page
    assert "Not all models were tested" not in compose(gather(_records()), "seed/cnn").markdown
    assert "seed protocol: rnn, lstm, gru, clstm" in missing
    assert f"fold 1 (200 of {FOLD_CLIPS[1]})" in page


def test_a_seed_that_one_fold_lacks_is_named() -> None:
    records = [random_record("net", 0.5, fold, seed) for fold in (1, 2) for seed in (0, 1)]
    left_out = "honest/net: fold 2, seed 1; its other folds of these seeds are left out"
    assert gather(records[:-1]).not_run == (left_out,)


def test_one_record_is_enough_for_a_page(tmp_path: Path) -> None:
    page = compose(gather([random_record("net", 0.5)]), "seed/cnn")
    write(page, tmp_path)
    assert "No record of the reference `seed/cnn`" in page.markdown


def test_models_tested_on_different_folds_are_not_paired() -> None:
    comparison = gather([random_record("one", 0.5, fold=1), random_record("two", 0.5, fold=2)])
    assert comparison.pairs == ()


def test_records_of_two_corpora_are_refused() -> None:
    with pytest.raises(DataError, match="one corpus at a time"):
        gather([random_record("net", 0.5), random_record("net", 0.5, fold=2, labels=("rain", "dog"))])


def test_no_records_is_an_error_that_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="sound-training cv"):
        gather(read_all(tmp_path))


def test_esc10_has_a_page_of_its_own_without_what_is_known_of_urbansound8k() -> None:
    made = [random_record("compact", 0.6, fold, labels=LABELS["esc10"], clips=80) for fold in range(1, 6)]
    page = compose(gather(made), "honest/compact").markdown
    assert page.startswith("# The comparison on ESC-10\n")
    assert "of all 5 folds of ESC-10: fold 1 (80 of 80)" in page
    for foreign in ("UrbanSound8K", "published", "single folds vary", "points)", "rnn"):
        assert foreign not in page, foreign
    assert "Nothing is missing" not in page
    assert "- more than one seed: honest/compact" in page


def test_a_corpus_of_other_classes_says_its_folds_and_no_more() -> None:
    page = compose(gather([random_record("net", 0.5, labels=("rain", "dog"))]), "honest/net").markdown
    assert "all 1 folds of a corpus of other classes: fold 1 (200 clips)" in page
    assert "of the 10" not in page


def test_runs_that_were_cut_short_and_their_lengths_are_said() -> None:
    made = random_record("net", 0.5)
    command = "sound-training cv --models net --folds 1 --seeds 0 --epochs 2"
    short = replace(made, provenance=replace(made.provenance, command=command))
    page = compose(gather([short]), "honest/net").markdown
    assert "- all the epochs that are planned for a model: honest/net was cut to 2" in page
    stopped_early = replace(short, provenance=replace(short.provenance, command=command.replace("2", "60")))
    assert "was cut" not in compose(gather([stopped_early]), "honest/net").markdown
    lengths = [
        replace(made, epochs=made.epochs[:count], job=Job("honest", "net", count, 0)) for count in (1, 2)
    ]
    assert "| 1 … 2 | 1, 2 |" in compose(gather(lengths), "honest/net").markdown


def test_the_best_small_network_stands_with_its_difference_and_interval() -> None:
    large = [random_record("large", 0.9, fold, cost=Cost(300_001, 1)) for fold in (1, 2)]
    page = compose(gather([*_records(), *large]), "honest/cnn").markdown
    assert re.search(r"at most 300000 parameters, `compact` \(1000\): \+\d+\.\d \(\+\d.*\) points", page)


def test_commands_of_a_model_are_one_line_for_its_folds_and_seeds() -> None:
    def made(fold: int, seed: int) -> JobRecord:
        record = random_record("net", 0.5, fold, seed)
        command = f"sound-training cv --models net --folds {fold} --seeds {seed}"
        return replace(record, provenance=replace(record.provenance, command=command))

    grid = [made(1, 0), made(2, 0), made(1, 1), made(2, 1), made(2, 2)]
    page = compose(gather(grid), "honest/net").markdown
    assert "- commands: `sound-training cv --models net --folds 1,2 --seeds 0,1`\n" in page
    assert "--seeds 2" not in page  # a seed that lacks a fold is in no figure


def _by(record: JobRecord, digest: str) -> JobRecord:
    return replace(record, provenance=replace(record.provenance, code=CodeVersion("c0ffee", digest)))


def test_records_of_one_generation_name_it_and_mixed_ones_are_marked() -> None:
    one = [_by(record, "aaaa") for record in _records()]
    page = compose(gather(one), "seed/cnn").markdown
    assert "- code: aaaa (commit c0ffee)" in page
    assert "generations" not in page
    mixed = [_by(r, "bbbb") if r.job.test_fold == 1 and r.job.model == "compact" else r for r in one]
    page = compose(gather(mixed), "seed/cnn").markdown
    assert "The records are of several generations of the code" in page
    assert "**honest/compact is mixed**" in page
    assert "- code bbbb, commit c0ffee: honest/compact" in page
    assert "from before the code" in compose(gather(_records()), "seed/cnn").markdown


def test_a_seed_that_lacks_a_fold_is_in_no_figure_and_the_range_of_seeds_stands_beside_the_interval() -> None:
    records = [random_record("net", 0.5, fold, seed) for fold in (1, 2) for seed in (0, 1, 2)]
    lacking = [r for r in records if (r.job.test_fold, r.job.seed) != (2, 2)]
    whole = [r for r in records if r.job.seed != 2]
    entry = gather(lacking).entries[0]
    assert entry.seeds == (0, 1)
    assert entry.figures == gather(whole).entries[0].figures
    by_seed = [sum(r.clips.accuracy for r in whole if r.job.seed == seed) / 2 for seed in (0, 1)]
    assert entry.seed_accuracy == pytest.approx((min(by_seed), max(by_seed)))
    assert "lowest … highest seed" in compose(gather(whole), "honest/net").markdown
