"""The single place through which settings change at run time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from monitor.clock import iso_utc
from monitor.config.load import Config
from monitor.control.changes import (
    LISTENING,
    PAUSE_S,
    PAUSED_UNTIL,
    Change,
    Changes,
    changed_config,
    checked,
    switched_off,
)
from monitor.control.state import ClassControl, ControlState
from monitor.control.store import SettingsStore
from monitor.control.watch import FolderWatch
from monitor.errors import ConfigError, ControlError
from monitor.model.taught import heads_folder
from monitor.stream.assembly import Assembly, assemble

log = logging.getLogger(__name__)


class Control:
    """Applies changes, persists them across restarts and notifies followers; thread-safe.

    Settings that were not changed have the values of the config file and of ``--set`` on the command line.

    Parameters
    ----------
    config : Config
        The configuration without any change.
    assembly : Assembly
        The assembly made from that configuration.
    store : SettingsStore
        Holds the changes of earlier runs; those that no longer apply are logged and ignored.
    utc : callable
        Clock, seconds since 1970.
    """

    def __init__(
        self,
        config: Config,
        assembly: Assembly,
        store: SettingsStore,
        *,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._base = assembly
        self._store = store
        self._utc = utc
        self._lock = threading.RLock()
        self.heads = heads_folder(config.settings.history_path)
        """The folder of the taught heads."""
        self._watch = FolderWatch(self.heads)
        self._followers: list[Callable[[ControlState], None]] = []
        self._state = self._restored(store.load())

    @property
    def state(self) -> ControlState:
        """The settings in force; replaced by a new object at each change."""
        return self._state

    def follow(self, follower: Callable[[ControlState], None]) -> None:
        """Call ``follower`` with the state, now and after each change; it must not block."""
        with self._lock:
            self._followers.append(follower)
            follower(self._state)

    def apply(self, key: str, value: object, by: str) -> ControlState:
        """Change one setting, with immediate effect and for later runs.

        Parameters
        ----------
        key : str
            See :mod:`monitor.control.changes`.
        value : object
            The new value; None restores the configured value.
        by : str
            Origin of the change.

        Raises
        ------
        ControlError
            The key is unknown or the value is invalid; nothing has changed.
        """
        with self._lock:
            changes = self._with_change(key, value, by)
            state = self._made(changes)
            if state == self._state:
                return state
            self._enter(state)
            log.info("%s: %s", by, _in_words(key, value))
            return state

    def reload(self) -> ControlState:
        """Take over the heads that were taught or removed since the start; changed settings stay.

        Raises
        ------
        ConfigError
            The configuration contradicts the heads that are there now; nothing has changed.
        """
        with self._lock:
            self._watch.note()
            self._base = assemble(self._config, self._base.model)
            self._enter(self._restored(self._state.changes))
            return self._state

    def tick(self) -> None:
        """End a pause that has expired; notice heads that another process taught or removed."""
        if self._watch.changed():
            try:
                self.reload()
            except ConfigError as error:
                log.error("%s; the heads in use stay until the next start", error)
        until = self._state.paused_until
        if until is not None and self._utc() >= until:
            self.apply(PAUSED_UNTIL, None, "clock")

    def _with_change(self, key: str, value: object, by: str) -> dict[str, Change]:
        changes = dict(self._state.changes)
        if value is not None:
            value = checked(key, value, self._base.event_labels)
        if key == LISTENING and value is not False:
            changes.pop(PAUSED_UNTIL, None)
        if key == PAUSE_S:
            # A pause is stored by its end time, so that a restart does not prolong it.
            key, value = PAUSED_UNTIL, round(self._utc() + float(value), 3) if value else None
        # True is the configured value, so it is not stored as a change.
        if value is None or value is True:
            changes.pop(key, None)
        else:
            changes[key] = Change(value, by, iso_utc(self._utc()))
        return changes

    def _enter(self, state: ControlState) -> None:
        try:
            self._store.save(state.changes)
        except OSError as error:
            # The change stays in force at least until the next start.
            log.error("%s: cannot be written (%s); the change is lost at a restart", self._store.path, error)
        self._state = state
        for follower in self._followers:
            follower(state)

    def _restored(self, saved: Changes) -> ControlState:
        """Apply the saved changes that are still valid; configuration or model may have changed since."""
        changes: dict[str, Change] = {}
        state = self._made(changes)
        for key, change in saved.items():
            try:
                value = checked(key, change.value, self._base.event_labels)
                state = self._made({**changes, key: replace(change, value=value)})
                changes = dict(state.changes)
            except ControlError as error:
                log.warning("%s: %s; left out", self._store.path, error)
        return state

    def _made(self, changes: Changes) -> ControlState:
        """Return the state with these changes."""
        try:
            config = changed_config(self._config, changes)
            full = self._base if config is self._config else assemble(config, self._base.model)
        except ConfigError as error:
            raise ControlError(str(error)) from error
        off = switched_off(changes)
        classes = {
            label: ClassControl(
                label not in off, full.tracked[label].enter if label in full.tracked else None
            )
            for label in full.event_labels
        }
        listening = changes.get(LISTENING)
        pause = changes.get(PAUSED_UNTIL)
        return ControlState(
            assembly=full.without(off) if off else full,
            listening=listening is None or bool(listening.value),
            paused_until=None if pause is None else float(pause.value),
            profile=config.settings.events.profile,
            classes=classes,
            changes=dict(changes),
        )


def _in_words(key: str, value: object) -> str:
    words = {True: "on", False: "off", None: "as configured"}
    text = words[value] if isinstance(value, bool) or value is None else f"{value}"
    return f"{key} is {text}"
