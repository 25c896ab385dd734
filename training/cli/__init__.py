"""``sound-training``: the study and the shipped models; the module of a command is imported when called."""

from __future__ import annotations

import sys

import click

from monitor.cli.late import LateGroup
from monitor.errors import MonitorError

_EXIT_INTERRUPTED = 130

_COMMANDS = {
    "data": ("training.cli.data", "data", "Check, download and list the recordings."),
    "explore": ("training.cli.explore", "explore", "Write a page about the recordings."),
    "features": (
        "training.cli.study.features",
        "features",
        "Compute the features of all clips into the cache.",
    ),
    "architectures": (
        "training.cli.study.architectures",
        "architectures",
        "Measure size, compute and latency of each network.",
    ),
    "cv": ("training.cli.study.cv", "cv", "Cross-validate models over the folds."),
    "ablation": (
        "training.cli.study.ablation",
        "ablation",
        "Measure the effect of each factor, one at a time.",
    ),
    "search": ("training.cli.study.search", "search", "Search hyperparameters, on one machine or several."),
    "compare": ("training.cli.study.compare", "compare", "Compare all models, from their records."),
    "default": ("training.cli.default", "default", "Train, calibrate and package the shipped model."),
    "free": (
        "training.cli.free",
        "free",
        "Package the published mn04, with thresholds from free recordings.",
    ),
    "own": ("training.cli.own", "own", "Train a model on your own sounds, a folder per class."),
    "export": ("training.cli.export", "export", "Convert a trained model to TFLite variants and check each."),
    "forms": ("training.cli.forms", "forms", "Compare float32, float16 and 8-bit forms of the packages."),
    "robustness": ("training.cli.robustness", "robustness", "Evaluate models under attacks and corruptions."),
    "pages": ("training.cli.pages", "pages", "Regenerate every result page from records."),
    "stream-eval": (
        "training.cli.stream_eval",
        "stream_eval",
        "Evaluate packages on streams through the monitor itself.",
    ),
    "peers": ("training.cli.peers", "peers", "Compare the default model with peers at equal false alarms."),
}
"""In the order of use in a study."""


class _Group(LateGroup):
    """Print expected errors as one line on stderr with an exit code; on Ctrl-C print how to resume."""

    modules = _COMMANDS

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except MonitorError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted; run the same command again to resume", err=True)
            sys.exit(_EXIT_INTERRUPTED)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed or differs, 2 usage, 3 input (recordings, tables, records).",
)
def main() -> None:
    """Explore the recordings; train, calibrate and export the models of sound-monitor."""
