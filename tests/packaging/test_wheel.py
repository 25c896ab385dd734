"""The wheel is complete: installed into an empty environment it replays from an empty directory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = (
    "monitor",
    "training",
    "models",
    "config.yaml",
    "setup.cfg",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "LICENSES",
    "notices",
)
SHIPPED = {
    "monitor/shipped/config.yaml": ROOT / "config.yaml",
    "monitor/shipped/urban-sounds.tflite": ROOT / "models" / "urban-sounds.tflite",
}
CODE = {".py", ".typed"}

pytestmark = pytest.mark.environment


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel that was built from it, made from a copy of the tree."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("dist")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, symlinks=True, ignore=ignored)
        elif source.exists():
            shutil.copy(source, tree / name)
    run(sys.executable, "-m", "build", "--outdir", out, tree)
    return next(out.glob("*.tar.gz")), next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The programs of an environment that holds the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin" / "pip", "install", "--quiet", built[1])
    yield folder / "bin"
    shutil.rmtree(folder)


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command without this tree on its path; show what it said if it fails."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=environment, **options
    )  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_wheel_carries_the_default_package_and_the_default_config_themselves(
    built: tuple[Path, Path],
) -> None:
    with zipfile.ZipFile(built[1]) as wheel:
        for name, source in SHIPPED.items():
            assert wheel.read(name) == source.read_bytes()
            assert wheel.getinfo(name).external_attr >> 28 != 0o12, "a symbolic link"


def test_the_sdist_carries_them_too(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as sdist:
        for name, source in SHIPPED.items():
            member = next(m for m in sdist.getmembers() if m.name.endswith(name))
            content = sdist.extractfile(member)
            assert member.isreg()
            assert content is not None
            assert content.read() == source.read_bytes()


def test_beside_them_the_wheel_carries_code_and_the_page(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]
    page = {str(path.relative_to(ROOT)) for path in (ROOT / "monitor" / "web" / "static").iterdir()}
    assert {name for name in names if Path(name).suffix not in CODE} == set(SHIPPED) | page
    assert {name.split("/")[0] for name in names} == {"monitor", "training"}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "monitor").rglob("*.py")}
    assert modules <= set(names)


def test_installed_it_replays_a_file_from_an_empty_directory(installed: Path, tmp_path: Path) -> None:
    street, empty = tmp_path / "street.wav", tmp_path / "empty"
    shutil.copy(ROOT / "examples" / "street.wav", street)
    empty.mkdir()
    nobody = f"XDG_CONFIG_HOME={empty}"
    shown = run("env", nobody, installed / "sound-monitor", "replay", street, "--json", cwd=empty)
    records = [json.loads(line) for line in shown.stdout.splitlines()]
    assert {record["type"] for record in records} == {"start", "end"}
    assert list(empty.iterdir()) == []
    where = run(installed / "python", "-c", "import monitor; print(monitor.__file__)", cwd=empty).stdout
    assert Path(where.strip()).is_relative_to(installed.parent)
