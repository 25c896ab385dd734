"""The pages that benchmarks write are what their programs make of the records beside them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from training.base.report import write

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {
    "foundation": "report.py",
    "level": "level_page.py",
    "page": "page.py",
    "teach": "teach.py",
    "alarms": "alarms/page.py",
    "trust": "trust/page.py",
    "home": "homeassistant/page.py",
}


@pytest.mark.parametrize("folder", PROGRAMS)
def test_a_page_is_made_of_its_records_again(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Also takes back what the programs add to the path themselves.
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    spec = importlib.util.spec_from_file_location(f"{folder}_page", ROOT / "benchmarks" / PROGRAMS[folder])
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    monkeypatch.setitem(sys.modules, spec.name, program)
    spec.loader.exec_module(program)
    results = ROOT / "docs" / "results" / folder
    write(program.compose(results), tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".html"}
    assert "README.md" in made
    assert [name for name, content in made.items() if (results / name).read_bytes() != content] == []


@pytest.mark.parametrize("folder", ["alarms", "trust"])
def test_a_campaign_makes_the_page_of_its_own_folder(folder: str) -> None:
    place = ROOT / "benchmarks" / folder
    code = f"import sys; sys.path[0] = {str(place)!r}; import run; print(run.page.__file__)"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert Path(made.stdout.strip()) == place / "page.py"
