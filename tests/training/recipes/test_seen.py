"""The picture of horns that are not counted as false alarms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from training.data.corpora import Clip
from training.recipes.transfer.may_hold import MAY_HOLD, PICTURE
from training.recipes.transfer.seen import write_seen


def test_every_stretch_that_a_spectrogram_shows_is_drawn(tmp_path: Path) -> None:
    clips = []
    for number, one in enumerate(one for one in MAY_HOLD if one.seen):
        # Shorter than the stretch, as a recording may be by a part of a second.
        noise = np.random.default_rng(number).normal(0.0, 0.1, round(16_000 * (one.to_s - 0.4)))
        soundfile.write(tmp_path / f"{number}.wav", noise, 16_000)
        clips.append(Clip(tmp_path / f"{number}.wav", "background", one.recording, "street", 0))
    path = write_seen(clips, tmp_path)
    assert path == tmp_path / PICTURE
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.read_bytes() == write_seen(clips, tmp_path).read_bytes()
