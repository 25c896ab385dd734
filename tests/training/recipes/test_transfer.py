"""The recipe of the shipped model: what its parts promise, without recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mn04_tensors import write_tensors

from training.data.corpora import CLASSES
from training.mixing.streams import Scored
from training.networks import mn04
from training.recipes.transfer.mixtures import MixturePlan, _low_pass
from training.recipes.transfer.scores import AUDIOSET_LABELS, AUDIOSET_WEIGHT, Raw, fit_supports, supported
from training.recipes.transfer.trunk import (
    MAP,
    Outputs,
    Pretrained,
    frozen_blocks,
    maps_of,
    upper_blocks,
    whole,
)

# Keras saves weights by numpy's older protocol.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Pretrained:
    folder = tmp_path_factory.mktemp("mn04")
    write_tensors(mn04.build(64), folder / "mn04_as.npz")
    (folder / "labels.csv").write_text("index,mid,display_name\n")
    return Pretrained(folder / "mn04_as.npz", folder / "labels.csv")


def test_frozen_and_upper_blocks_together_are_the_whole_network(pretrained: Pretrained) -> None:
    upper = upper_blocks(pretrained)
    window = np.random.default_rng(1).normal(size=(128, 128)).astype(np.float32)
    frozen = frozen_blocks(pretrained)
    assert set(Outputs(frozen)(window)) == {np.prod(MAP)}
    maps = maps_of(window[None], frozen).astype(np.float32)
    for ours, expected in zip(upper(maps), whole(pretrained, upper)(window[None]), strict=True):
        # Maps are kept in 16 bits.
        np.testing.assert_allclose(np.asarray(ours), np.asarray(expected), atol=2e-2, rtol=2e-2)


def test_a_low_pass_leaves_lower_bands_as_they_are() -> None:
    power = np.ones((200, 4, 128), np.float32)
    plan = replace(MixturePlan(), low_pass=0.5)
    _low_pass(power, plan, np.random.default_rng(0))
    assert (power[:, :, : plan.low_pass_band] == 1).all()
    cut = (power[:, :, -1] < 1).any(axis=1).mean()
    assert 0.3 < cut < 0.7


def test_support_sums_head_and_audioset_to_a_calibrated_logit() -> None:
    rng = np.random.default_rng(0)
    times = np.arange(1, 401) * 0.5
    present = (times > 100).astype(float)
    head = rng.normal(0, 1, (400, len(CLASSES) + 1)).astype(np.float32)
    audioset = rng.normal(-5, 1, (400, len(CLASSES))).astype(np.float32)
    for column in (CLASSES.index("siren"), CLASSES.index("gun_shot")):
        audioset[:, column] += 4 * present
        head[:, column] += 2 * present
    spans = (("siren", 100.0, 200.0), ("gun_shot", 100.0, 200.0))
    bare = Scored("", "", 0, 0, times, np.zeros((400, 0), np.float32), (), spans)
    raw = Raw(bare, head, audioset)
    supports = fit_supports([{"scapes": (raw,), "beds": (), "others": ()}])
    for label in ("siren", "gun_shot"):
        wanted = AUDIOSET_WEIGHT[label] * supports[label].head
        assert supports[label].weight == pytest.approx(wanted, abs=1e-3)
    scores = supported(raw, supports).scores[:, CLASSES.index("siren")]
    assert scores[times > 101].mean() > 0.9 > 0.1 > scores[times < 100].mean()


def test_every_class_has_labels_of_audioset_and_their_weight() -> None:
    assert set(AUDIOSET_LABELS) == set(AUDIOSET_WEIGHT) == set(CLASSES)


def test_labels_are_read_by_their_display_names(tmp_path: Path) -> None:
    rows = "".join(f'{i},/m/{i},"Sound {i}"\n' for i in range(527))
    (tmp_path / "labels.csv").write_text(f"index,mid,display_name\n{rows}")
    assert mn04.audioset_labels(tmp_path / "labels.csv")[3] == "Sound 3"
