"""Laws of the digest of the code: rewording keeps it, another statement changes it, imported ones too."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.base import code
from training.base.code import code_digest, commit

MODULES = {
    "training/a.py": '"""About."""\nfrom training import b\n\n\ndef f():\n'
    '    """Text."""\n    return b.g() + 1\n',
    "training/b.py": "import monitor.c\n\n\ndef g():\n    return monitor.c.H\n",
    "monitor/c.py": 'H = 1\n"""About it."""\n',
    "training/d.py": "UNUSED = 1\n",
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in MODULES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(code, "_ROOT", tmp_path)
    return tmp_path


def digest() -> str:
    code_digest.cache_clear()
    found = code_digest("training.a")
    code_digest.cache_clear()
    return found


@pytest.mark.parametrize(
    ("name", "old", "new", "same"),
    [
        ("training/a.py", "Text.", "Other text.", True),
        ("training/a.py", "    return", "    # A reason.\n    return", True),
        ("monitor/c.py", "About it.", "About H.", True),
        ("training/d.py", "1", "2", True),
        ("training/a.py", "+ 1", "+ 2", False),
        ("monitor/c.py", "H = 1", "H = 2", False),
    ],
)
def test_the_digest_changes_with_what_can_affect_a_result(
    tree: Path, name: str, old: str, new: str, same: bool
) -> None:
    before, path = digest(), tree / name
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    assert (digest() == before) is same


def test_outside_a_repository_there_is_no_commit(tree: Path) -> None:
    commit.cache_clear()
    assert commit() == ""
    commit.cache_clear()
