"""What stands under docs/results is what `sound-training pages` makes of the records there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from training.base.report import write
from training.cli.pages import PAGES, Page

ROOT = Path(__file__).resolve().parents[3]
MOST_BYTES = 6_000_000
MADE = {".md", ".csv", ".png"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.folder)
def test_a_page_is_made_of_its_records_again(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    folder = Path("docs/results") / page.folder
    write(page.compose(folder), tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix in MADE}
    assert "README.md" in made
    assert [name for name, content in made.items() if (folder / name).read_bytes() != content] == []


def test_the_index_names_every_page() -> None:
    results = ROOT / "docs" / "results"
    index = results / "README.md"
    linked = {results / target for target in re.findall(r"\]\(([^)]+)\)", index.read_text(encoding="utf-8"))}
    assert linked == {*results.rglob("*.md")} - {index}


def test_results_hold_no_html_and_keep_to_their_budget() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "docs/results"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    files = [ROOT / name for name in listed.split("\0") if name]
    assert [file for file in files if file.suffix == ".html"] == []
    assert sum(file.stat().st_size for file in files if file.exists()) <= MOST_BYTES
