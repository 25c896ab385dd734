"""What is not YAMNet with its embedding is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.errors import DataError
from training.networks.yamnet import Yamnet


def test_a_network_that_is_absent_or_has_no_embedding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="it must be YAMNet with its embedding"):
        Yamnet(tmp_path / "absent.tflite")
    odd = tmp_path / "odd.tflite"
    odd.write_bytes(b"\x1c\x00\x00\x00TFL3")
    with pytest.raises(DataError, match=r"odd\.tflite: is no TFLite model"):
        Yamnet(odd)
