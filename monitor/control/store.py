"""Stores run-time changes of settings in a file beside the history."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict
from pathlib import Path

from monitor.control.changes import Change, Changes

log = logging.getLogger(__name__)

_SCHEMA = 1


def settings_path(history: Path) -> Path:
    """Return the path of the file with the changes that belong to a history."""
    return history.with_name(f"{history.stem}.settings.json")


class SettingsStore:
    """A small JSON file that is replaced atomically and synced at each change.

    Parameters
    ----------
    path : Path
        The file; its folder must exist by the first :meth:`save`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Changes:
        """Return the saved changes; empty if there is no file or, with a log entry, if it cannot be read."""
        try:
            values = json.loads(self.path.read_bytes())
            if values["schema"] != _SCHEMA:
                raise ValueError(f"schema {values['schema']!r}, this version reads {_SCHEMA}")
            return {key: Change(**change) for key, change in values["changes"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reason = " ".join(str(error).split())
            log.warning("%s: cannot be read (%s); the config's settings hold", self.path, reason)
            return {}

    def save(self, changes: Changes) -> None:
        """Replace the file.

        Raises
        ------
        OSError
            Writing failed; the previous file is unchanged.
        """
        values = {"schema": _SCHEMA, "changes": {key: asdict(change) for key, change in changes.items()}}
        partial = self.path.with_name(f"{self.path.name}.part")
        with partial.open("w", encoding="utf-8") as file:
            json.dump(values, file, indent=1, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
