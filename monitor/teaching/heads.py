"""Taught heads as they are stored, and what to expect of them in words."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from monitor.clock import iso_utc
from monitor.model.card import ClassCard
from monitor.model.linear import Expected, HeadCard, LinearHead
from monitor.model.load import LoadedModel
from monitor.model.taught import LABEL, REJECTS, rejecting_name
from monitor.settings import ClassSettings
from monitor.teaching.fit import MERGE_S, SHORTEST_S, Taught
from monitor.teaching.reject import Rejecting

_WORDS = {"list", "remove", "sound", "pattern"}
"""Commands of ``sound-monitor teach``."""

_EXIT_SCORE = 0.3
_NEW = Path("new.npz")
"""Stands for the path until the head is stored; see :func:`monitor.model.taught.keep`."""


def why_no_label(label: str, taken: Collection[str]) -> str | None:
    """Return why a sound cannot have this label; None if it can.

    Parameters
    ----------
    taken
        Labels of other origin that make events here.
    """
    if not LABEL.fullmatch(label) or label.startswith(REJECTS) or label in _WORDS:
        words = ", ".join(sorted(_WORDS))
        return f"a label is up to 60 letters, digits, _ and -; not {words}, and nothing that begins {REJECTS}"
    if any(_topic(label) == _topic(other) for other in taken):
        return "the model has this label; choose another name"
    return None


def sound_head(label: str, taught: Taught, model: LoadedModel) -> LinearHead:
    """Return the head of a sound of one's own; score 0.5 is its threshold."""
    settings = ClassSettings(enter=0.5, exit=_EXIT_SCORE, release_s=MERGE_S, smoothing_s=taught.smoothing_s)
    expected = Expected(
        examples=taught.examples,
        found=round(taught.recall * taught.examples),
        background_hours=round(taught.background_hours, 3),
        alarms_a_day=round(taught.alarms_a_day, 2),
        low=round(taught.low, 2),
        high=round(taught.high, 2),
    )
    weights, bias = taught.weights[None], np.array([taught.bias], np.float32)
    classes = {label: ClassCard(shortest_s=SHORTEST_S, profiles={"quiet": settings})}
    card = _card(label, weights, bias, model, expected).model_copy(update={"classes": classes})
    return LinearHead(_NEW, card, (label,), weights, bias)


def rejecting_head(label: str, found: Rejecting, model: LoadedModel) -> LinearHead:
    """Return the head that keeps a label from making events at the sounds it was shown."""
    expected = Expected(
        examples=found.examples,
        found=found.found,
        background_hours=round(found.background_hours, 3),
        lost=round(found.lost, 4),
    )
    card = _card(rejecting_name(label), found.weights, found.bias, model, expected)
    labels = tuple(str(number + 1) for number in range(len(found.weights)))
    card = card.model_copy(update={"rejects": (label,), "centred": True})
    return LinearHead(_NEW, card, labels, found.weights, found.bias, found.centre)


def expectation(card: HeadCard) -> Sequence[str]:
    """Return what to expect of a head, in lines for people."""
    one = card.expected
    if one is None:
        return ()
    if card.rejects:
        label = card.rejects[0]
        return (
            f"taught    from {_count(one.examples, 'false alarm')} of {label}, "
            f"{one.background_hours:.1f} h of background",
            f"rejects   {one.found} of {one.examples}, each by a head that was fitted without it",
            f"loses     {100 * one.lost:.1f} % of the moments that are to stay, fitted without them",
        )
    return (
        f"taught    from {_count(one.examples, 'example')}, {one.background_hours:.1f} h of background",
        f"recall    {one.found} of {one.examples}, each by a head that was fitted without it",
        f"alarms    {one.alarms_a_day:.1f} a day on that background "
        f"(95 % interval {one.low:.1f} to {one.high:.1f})",
    )


def _card(
    name: str, weights: np.ndarray, bias: np.ndarray, model: LoadedModel, expected: Expected
) -> HeadCard:
    assert model.probe is not None  # there were embeddings to fit on
    return HeadCard(
        schema=1,
        name=name,
        version="0",
        created=iso_utc(time.time()),
        model=model.card.title,
        size=weights.shape[1],
        probe=tuple((weights @ model.probe + bias).tolist()),
        classes={},
        expected=expected,
    )


def _topic(label: str) -> str:
    """Return what labels with a topic of their own differ in."""
    return re.sub(r"[^a-z0-9_-]+", "_", label.casefold()).strip("_-")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
