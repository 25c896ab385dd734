"""A package is one file that ordinary zip tools open; whatever contradicts itself is refused in one line."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import LABELS, WEIGHTS, card, dense_model

from monitor.errors import PackageError
from monitor.features.logmel import matrix_sha256, mel_matrix
from monitor.features.spec import LogMelSpec
from monitor.model.package import CARD_FILE, LABELS_FILE, read_package, write_package
from monitor.stream.assembly import SHIPPED_MODEL

MODEL = dense_model(WEIGHTS)
FRONT_END = {
    "kind": "log-mel",
    "n_fft": 64,
    "win_length": 64,
    "hop": 16,
    "frames": 8,
    "n_mels": 6,
    "fmax": 500.0,
}
QUIET = {"shortest_s": 0.5, "profiles": {"quiet": {}}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tiny.tflite"


def append(model: bytes, files: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    """The model with any files behind it."""
    content = io.BytesIO(model)
    with zipfile.ZipFile(content, "a", method) as archive:
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return content.getvalue()


def card_values(**changes: Any) -> dict[str, Any]:
    return {**card().model_dump(mode="json", by_alias=True), **changes}


def packaged(values: object, labels: str = "bell\nhorn\nbackground\n") -> bytes:
    return append(MODEL, [(LABELS_FILE, labels.encode()), (CARD_FILE, json.dumps(values).encode())])


def refusal(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(PackageError) as caught:
        read_package(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    return text


def test_what_is_written_is_read_and_the_same_bytes_come_again(path: Path) -> None:
    write_package(path, MODEL, LABELS, card())
    package = read_package(path)
    stamped = card(model_sha256=hashlib.sha256(MODEL).hexdigest())
    assert (package.flatbuffer, package.labels, package.card) == (MODEL, LABELS, stamped)
    first = path.read_bytes()
    write_package(path, package.flatbuffer, package.labels, card())
    assert path.read_bytes() == first
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_shipped_package_is_read_and_written_to_the_same_bytes(path: Path) -> None:
    package = read_package(SHIPPED_MODEL)
    assert package.card is not None
    write_package(path, package.flatbuffer, package.labels, package.card, package.sounds)
    assert path.read_bytes() == SHIPPED_MODEL.read_bytes()


def test_any_flipped_bit_of_the_model_is_refused(path: Path) -> None:
    write_package(path, MODEL, LABELS, card())
    whole = path.read_bytes()
    for at in (8, *range(9, len(MODEL), 97), len(MODEL) - 1):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << at % 8
        assert "differs from the checksum in its card" in refusal(path, bytes(flipped))


def test_a_package_without_a_checksum_is_read(path: Path) -> None:
    path.write_bytes(packaged(card_values()))
    package = read_package(path)
    assert package.card is not None
    assert package.card.model_sha256 is None


def test_ordinary_zip_tools_open_it(path: Path) -> None:
    write_package(path, MODEL, LABELS, card())
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [LABELS_FILE, CARD_FILE]
        assert archive.read(LABELS_FILE) == b"bell\nhorn\nbackground\n"
        assert json.loads(archive.read(CARD_FILE))["name"] == "tiny"
    for tool in (["unzip", "-p"], ["bsdtar", "-xOf"]):
        try:
            shown = subprocess.run([*tool, path, LABELS_FILE], capture_output=True, check=False)
        except FileNotFoundError:
            continue
        # unzip warns (1) of the bytes before the archive: they are the model.
        assert shown.returncode in (0, 1)
        assert shown.stdout == b"bell\nhorn\nbackground\n"


def test_the_interpreter_sees_the_same_model_with_and_without_the_archive(path: Path) -> None:
    write_package(path, MODEL, LABELS, card())
    assert path.read_bytes().startswith(MODEL)


labels = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5)


@given(labels)
def test_labels_come_back_as_they_were_or_are_not_written(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "labels.tflite"
    path.unlink(missing_ok=True)
    classes = card(classes=dict.fromkeys(names, QUIET), negative_labels=[])
    try:
        write_package(path, MODEL, names, classes)
    except (PackageError, UnicodeEncodeError):
        assert not path.exists()
    else:
        assert read_package(path).labels == tuple(names)


@pytest.mark.parametrize("names", [("bell", "horn"), ("bell", "horn", "siren"), ("bell", "bell", "horn")])
def test_labels_that_are_not_the_cards_are_neither_written_nor_read(
    path: Path, names: tuple[str, ...]
) -> None:
    with pytest.raises(PackageError, match=r"disagree on|names a label twice"):
        write_package(path, MODEL, names, card())
    assert not path.exists()
    assert "disagree on" in refusal(path, packaged(card_values(), "\n".join(set(names))))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"schema": 2}, "outputs: Field required"),
        ({"schema": 3}, "card schema 3, this version reads 1 and 2"),
        ({"outputs": {"classes": 3}}, "outputs: Extra inputs"),
        ({"schema": None}, "card schema None"),
        ({"flavour": 1}, "flavour: Extra inputs"),
        ({"hop": 9}, "hop 9 is longer than window 8"),
        ({"hop": 0}, "hop: "),
        ({"temperature": 0}, "temperature: "),
        ({"output": "tanh"}, "output: "),
        ({"name": "a/b"}, "name: "),
        ({"window": None}, "window: "),
        ({"front_end": {"kind": "cqt"}}, "front_end: "),
        ({"front_end": {"kind": "waveform", "n_fft": 512}}, "front_end.waveform.n_fft: Extra inputs"),
        ({"front_end": {**FRONT_END, "hop": 5}}, "hop 4 is no multiple of the front end's hop 5"),
        ({"front_end": FRONT_END, "hop": 16, "window": 64}, r"window 64 is not frames × hop"),
        ({"front_end": {**FRONT_END, "fmax": 501.0}, "hop": 16, "window": 128}, "fmax 501 Hz is above half"),
        (
            {"front_end": {**FRONT_END, "matrix_sha256": "0" * 64}, "hop": 16, "window": 128},
            "another mel matrix",
        ),
        ({"negative_labels": ["background", "bell"]}, "stand both in classes and in negative_labels"),
        ({"negative_labels": [], "reject": {"negative_over": 0.5}}, "reject rule needs negative_labels"),
        ({"classes": {"bell": {"shortest_s": 1, "profiles": {"sensitive": {}}}}}, "profiles needs `quiet`"),
        ({"classes": {"bell": {**QUIET, "profiles": {"loud": {}}}}}, "profiles.loud"),
        (
            {"classes": {"bell": {**QUIET, "profiles": {"quiet": {"enter": 0.2, "exit": 0.3}}}}},
            r"exit 0\.3 is above enter 0\.2",
        ),
        ({"classes": {"bell": {**QUIET, "profiles": {"quiet": {"entre": 0.2}}}}}, "entre: Extra inputs"),
        (
            {"quality": [{"measure": "F1", "value": float("nan")}]},
            "quality.0.value: Input should be a finite",
        ),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(
    path: Path, changes: dict[str, object], expected: str
) -> None:
    with pytest.raises(PackageError, match=expected):
        raise PackageError(refusal(path, packaged(card_values(**changes))))


def test_the_right_mel_matrix_is_accepted(path: Path) -> None:
    right = matrix_sha256(mel_matrix(LogMelSpec.model_validate(FRONT_END), 1000))
    values = card_values(front_end={**FRONT_END, "matrix_sha256": right}, hop=16, window=128)
    path.write_bytes(packaged(values))
    assert read_package(path).card is not None


@pytest.mark.parametrize("text", [b"{", b"[]", b"3", b'"x"', b"null", b"[" * 100_000, b"1" * 10_000])
def test_a_card_that_is_no_json_object_is_refused(path: Path, text: bytes) -> None:
    assert "card" in refusal(path, append(MODEL, [(LABELS_FILE, b"bell\n"), (CARD_FILE, text)]))


def damaged(data: bytes) -> bytes:
    """One byte of the first file's content is another."""
    at = data.index(b"bell\nhorn")
    return data[:at] + b"B" + data[at + 1 :]


