"""``sound-monitor model show`` for the packages that ship."""

from __future__ import annotations

from itertools import pairwise

import pytest
from calling import ROOT, Call


def figures(call: Call, name: str) -> list[str]:
    """What is shown from the first figure on."""
    shown = call("model", "show", ROOT / "models" / name)
    assert shown.code == 0, shown.err
    lines = shown.out.splitlines()
    return lines[next(i for i, line in enumerate(lines) if line.startswith("quality ")) :]


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "models").glob("*.tflite")))
def test_the_origin_of_figures_follows_them_once(call: Call, name: str) -> None:
    lines = figures(call, name)
    origins = [line for line in lines if line.startswith("          of ")]
    assert all(line in origins or line.startswith("quality ") for line in lines)
    assert lines[-1] in origins
    assert all(one != other for one, other in pairwise(origins))


def test_folds_are_named_and_figures_of_several_seeds_name_no_other(call: Call) -> None:
    lines = figures(call, "urban-sounds.tflite")
    assert lines[0] == "quality   clip accuracy = 0.7621"
    assert lines[-1].endswith("; seeds 0, 1, 2; folds 1, 2, 3; cross-validated, not of these weights")
