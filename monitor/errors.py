"""The errors shown to the user, one line each: what, where, what to do.

    MonitorError
    ├── UsageError      exit 2   a command line that asks for the impossible
    ├── ConfigError     exit 2   config.yaml, --set, an unknown key or label
    ├── ControlError    exit 2   a setting that cannot be changed so while running
    ├── AudioError      exit 3   a file, a device or a stream that gives no audio
    ├── PackageError    exit 3   a model that cannot be read or contradicts its card
    ├── OutboxError     exit 4   the history database cannot be opened or written
    ├── PublishError    exit 4   the broker refused, or did not acknowledge in time
    └── ClipError       exit 4   the folder of the clips cannot be written

Exit code 1 is not an error of this tree: the command ran and its answer is "no" (``--expect``
found differences), or a bug stopped it. 130: interrupted by Ctrl-C.
"""

from __future__ import annotations

import re

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INPUT = 3
EXIT_DELIVERY = 4
EXIT_INTERRUPTED = 130


class MonitorError(Exception):
    """Root of all expected errors; ``exit_code`` is the exit code of the command."""

    exit_code = EXIT_FAILED


class UsageError(MonitorError):
    exit_code = EXIT_USAGE


class ConfigError(MonitorError):
    exit_code = EXIT_USAGE


class ControlError(MonitorError):
    exit_code = EXIT_USAGE


class AudioError(MonitorError):
    exit_code = EXIT_INPUT


class PackageError(MonitorError):
    exit_code = EXIT_INPUT


class OutboxError(MonitorError):
    exit_code = EXIT_DELIVERY


class PublishError(MonitorError):
    exit_code = EXIT_DELIVERY


class ClipError(MonitorError):
    exit_code = EXIT_DELIVERY


def shortened(message: str) -> str:
    """Cut overlong words and lines, such as an echo of thousands of characters, in the middle."""
    words = re.sub(r"\S{300,}", lambda word: f"{word[0][:100]}…{word[0][-100:]}", message)
    return re.sub(r".{1000,}", lambda line: f"{line[0][:400]}…{line[0][-400:]}", words)