def garbled(data: bytes) -> bytes:
    """The compressed stream of the first file begins with a block type that does not exist."""
    at = len(MODEL) + 30 + len(LABELS_FILE)
    return data[:at] + b"\xff" * 4 + data[at + 4 :]


def encrypted(data: bytes) -> bytes:
    """The first file's entry says that it needs a password."""
    at = data.index(b"PK\x01\x02")
    return data[: at + 8] + b"\x01" + data[at + 9 :]


ARCHIVES: dict[str, tuple[bytes, str]] = {
    "bomb": (append(MODEL, [(LABELS_FILE, bytes(2 << 20))], zipfile.ZIP_DEFLATED), "one over 1 MiB"),
    "many": (append(MODEL, [(f"{i}.txt", b"") for i in range(17)]), "more than 16 files"),
    "binary labels": (append(MODEL, [(LABELS_FILE, b"\xff\xfe")]), "damaged"),
    "one byte": (damaged(packaged(card_values())), "damaged"),
    "stream": (
        garbled(append(MODEL, [(LABELS_FILE, b"bell\n" * 50)], zipfile.ZIP_DEFLATED)),
        "damaged",
    ),
    "bzip2": (append(MODEL, [(LABELS_FILE, b"bell\n")], zipfile.ZIP_BZIP2), "other means than deflate"),
    "lzma": (append(MODEL, [(LABELS_FILE, b"bell\n")], zipfile.ZIP_LZMA), "other means than deflate"),
    "directory": (append(MODEL, [(f"{i:>1000}.txt", b"") for i in range(200)]), "a directory over 64 KiB"),
    "password": (encrypted(packaged(card_values())), "damaged"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_unsafe_or_damaged_archive_is_refused(path: Path, name: str) -> None:
    data, expected = ARCHIVES[name]
    assert expected in refusal(path, data)


def test_a_file_that_lies_about_its_size_is_not_unpacked(path: Path) -> None:
    data = bytearray(append(MODEL, [(LABELS_FILE, bytes(64 << 20))], zipfile.ZIP_DEFLATED))
    entry = data.index(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (100).to_bytes(4, "little")
    tracemalloc.start()
    try:
        assert "damaged" in refusal(path, bytes(data))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_two_files_of_one_name_are_refused(path: Path) -> None:
    twice = append(MODEL, [(LABELS_FILE, b"bell\n"), (LABELS_FILE, b"horn\n")])
    assert "holds a file twice" in refusal(path, twice)


def test_names_that_lead_out_of_the_archive_are_read_as_names_and_nothing_is_unpacked(path: Path) -> None:
    outside = path.parent / "outside.txt"
    path.write_bytes(append(MODEL, [("../outside.txt", b"bell\n"), ("/etc/labels.bin", b"\xff")]))
    assert read_package(path).labels == ("bell",)
    assert not outside.exists()


def test_a_third_partys_one_text_file_holds_the_labels_whatever_its_name_and_line_ends(path: Path) -> None:
    path.write_bytes(
        append(MODEL, [("vocab.txt", b"\xef\xbb\xbfbell\r\nhorn \r\n\r\nbell\r\n"), ("x.bin", b"\xff")])
    )
    package = read_package(path)
    assert (package.labels, package.card) == (("bell", "horn", "bell"), None)
    path.write_bytes(append(MODEL, [("a.txt", b"bell\n"), ("b.txt", b"horn\n")]))
    assert read_package(path).labels == ()
    path.write_bytes(MODEL)
    assert read_package(path).labels == ()


NO_MODELS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, r"cannot read the model \(No such file or directory\); check model.path"),
    "empty": (lambda path: path.touch(), "not a TFLite model"),
    "text": (lambda path: path.write_text("a" * 100), "not a TFLite model"),
    "zip": (lambda path: path.write_bytes(append(b"", [("a", b"")])), "not a TFLite model"),
    "directory": (lambda path: path.mkdir(), "is no regular file"),
    "pipe": (lambda path: os.mkfifo(path), "is no regular file"),
}


@pytest.mark.parametrize("name", NO_MODELS)
def test_what_is_no_tflite_model_is_refused(path: Path, name: str) -> None:
    make, expected = NO_MODELS[name]
    make(path)
    with pytest.raises(PackageError, match=expected):
        read_package(path)


def test_a_file_too_large_for_a_model_is_not_read(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate((512 << 20) + 1)
    with pytest.raises(PackageError, match="larger than 512 MiB"):
        read_package(path)


def test_the_shipped_card_names_its_licences_and_every_figures_origin() -> None:
    shipped = read_package(SHIPPED_MODEL)
    assert shipped.card is not None
    assert "CC BY-NC" in shipped.card.licence
    assert shipped.card.data_licences
    assert shipped.card.quality
    assert all(figure.command and figure.data and figure.fold for figure in shipped.card.quality)
    assert shipped.card.front_end.kind == "kaldi-log-mel"
    assert shipped.card.front_end.matrix_sha256
    assert np.prod((shipped.card.front_end.frames, shipped.card.front_end.hop)) == shipped.card.window
