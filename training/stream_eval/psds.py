"""PSDS: detection performance over all thresholds instead of at one (Bilen et al., 2020)."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.settings import ClassSettings
from training.mixing.soundscapes import Soundscape
from training.scoring.event_logic import smoothed
from training.stream_eval.replayed import Hops, Profile

MOST_PER_HOUR = 100.0
SCENARIOS: Mapping[str, Mapping[str, float | None]] = {
    "psds1": {
        "dtc_threshold": 0.7, "gtc_threshold": 0.7, "cttc_threshold": None, "alpha_ct": 0.0, "alpha_st": 1.0,
    },
    "psds2": {
        "dtc_threshold": 0.1, "gtc_threshold": 0.1, "cttc_threshold": 0.3, "alpha_ct": 0.5, "alpha_st": 1.0,
    },
}  # fmt: skip
"""DCASE 2021-2024, task 4: the first asks for times, the second for classes."""


@dataclass(frozen=True)
class ScoreTable:
    """Scores of one soundscape: row *i* holds from ``edges_s[i]`` to ``edges_s[i + 1]``."""

    edges_s: NDArray[np.float64]
    scores: NDArray[np.float64]


def available() -> bool:
    """Return whether the library is installed; it is an extra because it compiles at installation."""
    return importlib.util.find_spec("sed_scores_eval") is not None


def table(hops: Hops, profile: Profile, labels: Sequence[str]) -> ScoreTable:
    """Return the labels' scores, smoothed and shifted back in time according to the profile's settings."""
    edges = np.array([0.0, *(hop.time_s for hop in hops)])
    scores = np.stack([hop.scores for hop in hops])
    hop_s = profile.hop / profile.rate
    columns = [
        _set_back(scores[:, profile.labels.index(label)], profile.classes[label], hop_s) for label in labels
    ]
    return ScoreTable(edges, np.stack(columns, axis=1))


def _set_back(scores: NDArray[np.float32], settings: ClassSettings, hop_s: float) -> NDArray[np.float64]:
    """Shift the scores back by the mean of the delays of onset and offset."""
    smooth = smoothed(scores, settings.smoothing_s, hop_s)
    # The row that ends at t covers the hop before t, and the shifts count from its end. A rise is found
    # in unsmoothed scores.
    onset_s = settings.onset_shift_s + (settings.smoothing_s / 2 if settings.rise_s else 0.0)
    late_s = (onset_s + settings.offset_shift_s) / 2 - hop_s
    at = np.arange(len(smooth)) + round(max(0.0, late_s) / hop_s)
    shifted: NDArray[np.float64] = smooth[np.minimum(at, len(smooth) - 1)]
    return shifted


def psds(
    scapes: Sequence[Soundscape], tables: Sequence[ScoreTable], labels: Sequence[str]
) -> dict[str, float]:
    """Return both scenarios over the labels, each of which must occur; computed by sed_scores_eval.

    The columns of the tables are the labels. Returns nothing for fewer than two labels, which have neither
    spread nor cross-triggers, or without the library.
    """
    if len(labels) < 2 or not available():
        return {}
    from sed_scores_eval import intersection_based
    from sed_scores_eval.base_modules.scores import create_score_dataframe

    scores = {
        scape.name: create_score_dataframe(t.scores, t.edges_s, list(labels))
        for scape, t in zip(scapes, tables, strict=True)
    }
    truth = {s.name: [(t.onset_s, t.offset_s, t.label) for t in s.truths] for s in scapes}
    given: Any = {
        "scores": scores,
        "ground_truth": truth,
        "audio_durations": {s.name: s.seconds for s in scapes},
    }
    return {
        name: float(
            intersection_based.psds(**given, **settings, unit_of_time="hour", max_efpr=MOST_PER_HOUR)[0]
        )
        for name, settings in SCENARIOS.items()
    }
