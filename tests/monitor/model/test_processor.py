"""An old processor is refused in one line, before numpy is imported, which would crash on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from monitor.errors import PackageError
from monitor.model.processor import check_processor

SSE3, SSE41, V2 = "fpu sse2 ssse3", "fpu sse2 ssse3 sse4_1", "fpu sse2 ssse3 sse4_1 sse4_2 popcnt"


@pytest.mark.parametrize(
    ("flags", "numpy", "lacks"),
    [
        (SSE3, "2.3.5", r"SSE4\.1"),
        (SSE3, "2.4.6", "x86-64-v2"),
        (SSE41, "2.4.6", "x86-64-v2"),
        (SSE41, "2.3.5", None),
        (V2, "2.4.6", None),
        (None, "2.4.6", None),
    ],
)
def test_what_the_installed_packages_need_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str | None, numpy: str, lacks: str | None
) -> None:
    file = tmp_path / "cpuinfo"
    if flags is not None:
        file.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr("monitor.model.processor._CPUINFO", file)
    monkeypatch.setattr("monitor.model.processor.version", lambda _: numpy)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    if lacks is None:
        check_processor()
    else:
        with pytest.raises(PackageError, match=rf"lacks {lacks}.*'host'"):
            check_processor()


def test_it_is_asked_before_numpy_is_imported(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(f"flags : {SSE3}\n")
    program = (
        "import pathlib, platform, sys\n"
        "import monitor.cli, monitor.model.processor as processor\n"
        f"processor._CPUINFO = pathlib.Path({str(tmp_path / 'cpuinfo')!r})\n"
        "platform.machine = lambda: 'x86_64'\n"
        "sys.argv = ['sound-monitor', 'model', 'show']\n"
        "try:\n    monitor.cli.main()\nfinally:\n    print('numpy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 3
    assert "this processor lacks" in done.stderr
    assert done.stdout == "False\n"
