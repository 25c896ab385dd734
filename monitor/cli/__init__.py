"""The command line: parse, read the config, one call."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click

# The arrays here are small: a second BLAS thread costs more time than it saves, and memory.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


def main() -> None:
    """Entry point of ``sound-monitor``; every expected error is one line and an exit code."""
    import click

    from monitor.cli.commands import cli
    from monitor.errors import EXIT_FAILED, EXIT_INTERRUPTED, MonitorError, shortened
    from monitor.model.processor import check_processor

    try:
        check_processor()
        code = cli.main(standalone_mode=False) or 0
        if sys.stdout is not None:
            sys.stdout.flush()  # here rather than at exit, where a full disk would give a traceback
        sys.exit(code)
    except click.UsageError as error:
        click.echo(shortened(_usage(error)), err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        _abandon_stdout()  # the reader (head, less) has gone
        sys.exit(EXIT_FAILED)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        if isinstance(error, MonitorError):
            click.echo(f"sound-monitor: {shortened(str(error))}", err=True)
            sys.exit(error.exit_code)
        with suppress(OSError):  # standard error may be full, too
            click.echo(f"sound-monitor: {shortened(_unexpected(error))}", err=True)
        sys.exit(EXIT_FAILED)


def _unexpected(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is None and error.errno in _FULL:
        _abandon_stdout()
        return f"standard output cannot be written ({error.strerror}); make room or write elsewhere"
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return f"unexpected {reason}; --debug shows where"


def _abandon_stdout() -> None:
    """Discard what is still buffered: Python would complain again when it flushes stdout."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage(error: click.UsageError) -> str:
    """Return the problem with the command line and where to find help, in one line; or the help itself."""
    message = error.format_message()
    if error.ctx is None or "\n" in message:
        return message
    return f"sound-monitor: {message.rstrip('.')}; see {error.ctx.command_path} --help"
