"""Topic names and ids; pure."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass

from monitor.errors import ConfigError


def slug(text: str) -> str:
    """Return a stable name made of [a-z0-9_-]; the same text always gives the same name.

    Text without any letter or digit that ASCII can represent becomes ``x`` followed by a hash.
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    words = re.sub(r"[^a-z0-9_-]+", "_", ascii_text).strip("_-")
    return words or "x" + hashlib.sha256(text.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Topics:
    """The topics of one node.

    Parameters
    ----------
    base : str
        Base topic as configured; may have several segments.
    node : str
        Node name; becomes one segment.
    labels : tuple of str
        Labels that have a state, as named by the model.

    Raises
    ------
    ConfigError
        Two labels would share a topic.
    """

    base: str
    node: str
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        taken: dict[str, str] = {}
        for label in self.labels:
            other = taken.setdefault(slug(label), label)
            if other != label:
                raise ConfigError(
                    f"labels {other!r} and {label!r} would share the topic {self.state(label)};"
                    " rename one in model.select, or leave it out of events.enabled or events.sounds"
                )

    @property
    def status(self) -> str:
        return f"{self._root}/status"

    @property
    def event(self) -> str:
        return f"{self._root}/event"

    @property
    def level(self) -> str:
        return f"{self._root}/level"

    @property
    def noise(self) -> str:
        return f"{self._root}/noise"

    @property
    def near(self) -> str:
        return f"{self._root}/near"

    @property
    def health(self) -> str:
        return f"{self._root}/health"

    @property
    def control(self) -> str:
        return f"{self._root}/control"

    @property
    def commands(self) -> str:
        """Prefix of the command topics."""
        return f"{self._root}/set/"

    def state(self, label: str) -> str:
        return f"{self._root}/sound/{slug(label)}/state"

    def attributes(self, label: str) -> str:
        return f"{self._root}/sound/{slug(label)}/attributes"

    def of_label(self, label: str) -> tuple[str, str]:
        """Retained topics of a label."""
        return self.state(label), self.attributes(label)

    def group(self, name: str) -> str:
        """Topic for the state and the latest event of a group of labels."""
        return f"{self._root}/group/{slug(name)}"

    @property
    def of_sounds(self) -> tuple[str, ...]:
        """Filters that match the retained topics of all labels and groups, also of an earlier run."""
        return f"{self._root}/sound/+/state", f"{self._root}/sound/+/attributes", f"{self._root}/group/+"

    @property
    def all(self) -> str:
        """Filter that matches every topic of the node."""
        return f"{self._root}/#"

    @property
    def _root(self) -> str:
        return f"{self.base}/{slug(self.node)}"
