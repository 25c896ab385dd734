"""Finds the retained topics of labels and groups that only an earlier run announced; pure."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.delivery.topics import Topics, slug

_MOST = 2000
"""Maximum number of names remembered, as anybody may publish there."""


class Leftovers:
    """Collects the names in the retained topics that a broker holds.

    Parameters
    ----------
    topics : Topics
        Topics of the node, with all labels that this run may announce from its start.
    """

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._ours = {topic for label in topics.labels for topic in topics.of_label(label)}
        self._groups: set[str] = set()
        self._labels_left: dict[str, None] = {}
        self._groups_left: dict[str, None] = {}
        self._new = False

    def labels_in_use(self, labels: Iterable[str]) -> None:
        """Add labels that are announced: a sound may be taught while the monitor runs."""
        for label in labels:
            self._ours.update(self._topics.of_label(label))
            self._labels_left.pop(slug(label), None)

    def groups_in_use(self, names: Iterable[str]) -> None:
        """Set the groups that are announced."""
        self._groups = {self._topics.group(name) for name in names}

    def found(self, topic: str) -> bool:
        """Note a retained topic of a label or a group; return whether it is left over."""
        if topic in self._ours or topic in self._groups:
            return False
        # Beside the topic `status`: group/<name>, or sound/<name>/state.
        kind, name, *_ = topic.removeprefix(self._topics.status.removesuffix("status")).split("/")
        known = self._groups_left if kind == "group" else self._labels_left
        if name not in known and len(known) < _MOST:
            known[name] = None
            self._new = True
        return True

    def complete(self) -> bool:
        """Return whether names were found since the last call."""
        new, self._new = self._new, False
        return new

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self._labels_left)

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(self._groups_left)
