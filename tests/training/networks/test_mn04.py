"""mn04: layers and sizes as published, and with the published tensors the published outputs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from mn04_tensors import write_tensors

from training.errors import DataError
from training.networks import mn04

PUBLISHED_PARAMETERS = 983_599


def test_it_has_the_published_number_of_parameters() -> None:
    model = mn04.build()
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == PUBLISHED_PARAMETERS


def test_tensors_under_their_published_names_fill_every_layer(tmp_path: Path) -> None:
    model = mn04.build(64)
    write_tensors(model, tmp_path / "tensors.npz")
    before = [np.asarray(weight).copy() for weight in model.weights]
    mn04.load_weights(model, tmp_path / "tensors.npz")
    changed = [not np.array_equal(a, np.asarray(b)) for a, b in zip(before, model.weights, strict=True)]
    named = [weight for weight in model.weights if "seed_generator" not in weight.path]
    assert sum(changed) >= len(named)


def test_a_file_that_lacks_a_tensor_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "tensors.npz", other=np.zeros(3))
    with pytest.raises(DataError, match="not mn04's tensors"):
        mn04.load_weights(mn04.build(64), tmp_path / "tensors.npz")


@pytest.mark.accuracy
@pytest.mark.parametrize("number", [1, 2, 3])
def test_published_tensors_give_the_reference_outputs(number: int) -> None:
    root = os.environ.get("SOUND_DATA")
    if root is None or not Path(root, "mn04").is_dir():
        pytest.skip("SOUND_DATA/mn04 is not here")
    folder = Path(root, "mn04")
    model = mn04.build()
    mn04.load_weights(model, folder / "mn04_as.npz")
    with np.load(folder / "reference.npz") as reference:
        embedding, logits = model(reference[f"logmel{number}"].T[None], training=False)
        np.testing.assert_allclose(np.asarray(embedding)[0], reference[f"embedding{number}"], atol=1e-3)
        np.testing.assert_allclose(np.asarray(logits)[0], reference[f"logits{number}"], atol=1e-3)
