"""Who listens, and what is kept of it: a small JSON file per listener and condition."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from monitor.config.load import SHIPPED_CONFIG, load_config
from monitor.stream.assembly import Assembly, assemble
from training.base.atomic import atomic_write
from training.data.splits import Part
from training.mixing.soundscapes import ScapePlan
from training.stream_eval.alarms import Bed
from training.stream_eval.judge import ClassFigures, SceneFigures

VERSION = 2
"""Of what is measured and how: records of another version are made again."""
BACKGROUNDS = "backgrounds"
"""The condition without sounds: plain backgrounds."""


@dataclass(frozen=True)
class Listener:
    """A model as the monitor runs it.

    overrides : config keys by profile; files : whose content decides what is heard
    peer : somebody else's model, for comparison
    """

    name: str
    overrides: Mapping[str, tuple[str, ...]]
    files: tuple[Path, ...]
    peer: bool = False

    def assembly(self, profile: str) -> Assembly:
        return assemble(load_config(SHIPPED_CONFIG, self.overrides[profile]))

    def digest(self) -> str:
        """Changes with the files' content and the keys, not with where the files lie."""
        names = tuple(str(path) for path in self.files)
        keys = {
            profile: [key for key in keys if not any(name in key for name in names)]
            for profile, keys in self.overrides.items()
        }
        return _digest(keys, *(hashlib.sha256(path.read_bytes()).hexdigest() for path in self.files))


@dataclass(frozen=True)
class Setting:
    """What is played: the part of the data, the plan of the soundscapes."""

    part: Part
    plan: ScapePlan

    def digest(self) -> str:
        clips = [*(clip for clip, _ in self.part.events), *self.part.backgrounds]
        return _digest(
            asdict(self.plan), sorted((clip.path.name, clip.path.stat().st_size) for clip in clips)
        )


@dataclass(frozen=True)
class Record:
    """One listener under one condition: by profile, figures on soundscapes or on backgrounds."""

    listener: str
    condition: str
    key: str
    scenes: Mapping[str, SceneFigures]
    beds: Mapping[str, tuple[Bed, ...]]

    def to_json(self) -> str:
        """Return the record as text, equal for equal records; delays to a hundredth of a second."""
        return json.dumps(_rounded(asdict(self)), separators=(",", ":")) + "\n"

    @staticmethod
    def from_json(text: str) -> Record:
        """Return the record of :meth:`to_json`.

        Raises
        ------
        ValueError, KeyError, TypeError : the text is no record
        """
        parts = json.loads(text)
        scenes = {profile: _scenes(values) for profile, values in parts["scenes"].items()}
        beds = {profile: tuple(map(_bed, values)) for profile, values in parts["beds"].items()}
        return Record(parts["listener"], parts["condition"], parts["key"], scenes, beds)


class Store:
    """The records of one setting in a folder."""

    def __init__(self, folder: Path, setting: Setting) -> None:
        self._folder, self._setting = folder, setting.digest()

    def key(self, listener: Listener, condition: str) -> str:
        return _digest(VERSION, self._setting, listener.digest(), condition)

    def find(self, listener: Listener, condition: str) -> Record | None:
        """The record, unless it is not there or was made of something else."""
        try:
            record = Record.from_json(self._path(listener.name, condition).read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return record if record.key == self.key(listener, condition) else None

    def write(self, record: Record) -> None:
        """Write a record, whole or not at all."""
        with atomic_write(self._path(record.listener, record.condition)) as partial:
            partial.write_text(record.to_json(), encoding="utf-8")

    def _path(self, listener: str, condition: str) -> Path:
        return self._folder / f"{listener.replace(' ', '-')}-{condition}.json"


def _scenes(values: Mapping[str, Any]) -> SceneFigures:
    classes = tuple(_class(row) for row in values["classes"])
    curve = tuple((moved, heard, sounds) for moved, heard, sounds in values["curve"])
    pairs = {name: (count, both) for name, (count, both) in values["pairs"].items()}
    return SceneFigures(classes, values["micro"], values["psds"], pairs, curve)


def _class(values: dict[str, Any]) -> ClassFigures:
    recordings = {name: (heard, sounds) for name, (heard, sounds) in values["recordings"].items()}
    return ClassFigures(**{**values, "delays_s": tuple(values["delays_s"]), "recordings": recordings})


def _bed(values: dict[str, Any]) -> Bed:
    return Bed(**{**values, "curve": tuple(values["curve"])})


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_rounded(each) for each in value]
    return value


def _digest(*parts: object) -> str:
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
