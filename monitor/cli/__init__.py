"""The command line: parse, read the config, one call."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click

# The arrays here are small: a second BLAS thread costs more time than it saves, and memory.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def main() -> None:
    """Entry point of ``sound-monitor``; every expected error is one line and an exit code."""
    import click

    from monitor.cli.commands import cli
    from monitor.errors import EXIT_FAILED, EXIT_INTERRUPTED, MonitorError

    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.UsageError as error:
        click.echo(_usage(error), err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader (head, less) has gone; Python would complain again when it flushes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        if isinstance(error, MonitorError):
            click.echo(f"sound-monitor: {error}", err=True)
            sys.exit(error.exit_code)
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        click.echo(f"sound-monitor: unexpected {reason}; --debug shows where", err=True)
        sys.exit(EXIT_FAILED)


def _usage(error: click.UsageError) -> str:
    """Return the problem with the command line and where to find help, in one line; or the help itself."""
    message = error.format_message()
    if error.ctx is None or "\n" in message:
        return message
    return f"sound-monitor: {message.rstrip('.')}; see {error.ctx.command_path} --help"
