"""The common envelope of all records: key, origin and content."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

from training.base.code import code_digest, commit


@dataclass(frozen=True)
class Key:
    """Everything that determines the content of a record; a record with an equal key is up to date.

    Parameters
    ----------
    schema
        Version of the kind, raised when its format or what it measures changes.
    settings
        All settings that affect the content, as plain JSON values.
    data
        The recordings used, in a form specific to the kind; None where ``settings`` include them.
    """

    schema: int
    settings: Any
    data: Any = None


@dataclass(frozen=True)
class RunTime:
    """Wall-clock and CPU time taken to compute a record."""

    seconds: float
    cpu_seconds: float | None = None


@dataclass(frozen=True)
class CodeVersion:
    """The code that computed a record; both are empty in records from before they were kept.

    Parameters
    ----------
    commit
        Commit, followed by ``+`` if tracked files differed from it.
    digest
        Digest of the modules that can have affected the content.
    """

    commit: str = ""
    digest: str = ""

    @staticmethod
    def of(module: str) -> CodeVersion:
        """Return the version of the running code, as far as ``module`` depends on it."""
        return CodeVersion(commit(), code_digest(module))


@dataclass(frozen=True)
class Origin:
    """Provenance of a record; it does not affect the content."""

    machine: str
    versions: Mapping[str, str]
    command: str
    time: RunTime | None
    code: CodeVersion = field(default_factory=CodeVersion)


@dataclass(frozen=True)
class Envelope:
    """A record as stored; the format of ``content`` is specific to its kind."""

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
            **({"code": asdict(self.origin.code)} if self.origin.code.digest else {}),
            "content": self.content,
        }
        return json.dumps(parts, indent=1) + "\n"

    @staticmethod
    def of(parts: Mapping[str, Any]) -> Envelope:
        """Return the envelope that :meth:`to_json` wrote.

        Raises
        ------
        KeyError
            If a field is missing.
        """
        time = RunTime(parts["seconds"], parts.get("cpu_seconds")) if "seconds" in parts else None
        return Envelope(
            parts["kind"],
            Key(parts["schema"], parts["settings"], parts["data"]),
            Origin(
                parts["machine"],
                parts["versions"],
                parts["command"],
                time,
                CodeVersion(**parts.get("code", {})),
            ),
            parts["content"],
        )


def is_envelope(parts: Mapping[str, Any]) -> bool:
    """Whether a stored record has an envelope; records from before 0.7.0 have a layout per kind."""
    return "kind" in parts and "content" in parts


def plain(value: Any, digits: int | None = None) -> Any:
    """Return a value as plain JSON types: no dataclasses, tuples or paths; non-finite numbers become None.

    Parameters
    ----------
    value
        Dataclasses, mappings, sequences, numbers and strings, nested.
    digits
        Decimal places to round numbers to; None keeps all.
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
