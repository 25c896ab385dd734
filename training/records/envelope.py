"""The envelope of every record: what decides its content, where it comes from, and the content."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Key:
    """What decides the content of a record: where all three are equal, it need not be made again.

    Parameters
    ----------
    schema : version of the kind, raised when its format or what it measures changes
    settings : everything that decides the content but the data, as plain JSON values
    data : the recordings, as the kind names them; None where ``settings`` name them as well
    """

    schema: int
    settings: Any
    data: Any = None


@dataclass(frozen=True)
class RunTime:
    """What the making of a record took, by the clock and of processors."""

    seconds: float
    cpu_seconds: float | None = None


@dataclass(frozen=True)
class Origin:
    """Where a record comes from; none of it decides the content."""

    machine: str
    versions: Mapping[str, str]
    command: str
    time: RunTime | None


@dataclass(frozen=True)
class Envelope:
    """A record as it is stored; ``content`` is what its kind makes of it."""

    kind: str
    key: Key
    origin: Origin
    content: Mapping[str, Any]

    def to_json(self) -> str:
        """Return the record as text, equal for equal records."""
        time = asdict(self.origin.time) if self.origin.time else {}
        parts = {
            "kind": self.kind,
            **asdict(self.key),
            "machine": self.origin.machine,
            "versions": dict(self.origin.versions),
            "command": self.origin.command,
            **{name: value for name, value in time.items() if value is not None},
            "content": self.content,
        }
        return json.dumps(parts, indent=1) + "\n"

    @staticmethod
    def of(parts: Mapping[str, Any]) -> Envelope:
        """Return the envelope that :meth:`to_json` wrote.

        Raises
        ------
        KeyError : a field is missing
        """
        time = RunTime(parts["seconds"], parts.get("cpu_seconds")) if "seconds" in parts else None
        return Envelope(
            parts["kind"],
            Key(parts["schema"], parts["settings"], parts["data"]),
            Origin(parts["machine"], parts["versions"], parts["command"], time),
            parts["content"],
        )


def is_envelope(parts: Mapping[str, Any]) -> bool:
    """Whether a stored record has an envelope; those of before 0.7.0 have the layouts of their kinds."""
    return "kind" in parts and "content" in parts


def plain(value: Any, digits: int | None = None) -> Any:
    """Return a value as JSON gives it back: no dataclasses, tuples or paths.

    Parameters
    ----------
    value : dataclasses, mappings, sequences, numbers and texts, nested
    digits : places that figures are rounded to; None keeps all. What is not finite becomes None.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value), digits)
    if isinstance(value, Mapping):
        return {str(key): plain(one, digits) for key, one in value.items()}
    if isinstance(value, float):
        return None if not math.isfinite(value) else value if digits is None else round(value, digits)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [plain(one, digits) for one in value]
    return value
