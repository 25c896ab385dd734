"""Options, logging and the stop on Ctrl-C that all commands share."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from monitor.config.load import Config, load_config
from monitor.errors import shortened

Command = TypeVar("Command", bound=Callable[..., Any])


def common_options(command: Command) -> Command:
    """Add ``--config``, ``--set`` and ``--debug`` to a command."""
    for option in (
        click.option("--debug", is_flag=True, help="Show debug messages, and tracebacks of errors."),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            help="Override one setting: section.key=value.",
        ),
        click.option(
            "--config",
            "config_file",
            type=click.Path(path_type=Path),
            help="Read this file instead of config.yaml.",
        ),
    ):
        command = option(command)
    return command


def node_option(command: Command) -> Command:
    """Add ``--node`` to a command about one node; see :func:`~monitor.config.nodes.one_node`."""
    return click.option("--node", metavar="NODE", help="Which of several sources.")(command)


class _Stderr(logging.Handler):
    """Writes to the current ``sys.stderr``, which the live view replaces."""

    def emit(self, record: logging.LogRecord) -> None:
        if sys.stderr is None:  # closed
            return
        try:
            sys.stderr.write(f"{shortened(self.format(record))}\n")
        except (OSError, ValueError):
            self.handleError(record)


def read_config(config_file: Path | None, overrides: tuple[str, ...], debug: bool) -> Config:
    """Set up logging to stderr, then read the config."""
    logging.basicConfig(
        handlers=[_Stderr()],
        level=logging.DEBUG if debug else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s" if debug else "%(asctime)s %(message)s",
        datefmt="%H:%M:%S",
    )
    return load_config(config_file, overrides)


def stop_on_signals() -> threading.Event:
    """Return an event that the first SIGINT or SIGTERM sets; a second one ends the process at once."""
    stop = threading.Event()

    def handle(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    return stop
