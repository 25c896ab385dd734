"""Which recordings of streets and of speech a model has not learnt from.

The networks of the study leave one share of the backgrounds out, whatever fold tests them; a package
leaves out what goes with its fold (:mod:`training.data.splits`). What one has not learnt from the
other may have.
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
from training.stream_eval.peers import unheard_folds


def unlearnt_by_study(corpora: Corpora, kind: str) -> tuple[Clip, ...]:
    """Return the recordings of a kind that no network of the study has learnt from."""
    return _of_kind(deal_backgrounds(corpora.backgrounds)[1], kind)


def unlearnt_by_package(corpora: Corpora, package: Path, kind: str) -> tuple[Clip, ...]:
    """Return those that the package has not learnt from; of one that has heard every fold, the study's.

    Raises
    ------
    DataError : the data lack the package's folds
    """
    card = load_model(package, ThirdParty()).card
    unheard = unheard_folds(card)
    if not unheard:
        return unlearnt_by_study(corpora, kind)
    # With other folds the backgrounds would be dealt otherwise; a card that does not name them had all.
    told = " ".join(one.data for one in card.quality if not one.recipe_cv)
    trained_on = " ".join(re.findall(r"trained on folds ([\d, ]+)", told))
    named = {int(number) for number in re.findall(r"\d+", trained_on)}
    trained = (named or {clip.fold for clip in corpora.urban}) - unheard
    return _of_kind(split(corpora, sorted(trained), sorted(unheard)).test.backgrounds, kind)


def to_learn_on(corpora: Corpora, packages: Iterable[Path], kind: str) -> tuple[Clip, ...]:
    """Return those on which nobody is judged, neither the study's networks nor one of the packages."""
    judged = {clip for package in packages for clip in unlearnt_by_package(corpora, package, kind)}
    learnt = deal_backgrounds(corpora.backgrounds)[0]
    return _of_kind([clip for clip in learnt if clip not in judged], kind)


def waveforms(clips: Sequence[Clip]) -> list[Waveform]:
    """Return what is in the recordings.

    Raises
    ------
    DataError : there are none
    """
    if not clips:
        raise DataError("no recording is left: background/street and background/speech need more files")
    return [read(clip.path, RATE) for clip in clips]


def recordings(clips: Iterable[Clip]) -> tuple[str, ...]:
    """Their names, as records keep them."""
    return tuple(clip.recording for clip in clips)


def _of_kind(clips: Iterable[Clip], kind: str) -> tuple[Clip, ...]:
    return tuple(clip for clip in clips if clip.label == kind)
