"""Teaches a running monitor from what was marked on the page; what is taught takes effect at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from monitor.clock import parse_utc
from monitor.control.control import Control
from monitor.errors import ConfigError, ControlError, PackageError
from monitor.history.background import BackgroundSample, in_blocks
from monitor.history.reader import HistoryReader, Marked
from monitor.model.linear import HeadCard, LinearHead, read_linear_head
from monitor.model.load import LoadedModel
from monitor.model.taught import keep, remove, versions
from monitor.stream.assembly import Assembly
from monitor.teaching.fit import Rows, averaged_hops, teach
from monitor.teaching.heads import expectation, rejecting_head, sound_head, why_no_label
from monitor.teaching.reject import reject

_AROUND_S = 10.0
"""So far around a marked sound the background is left out: more of the sound may be in it."""


class Teacher:
    """Lists, teaches and removes heads.

    Parameters
    ----------
    control : Control
        Takes over what was taught.
    reader : HistoryReader
        Has what was marked.
    background : BackgroundSample
        What a new sound is told from.
    """

    def __init__(self, control: Control, reader: HistoryReader, background: BackgroundSample) -> None:
        self._control = control
        self._reader = reader
        self._background = background
        self._folder = control.heads

    def heads(self) -> list[dict[str, Any]]:
        """Return the stored heads, with whether each is in use."""
        assembly = self._assembly
        in_use = [*assembly.heads, *(head for heads in assembly.rejects.values() for head in heads)]
        used = {head.path for head in in_use if isinstance(head, LinearHead)}
        found = []
        for name, files in versions(self._folder).items():
            try:
                card = read_linear_head(files[-1]).card
            except PackageError as error:
                found.append({"name": name, "error": str(error), "versions": len(files), "used": False})
                continue
            found.append(_listed(name, card, len(files)) | {"used": files[-1] in used})
        return found

    def marks(self) -> dict[str, Any]:
        """Return how many moments were marked, by label, and the hours of background."""
        counts: dict[str, Counter[str]] = {}
        for one in self._marked():
            counts.setdefault(one.label, Counter())[one.verdict] += 1
        marks = [
            {"label": label, **{verdict: count[verdict] for verdict in ("right", "missed", "false_alarm")}}
            for label, count in sorted(counts.items())
        ]
        return {
            "marks": marks,
            "background_h": round(self._background.seconds / 3600, 3),
            "embedding": self._size > 0,
        }

    def teach(self, label: str, event_ids: Sequence[str], alarms_a_day: float) -> dict[str, Any]:
        """Teach a sound from chosen events, else from the moments that were marked with its label.

        Raises
        ------
        ControlError
            The label is taken, or there is too little to teach from.
        """
        self._require_embedding()
        taught = set(versions(self._folder))
        taken = set(self._assembly.possible_labels) - taught | taught - {label}
        if reason := why_no_label(label, taken):
            raise ControlError(reason)
        examples = self._examples(label, event_ids, ("right", "missed"))
        background = self._apart_from(examples)
        hop_s, hops = self._assembly.hop_s, averaged_hops(self._assembly.window_s, self._assembly.hop_s)
        rows = [one.rows for one in examples]
        try:
            found = teach(rows, background, hop_s=hop_s, hops=hops, alarms_a_day=alarms_a_day)
        except ValueError as error:
            raise ControlError(self._too_little(len(examples), background, error)) from error
        return self._keep(label, sound_head(label, found, self._model))

    def reject(self, label: str, event_ids: Sequence[str]) -> dict[str, Any]:
        """Teach that the false alarms of a label, or the chosen ones of its events, are to raise no alarm.

        Raises
        ------
        ControlError
            No such label makes events, or there is too little to teach from.
        """
        self._require_embedding()
        if label not in self._assembly.tracked:
            raise ControlError(f"{label} makes no events here")
        alarms = self._examples(label, event_ids, ("false_alarm",))
        others = [one.rows for one in self._marked() if one.label == label and one.verdict != "false_alarm"]
        background = self._apart_from(alarms)
        rows = np.concatenate(background) if background else np.empty((0, self._size), np.float32)
        try:
            found = reject([one.rows for one in alarms], others, rows, hop_s=self._assembly.hop_s)
        except ValueError as error:
            raise ControlError(self._too_little(len(alarms), background, error)) from error
        head = rejecting_head(label, found, self._model)
        return self._keep(head.card.name, head)

    def remove(self, name: str, *, newest: bool) -> dict[str, Any] | None:
        """Remove a head with all its versions, or the newest alone; return None if there is none.

        Raises
        ------
        ControlError
            The configuration names the label.
        """
        if not remove(self._folder, name, newest=newest):
            return None
        self._reload()
        return {"name": name, "versions": len(versions(self._folder).get(name, ()))}

    @property
    def _assembly(self) -> Assembly:
        return self._control.state.assembly

    @property
    def _model(self) -> LoadedModel:
        return self._assembly.model

    @property
    def _size(self) -> int:
        return 0 if self._model.probe is None else len(self._model.probe)

    def _require_embedding(self) -> None:
        if not self._size:
            raise ControlError("this model gives no embedding, so nothing can be taught on it")

    def _marked(self) -> list[Marked]:
        return self._reader.marked(self._model.card.title, self._size) if self._size else []

    def _examples(self, label: str, event_ids: Sequence[str], verdicts: Sequence[str]) -> list[Marked]:
        if event_ids:
            return self._reader.chosen(self._model.card.title, self._size, event_ids)
        return [one for one in self._marked() if one.label == label and one.verdict in verdicts]

    def _apart_from(self, examples: Sequence[Marked]) -> list[Rows]:
        """Return the background without the surroundings of the examples, in blocks of neighbours."""
        spans = [(parse_utc(one.moment) - _AROUND_S, parse_utc(one.until) + _AROUND_S) for one in examples]
        return in_blocks(self._background.read(self._size, without=spans))

    def _too_little(self, examples: int, background: Sequence[Rows], error: ValueError) -> str:
        minutes = sum(map(len, background)) * self._assembly.hop_s / 60
        return f"{error}; there are: embeddings of {examples}, and {minutes:.0f} min of background"

    def _keep(self, name: str, head: LinearHead) -> dict[str, Any]:
        written = keep(self._folder, name, head)
        self._reload()
        return _listed(name, written.card, len(versions(self._folder)[name])) | {"used": True}

    def _reload(self) -> None:
        try:
            self._control.reload()
        except ConfigError as error:
            raise ControlError(str(error)) from error


def _listed(name: str, card: HeadCard, count: int) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "reject" if card.rejects else "sound",
        "label": card.rejects[0] if card.rejects else name,
        "version": card.version,
        "versions": count,
        "created": card.created,
        "model": card.model,
        "expected": None if card.expected is None else card.expected.model_dump(),
        "text": list(expectation(card)),
    }
