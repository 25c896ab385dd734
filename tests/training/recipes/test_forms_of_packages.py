"""The forms of the packages: what counts as a loss, and that each form is compared with what it came from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import soundfile
from click.testing import CliRunner

from training.cli.forms import forms as command
from training.export.forms import HERE, THERE
from training.features.front_end import audioset_front_end
from training.recipes.forms.figures import Figure, FormFigures, UnitCounts, by_unit, paired, shipped
from training.recipes.forms.make import RATE, convert_all, windows_of
from training.recipes.forms.page import FormsRecord, compose, read_record, write_record

# Keras saves weights by numpy's older protocol.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FIRST = FormFigures(
    "float32", 4_000_000, "", {HERE: {"classes": 1e-6, "sounds": 1e-6, "embedding": 1e-6}}, {HERE: 500.0},
    (0.0, 0.0), {"clip accuracy": Figure(0.8, 0.0, 0.0, 0.0)},
)  # fmt: skip
SMALL = replace(FIRST, form="int8", size=1_000_000)


def silent(text: str) -> None:
    pass


def test_the_smallest_form_ships_that_loses_nothing() -> None:
    half = replace(FIRST, form="float16", size=2_000_000)
    assert shipped([FIRST, half, SMALL]) == "int8"
    assert shipped([FIRST, half, replace(SMALL, refused="no operator")]) == "float16"
    assert shipped([FIRST]) == "float32"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"refused": "no operator"}, "no operator"),
        ({"parity": {HERE: {"classes": 0.2, "sounds": 0.0}}}, "a logit differs from Keras by 0.2"),
        ({"parity": {HERE: {"classes": 0.0}, THERE: {"classes": float("nan")}}}, f"{THERE}: a logit"),
        ({"parity": {HERE: {"classes": 0.0, "embedding": 0.5}}}, ""),
        ({"window_us": {HERE: 640.0}}, f"{HERE}: an inference takes 1.3 times"),
        ({"window_us": {HERE: 500.0, THERE: 9e9}}, ""),
        ({"figures": {"clip accuracy": Figure(0.7, -0.1, -0.15, -0.05)}}, "clip accuracy: worse by 0.100"),
        ({"figures": {"clip accuracy": Figure(0.79, -0.01, -0.03, 0.01)}}, ""),
        ({"figures": {"clip accuracy": Figure(0.9, 0.1, 0.05, 0.15)}}, ""),
        ({"figures": {"onset F1": Figure(0.5, -0.011)}}, "onset F1: worse by 0.011"),
        ({"figures": {"onset F1": Figure(0.5, -0.009)}}, ""),
        ({"figures": {"false alarms": Figure(3.0, 2.0, 1.0, 3.0, True)}}, "false alarms: worse by 2.000"),
        ({"figures": {"false alarms": Figure(1.0, -2.0, -3.0, -1.0, True)}}, ""),
    ],
)
def test_a_form_is_kept_back_by_what_it_loses(changes, said) -> None:
    faults = replace(SMALL, **changes).faults(FIRST)
    assert bool(faults) == bool(said)
    assert said in "; ".join(faults)


def test_a_difference_is_of_pairs_and_its_units_are_recordings() -> None:
    rng = np.random.default_rng(0)
    right, ones = (rng.random(400) < 0.7).astype(float), np.ones(400)
    first = by_unit(right, ones, [f"recording {n // 4}" for n in range(400)])
    assert len(first.counts) == 100
    assert first.value == pytest.approx(right.mean())
    same = paired(first, first)
    assert (same.difference, same.low, same.high) == (0.0, 0.0, 0.0)
    worse = UnitCounts(np.maximum(first.counts - (np.arange(100) % 3 == 0), 0), first.among)
    assert paired(worse, first).is_lost
    assert not paired(first, worse).is_lost
    assert paired(first, worse, fewer_is_better=True).is_lost
    one = UnitCounts(np.append(first.counts[:-1], first.counts[-1] - 1), first.among)
    assert not paired(one, first).is_lost


def test_every_form_is_compared_with_its_own_network_output_by_output() -> None:
    import keras

    keras.utils.set_random_seed(0)
    given = keras.Input((8, 4))
    flat = keras.layers.Flatten()(given)
    network = keras.Model(given, [keras.layers.Dense(5)(flat), keras.layers.Dense(3)(flat)])
    windows = np.random.default_rng(1).normal(size=(20, 8, 4)).astype(np.float32)
    made = convert_all(network, {3: "classes", 5: "sounds"}, windows, windows, None, silent)
    assert set(made.flatbuffers) == {"float32", "float16", "dynamic", "int8"}
    assert not made.refused
    for form, most in (("float32", 1e-5), ("float16", 1e-2), ("dynamic", 5e-2), ("int8", 1e-1)):
        assert set(made.parity[form]) == set(made.window_us[form]) == {HERE}
        assert set(made.parity[form][HERE]) == {"classes", "sounds"}
        assert max(made.parity[form][HERE].values()) < most
    assert made.parity["int8"][HERE]["classes"] > made.parity["float32"][HERE]["classes"]
    assert 0 < made.rounded_input < 0.05


def test_windows_are_whole_and_the_first_of_each_recording(tmp_path: Path) -> None:
    spec = audioset_front_end(tmp_path, 128).spec
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{name}.wav" for name in ("long", "short", "other")]
    for path, seconds in zip(paths, (9.0, 0.5, 1.5), strict=True):
        soundfile.write(path, 0.1 * rng.standard_normal(round(seconds * RATE)), RATE)
    windows = windows_of(paths, spec, 50)
    # Four of the long one; the short one has none, the other one (1.5 s, padded to whole hops) has one.
    assert windows.shape == (5, 128, 128)
    np.testing.assert_array_equal(windows, windows_of(paths[::-1], spec, 50))


def test_a_page_is_made_of_the_records(tmp_path: Path) -> None:
    record = FormsRecord("urban-sounds", "sound-training forms …", (1, 2), (FIRST, SMALL), 0.01)
    write_record(record, tmp_path)
    assert read_record(tmp_path / "urban-sounds.json") == record
    shown = compose(tmp_path).markdown
    assert "`urban-sounds` ships as **int8**" in shown
    assert "did not train on fold 1" in shown
    lost = replace(SMALL, figures={"clip accuracy": Figure(0.7, -0.1, -0.15, -0.05)})
    write_record(replace(record, forms=(FIRST, lost)), tmp_path)
    shown = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "`urban-sounds` ships as **float32**" in shown
    assert "0.700 (-0.150 to -0.050)" in shown


def test_a_package_that_does_not_exist_is_named() -> None:
    result = CliRunner().invoke(command, ["urban", "--other-python", "python"])
    assert result.exit_code == 2
    assert "'urban' is no package" in result.output
