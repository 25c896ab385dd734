"""Errors of the study; they follow the tree of :mod:`monitor.errors`."""

from __future__ import annotations

from monitor.errors import EXIT_INPUT, MonitorError


class DataError(MonitorError):
    """Recordings, tables or cached features that cannot be used; exit 3."""

    exit_code = EXIT_INPUT


class ExportError(MonitorError):
    """The converted model is not the trained one; exit 1."""


class StorageError(MonitorError):
    """The storage of a search that cannot be used, or a study that is another one; exit 3."""

    exit_code = EXIT_INPUT
