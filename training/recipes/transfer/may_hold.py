"""What is not counted as a false alarm on background: sounds of the class, and the start of a recording.

Nobody listened to the backgrounds. A stretch is not counted for a class that belongs where the recording
was made, such as music in a café or a siren in a street, on one of two grounds:

- The published network, which learned from none of our sounds, gives the class's AudioSet labels .5 or
  more in at least three windows.
- The spectrogram shows the sound beyond doubt. This is only said of car horns, which are stacks of steady
  harmonics with an abrupt start and end; the published network misses them in noise (:data:`PICTURE`).

A wolf that howls like a siren, or wind that does, stays: these are false alarms.

Before its first full window, a stream is scored on less audio, repeated. A monitor starts once, the
recordings start 162 times in less than three hours, so these rows are not counted either.

``pytest -m accuracy tests/training/recipes/test_may_hold.py`` measures the scores again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from training.data.corpora import CLASSES
from training.mixing.streams import Scored

LEAST_SCORE, LEAST_WINDOWS = 0.5, 3
PICTURE = "horns.png"
"""Spectrograms of the stretches with :attr:`Held.seen`, beside the report."""
_WINDOW_S = 1.28
_REACH_S = 2.0
"""A window reaches back, and smoothing further; rows so long after a stretch are left out too."""


@dataclass(frozen=True)
class Held:
    """A class in a background.

    Parameters
    ----------
    recording
        As in :attr:`training.data.corpora.Clip.recording`.
    from_s, to_s
        The stretch, in seconds.
    windows
        Windows of 1.28 s, every half second, with a score of :data:`LEAST_SCORE` or more.
    highest
        Highest score.
    seen
        The spectrogram shows it, whatever the scores.
    """

    recording: str
    label: str
    from_s: float
    to_s: float
    windows: int
    highest: float
    what: str
    seen: bool = False


MAY_HOLD = (
    Held("street/moodist_road", "siren", 74.0, 100.0, 20, 0.87, "an ambulance passes"),
    Held("speech/hedgewars_2", "dog_bark", 33.0, 70.0, 3, 0.68, "barks among the voices of a game"),
    Held("outdoor/moodist_night-village", "dog_bark", 0.0, 107.0, 3, 0.62, "dogs far away"),
    Held("mertnesvat/mertnesvat_forest-sanctuary", "street_music", 0.0, 150.0, 272, 0.90, "a guitar"),
    Held(
        "mertnesvat/mertnesvat_639585-xkeril-the-story-youre-about-to-hear", "street_music", 0.0, 114.0,
        201, 0.88, "a piece of music",
    ),
    Held("transport/moodist_submarine", "street_music", 0.0, 47.0, 61, 0.88, "composed ambience"),
    Held(
        "faisal/faisal_freesound-community-ambience-coffee-shop-5-17059", "street_music", 0.0, 150.0,
        94, 0.86, "music in a café",
    ),
    Held("indoor/blanket_coffee-shop", "street_music", 0.0, 18.0, 11, 0.83, "music in a café"),
    Held("noice/noice_coffee-shop-1", "street_music", 0.0, 24.0, 5, 0.80, "music in a café"),
    Held("things/moodist_singing-bowl", "street_music", 0.0, 50.0, 3, 0.96, "an instrument"),
    Held("street/moodist_traffic", "car_horn", 0.0, 40.0, 0, 0.09, "horns in traffic", seen=True),
    Held(
        "faisal/faisal_imgmidi-city-sounds-traffic-345540", "car_horn", 0.0, 52.0, 0, 0.05,
        "horns in traffic", seen=True,
    ),
)  # fmt: skip


def screened(bed: Scored) -> Scored:
    """Return a background with the scores of a class set to 0 where it may truly be."""
    scores = bed.scores.copy()
    for one in MAY_HOLD:
        if one.recording == bed.name:
            inside = (bed.times_s >= one.from_s) & (bed.times_s <= one.to_s + _REACH_S)
            scores[inside, CLASSES.index(one.label)] = 0.0
    return replace(bed, scores=scores)


def counted(bed: Scored) -> Scored:
    """Return a background with scores of 0 in all rows that count for no false alarm."""
    one = screened(bed)
    return replace(one, scores=np.where((one.times_s < _WINDOW_S)[:, None], np.float32(0.0), one.scores))
