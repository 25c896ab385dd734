"""Systems under test and their stored figures: a small JSON file per system and condition."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from monitor.config.load import SHIPPED_CONFIG, load_config
from monitor.stream.assembly import Assembly, assemble
from training.base.provenance import machine, versions
from training.data.splits import Part
from training.mixing.soundscapes import ScapePlan
from training.records.archive import texts
from training.records.envelope import CodeVersion, Envelope, Key, Origin, plain
from training.records.store import Store
from training.stream_eval.alarms import BackgroundFigures
from training.stream_eval.judge import SoundscapeFigures, StreamClassFigures

VERSION = 2
"""Version of the measurement; records of another version are recomputed."""
_DIGITS = 4
BACKGROUNDS = "backgrounds"
"""The condition without sounds: plain backgrounds."""


@dataclass(frozen=True)
class Listener:
    """A model as the monitor runs it.

    Parameters
    ----------
    overrides
        Config keys by profile.
    files
        Files whose content determines the scores.
    """

    name: str
    overrides: Mapping[str, tuple[str, ...]]
    files: tuple[Path, ...]

    def assembly(self, profile: str) -> Assembly:
        return assemble(load_config(SHIPPED_CONFIG, self.overrides[profile]))

    def digest(self) -> str:
        """Digest of the files' content and the keys, independent of where the files are."""
        names = tuple(str(path) for path in self.files)
        keys = {
            profile: [key for key in keys if not any(name in key for name in names)]
            for profile, keys in self.overrides.items()
        }
        return _digest(keys, *(hashlib.sha256(path.read_bytes()).hexdigest() for path in self.files))


@dataclass(frozen=True)
class Setting:
    """Test data of an evaluation: the part of the data and the plan of the soundscapes."""

    part: Part
    plan: ScapePlan

    def digest(self) -> str:
        clips = [*(clip for clip, _ in self.part.events), *self.part.backgrounds]
        return _digest(
            asdict(self.plan), sorted((clip.path.name, clip.path.stat().st_size) for clip in clips)
        )


@dataclass(frozen=True)
class StreamRecord:
    """One system under one condition: by profile, figures on soundscapes or on backgrounds."""

    listener: str
    condition: str
    key: str
    scenes: Mapping[str, SoundscapeFigures]
    beds: Mapping[str, tuple[BackgroundFigures, ...]]


class StreamCodec:
    """Records of a system under a condition as envelopes; the key's settings are one digest."""

    kind = "stream"
    schema = VERSION

    def pack(self, record: StreamRecord) -> Envelope:
        """See :class:`~training.records.store.Codec`; delays to a hundredth of a second."""
        content = {
            "listener": record.listener,
            "condition": record.condition,
            "scenes": record.scenes,
            "beds": record.beds,
        }
        code = CodeVersion.of("training.stream_eval.run")
        origin = Origin(machine(), versions(), "sound-training stream-eval", None, code)
        return Envelope(self.kind, Key(self.schema, record.key), origin, plain(content, _DIGITS))

    def unpack(self, envelope: Envelope) -> StreamRecord:
        """See :class:`~training.records.store.Codec`."""
        parts = envelope.content
        scenes = {profile: _soundscapes(values) for profile, values in parts["scenes"].items()}
        beds = {profile: tuple(map(_background, values)) for profile, values in parts["beds"].items()}
        return StreamRecord(parts["listener"], parts["condition"], envelope.key.settings, scenes, beds)

    def upgrade(self, parts: Mapping[str, Any]) -> Envelope:
        """See :class:`~training.records.store.Codec`; formerly only the key carried the version."""
        return Envelope(self.kind, Key(self.schema, parts["key"]), Origin("", {}, "", None), parts)

    def decisive(self, key: Key) -> Key:
        """See :class:`~training.records.store.Codec`."""
        return key


STREAMS = StreamCodec()


def read_all(folder: Path) -> tuple[StreamRecord, ...]:
    """Return every record of an evaluation in a folder, ordered by name.

    Raises
    ------
    DataError
        If a file is not such a record.
    """
    store = Store(folder, STREAMS)
    return tuple(store.read(name) for name in texts(folder))


class Evaluations:
    """The records of one setting in a folder."""

    def __init__(self, folder: Path, setting: Setting) -> None:
        self._store, self._setting = Store(folder, STREAMS), setting.digest()

    def key(self, listener: Listener, condition: str) -> str:
        """Return a key that covers everything a record depends on: the rule, the data, the system."""
        return _digest(VERSION, self._setting, listener.digest(), condition)

    def find(self, listener: Listener, condition: str) -> StreamRecord | None:
        """Return the record, or None if it is absent or outdated."""
        key = Key(VERSION, self.key(listener, condition))
        return self._store.find(_name(listener.name, condition), key)

    def write(self, record: StreamRecord) -> None:
        """Write a record atomically."""
        self._store.write(_name(record.listener, record.condition), record)


def _name(listener: str, condition: str) -> str:
    return f"{listener.replace(' ', '-')}-{condition}"


def _soundscapes(values: Mapping[str, Any]) -> SoundscapeFigures:
    classes = tuple(_class(row) for row in values["classes"])
    curve = tuple((moved, detected, sounds) for moved, detected, sounds in values["curve"])
    pairs = {name: (count, both) for name, (count, both) in values["pairs"].items()}
    return SoundscapeFigures(classes, values["micro"], values["psds"], pairs, curve)


def _class(values: dict[str, Any]) -> StreamClassFigures:
    recordings = {name: (detected, sounds) for name, (detected, sounds) in values["recordings"].items()}
    return StreamClassFigures(**{**values, "delays_s": tuple(values["delays_s"]), "recordings": recordings})


def _background(values: dict[str, Any]) -> BackgroundFigures:
    return BackgroundFigures(**{**values, "curve": tuple(values["curve"])})


def _digest(*parts: object) -> str:
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
