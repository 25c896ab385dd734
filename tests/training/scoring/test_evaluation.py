"""Figures count what they say."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.corpora import CLASSES, LABELS
from training.scoring.evaluation import clip_figures


def test_background_does_not_compete_for_a_clip() -> None:
    logits = np.zeros((1, len(LABELS)), np.float32)
    logits[0, LABELS.index("siren")], logits[0, -1] = 1.0, 9.0
    figures = clip_figures(logits, np.array([CLASSES.index("siren")]))
    assert figures.accuracy == 1.0


def test_confusion_counts_truth_by_row_and_guess_by_column() -> None:
    logits = np.eye(len(LABELS), dtype=np.float32)[[0, 1, 1]]
    figures = clip_figures(logits, np.array([0, 0, 1]))
    assert figures.confusion[0, :2].tolist() == [1, 1]
    assert figures.confusion[1, 1] == 1
    assert figures.recall[:2].tolist() == [0.5, 1.0]
    assert figures.precision[:2].tolist() == [1.0, 0.5]
    assert figures.macro_f1 == pytest.approx((2 / 3 + 2 / 3) / 2)
