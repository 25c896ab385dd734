"""What messages advise to install is what the extras bring: the project's own name may not be on an index."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

from monitor.service.page import WEB_PACKAGES

ROOT = Path(__file__).resolve().parents[2]


def test_the_packages_named_for_the_page_are_those_of_its_extra() -> None:
    setup = configparser.ConfigParser(inline_comment_prefixes="#")
    setup.read(ROOT / "setup.cfg")
    extra = re.findall(r"^([\w-]+)", setup["options.extras_require"]["web"].strip(), re.MULTILINE)
    assert WEB_PACKAGES.split() == extra


def test_nothing_advises_to_install_the_project_by_name() -> None:
    texts = [
        *(ROOT / "monitor").rglob("*.py"),
        *(ROOT / "docs").glob("*.md"),
        ROOT / "config.yaml",
        ROOT / "README.md",
    ]
    found = [
        path.name
        for path in texts
        if re.search(r"pip install '?sound-monitor\b(?!_)", path.read_text("utf-8"))
    ]
    assert found == []
