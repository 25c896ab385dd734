"""The command line: parse, read the config, one call."""

from __future__ import annotations

import os
import sys

# The arrays here are small: a second BLAS thread costs more than it brings, and memory.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def main() -> None:
    """Entry point of ``sound-monitor``; every expected error is one line and an exit code."""
    import click

    from monitor.cli.commands import cli
    from monitor.errors import EXIT_FAILED, MonitorError

    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except MonitorError as error:
        if "--debug" in sys.argv:
            raise
        click.echo(f"sound-monitor: {error}", err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) has gone; Python would complain again when it flushes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
