"""Street and speech recordings that are held out from a model.

The study's networks hold out one share of the backgrounds for any test fold; a package holds out the
share of its fold (:mod:`training.data.splits`). Neither share need be held out from the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from monitor.model.load import ThirdParty, load_model
from training.data.audio import RATE, Waveform, read
from training.data.corpora import Clip, Corpora
from training.data.splits import deal_backgrounds, split
from training.errors import DataError
from training.stream_eval.systems import unheard_folds


def unlearnt_by_study(corpora: Corpora, kind: str) -> tuple[Clip, ...]:
    """Return the recordings of a kind held out from every network of the study."""
    return _of_kind(deal_backgrounds(corpora.backgrounds)[1], kind)


def unlearnt_by_package(corpora: Corpora, package: Path, kind: str) -> tuple[Clip, ...]:
    """Return those held out from the package; the study's if the package was trained on every fold.

    Raises
    ------
    DataError
        If the data lack the package's folds.
    """
    card = load_model(package, ThirdParty()).card
    unheard = unheard_folds(card)
    if not unheard:
        return unlearnt_by_study(corpora, kind)
    # Other folds would change the assignment of backgrounds; a card without folds was trained on all.
    told = " ".join(one.data for one in card.quality if not one.recipe_cv)
    trained_on = " ".join(re.findall(r"trained on folds ([\d, ]+)", told))
    named = {int(number) for number in re.findall(r"\d+", trained_on)}
    trained = (named or {clip.fold for clip in corpora.urban}) - unheard
    return _of_kind(split(corpora, sorted(trained), sorted(unheard)).test.backgrounds, kind)


def to_learn_on(corpora: Corpora, packages: Iterable[Path], kind: str) -> tuple[Clip, ...]:
    """Return recordings used in no evaluation of the study's networks or the packages."""
    judged = {clip for package in packages for clip in unlearnt_by_package(corpora, package, kind)}
    learnt = deal_backgrounds(corpora.backgrounds)[0]
    return _of_kind([clip for clip in learnt if clip not in judged], kind)


def waveforms(clips: Sequence[Clip]) -> list[Waveform]:
    """Return the samples of the recordings.

    Raises
    ------
    DataError
        If there are none.
    """
    if not clips:
        raise DataError("no recording is left: background/street and background/speech need more files")
    return [read(clip.path, RATE) for clip in clips]


def recordings(clips: Iterable[Clip]) -> tuple[str, ...]:
    """Return their names as stored in records."""
    return tuple(clip.recording for clip in clips)


def _of_kind(clips: Iterable[Clip], kind: str) -> tuple[Clip, ...]:
    return tuple(clip for clip in clips if clip.label == kind)
