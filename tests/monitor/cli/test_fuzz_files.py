"""No file breaks the command line: one line, a documented exit code, bounded time and memory.

Seeded, so that a failure is found again; the files begin as valid ones and are broken a little.
"""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
import soundfile
from fuzzing import check, mutated, run_all
from tiny import LABELS, WEIGHTS, card, dense_model

from monitor.model.package import write_package

ROOT = Path(__file__).parents[3]
STREET = ROOT / "examples" / "street.wav"

FORMATS = {"wav": None, "flac": None, "ogg": "VORBIS", "aiff": None, "w64": None, "caf": None}


def test_audio(tmp_path: Path) -> None:
    chance = random.Random(4)
    samples, rate = soundfile.read(STREET, start=64000, frames=16000, dtype="int16")
    commands = []
    for suffix, subtype in FORMATS.items():
        whole = io.BytesIO()
        soundfile.write(whole, samples, rate, format=suffix, subtype=subtype)
        for number in range(10):
            file = tmp_path / f"{number}.{suffix}"
            data = whole.getvalue()
            head = mutated(data[:200], chance) if chance.random() < 0.7 else data[:200]
            file.write_bytes(head + (mutated(data[200:], chance) if chance.random() < 0.5 else data[200:]))
            commands.append(["replay", str(file), "--json"])
    outcomes = run_all(commands, tmp_path)
    assert check(outcomes) == {0, 3}


def _packages(folder: Path, chance: random.Random) -> Iterator[bytes]:
    path = folder / "whole.tflite"
    write_package(path, dense_model(WEIGHTS), LABELS, card())
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
        end = min(info.header_offset for info in archive.infolist())
    while True:
        if chance.random() < 0.4:
            yield mutated(whole, chance)
            continue
        parts = {
            name: mutated(data, chance) if chance.random() < 0.5 else data for name, data in files.items()
        }
        package = io.BytesIO(whole[:end])
        method = chance.choice(
            (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
        )
        with zipfile.ZipFile(package, "a", method) as archive:
            for name, data in parts.items():
                archive.writestr(name, data)
        archived = package.getvalue()
        yield whole[:end] + mutated(archived[end:], chance) if chance.random() < 0.5 else archived


def test_packages(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.tflite" for number in range(80)]
    for file, data in zip(files, _packages(tmp_path, random.Random(5)), strict=False):
        file.write_bytes(data)
    outcomes = run_all([["model", "show", str(file)] for file in files], tmp_path)
    assert check(outcomes) >= {0, 3}


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scores of the example street, as .csv; beside them the same as .npz."""
    folder = tmp_path_factory.mktemp("scores")
    files = [folder / "whole.npz", folder / "whole.csv"]
    outcomes = run_all([["replay", str(STREET), "--scores", str(file)] for file in files], folder)
    assert check(outcomes) == {0}
    return files[1]


def _score_files(whole: Path, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    rows = whole.read_bytes().splitlines(keepends=True)[:80]
    compressed = whole.with_suffix(".npz").read_bytes()
    numbers = [
        value.encode() for value in ("nan", "inf", "-1", "2", "1e999", "", "x", '"', "0x1", "1_0", "9" * 400)
    ]
    while True:
        if chance.random() < 0.4:
            yield ".npz", mutated(compressed, chance)
            continue
        some = list(rows)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(some))
            cells = some[at].split(b",")
            cells[chance.randrange(len(cells))] = chance.choice(numbers)
            some[at] = b",".join(cells)
        yield ".csv", mutated(b"".join(some), chance) if chance.random() < 0.3 else b"".join(some)


def test_score_files(tmp_path: Path, scores: Path) -> None:
    commands = []
    for number, (suffix, data) in enumerate(islice(_score_files(scores, random.Random(6)), 50)):
        file = tmp_path / f"{number}{suffix}"
        file.write_bytes(data)
        commands.append(["tune", str(file), "--label", "siren"])
    outcomes = run_all(commands, tmp_path)
    assert 2 in check(outcomes)


def _tracks(chance: random.Random) -> Iterator[bytes]:
    whole = b"2.0\t11.0\tsiren\n\\\t200.0\t900.0\n13.5\t15.5\tcar_horn\n"
    odd = (
        b"nan",
        b"inf",
        b"-1",
        b"1e999",
        b"",
        b"x" * 5000,
        b"\xff",
        b"\0",
        b"\xef\xbb\xbf",
        b"9" * 400,
        b"\t\t",
    )
    while True:
        cells = whole.replace(b"\n", b"\t\n").split(b"\t")
        cells[chance.randrange(len(cells))] = chance.choice(odd)
        yield mutated(whole, chance) if chance.random() < 0.5 else b"\t".join(cells)


def test_label_tracks(tmp_path: Path, scores: Path) -> None:
    commands = []
    for number, data in enumerate(islice(_tracks(random.Random(7)), 40)):
        file = tmp_path / f"{number}.tsv"
        file.write_bytes(data)
        commands.append(["tune", str(scores), "--label", "siren", "--events", str(file)])
    outcomes = run_all(commands, tmp_path)
    assert 2 in check(outcomes)


def _histories(whole: Path, chance: random.Random) -> Iterator[bytes]:
    data = whole.read_bytes()
    page = 4096
    while True:
        broken = bytearray(data)
        for _ in range(chance.choice((1, 1, 3, 20))):
            at = chance.randrange(len(data)) if chance.random() < 0.6 else chance.randrange(200)
            size = chance.choice((1, 1, 8, page))
            broken[at : at + size] = chance.randbytes(len(broken[at : at + size]))
        yield bytes(broken) if chance.random() < 0.8 else bytes(broken[: chance.randrange(len(broken))])


def test_histories(tmp_path: Path) -> None:
    whole = tmp_path / "whole.db"
    (made,) = run_all([["replay", str(STREET), "--history", str(whole)]], tmp_path)
    assert made.code == 0
    commands = []
    for number, data in enumerate(islice(_histories(whole, random.Random(8)), 60)):
        file = tmp_path / f"{number}.db"
        file.write_bytes(data)
        command = ["report"] if number % 3 == 0 else ["events", "--limit", "0"]
        commands.append([*command, "--set", f"history.path={file}"])
    assert check(run_all(commands, tmp_path)) == {0, 4}
