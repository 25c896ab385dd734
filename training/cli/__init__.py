"""``sound-training``: the study and the models that ship; each command's module is imported when called."""

from __future__ import annotations

import sys

import click

from monitor.cli.late import LateGroup
from monitor.errors import MonitorError

_EXIT_INTERRUPTED = 130

_COMMANDS = {
    "data": ("training.cli.data", "data", "Check and fetch the recordings."),
    "explore": ("training.cli.explore", "explore", "Write a page about the recordings."),
    "features": (
        "training.cli.study.features",
        "features",
        "Compute the features of all clips into the cache.",
    ),
    "architectures": (
        "training.cli.study.architectures",
        "architectures",
        "Measure what each network costs.",
    ),
    "cv": ("training.cli.study.cv", "cv", "Cross-validate models over the folds, job by job."),
    "ablation": (
        "training.cli.study.ablation",
        "ablation",
        "Measure what each factor brings, one at a time.",
    ),
    "search": ("training.cli.study.search", "search", "Search hyperparameters, on one machine or several."),
    "compare": ("training.cli.study.compare", "compare", "Put all models side by side, from their records."),
    "adapter": ("training.cli.adapter", "adapter", "Fit and calibrate a head on YAMNet's embedding."),
    "default": ("training.cli.default", "default", "Train, calibrate and package the model that ships."),
    "free": ("training.cli.free", "free", "Package mn04 as it is, with thresholds from free recordings."),
    "own": ("training.cli.own", "own", "Make a model of your own sounds, a folder per class."),
    "export": ("training.cli.export", "export", "Convert a trained model to its forms, each checked."),
    "robustness": ("training.cli.robustness", "robustness", "Attack models and disturb what they hear."),
    "pages": ("training.cli.pages", "pages", "Make every page of results again, from records."),
    "stream-eval": ("training.cli.stream_eval", "stream_eval", "Judge a model on streams, beside YAMNet."),
}
"""In the order in which a study calls them."""


class _Group(LateGroup):
    """Expected errors are one line on stderr and an exit code; Ctrl-C says how to go on."""

    modules = _COMMANDS

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except MonitorError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted; the same command goes on where it stopped", err=True)
            sys.exit(_EXIT_INTERRUPTED)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed or differs, 2 usage, 3 input (recordings, tables, records).",
)
def main() -> None:
    """Study the recordings; train, calibrate and export the models of sound-monitor."""
