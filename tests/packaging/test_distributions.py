"""Equal contents make equal archives, whoever packed them and whenever."""

from __future__ import annotations

import importlib.util
import io
import tarfile
from pathlib import Path
from types import ModuleType

from hypothesis import given
from hypothesis import strategies as st

FILE = Path(__file__).resolve().parents[2] / "packaging" / "normalise_sdist.py"
EPOCH = 1_700_000_000


def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("normalise_sdist", FILE)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def packed(files: dict[str, bytes], time: int, owner: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.uname, member.uid = len(data), time, owner, len(owner)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@given(
    files=st.dictionaries(st.text("abc/.", min_size=1).map(lambda name: f"x{name}"), st.binary(), min_size=1),
    times=st.tuples(st.integers(0, 2**31), st.integers(0, 2**31)),
)
def test_times_owners_and_order_do_not_matter(files: dict[str, bytes], times: tuple[int, int]) -> None:
    normalised = module().normalised
    backwards = dict(reversed(files.items()))
    one = normalised(packed(files, times[0], "anna"), EPOCH)
    other = normalised(packed(backwards, times[1], "b"), EPOCH)
    assert one == other
    with tarfile.open(fileobj=io.BytesIO(one)) as archive:
        members = [(member.name, archive.extractfile(member)) for member in archive.getmembers()]
        assert {name: file.read() for name, file in members if file} == files


def test_other_contents_are_other_bytes() -> None:
    normalised = module().normalised
    assert normalised(packed({"a": b"1"}, 0, ""), EPOCH) != normalised(packed({"a": b"2"}, 0, ""), EPOCH)
