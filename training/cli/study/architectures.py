"""``sound-training architectures``: size, compute, receptive field and latency of each network."""

from __future__ import annotations

import json

import click

from monitor.errors import UsageError


@click.command()
@click.option("--models", help="Names, comma-separated; default: all.")
@click.option("--outputs", default=10, show_default=True, type=click.IntRange(2))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line instead of the table.")
def architectures(models: str | None, outputs: int, as_json: bool) -> None:
    """Print parameters, multiply-adds, receptive field, TFLite size and latency of each network.

    Networks are built with fresh weights, converted in a child process and compared with Keras;
    latency is the median of one input at a time on one thread of this machine.

    \b
    Example:
      sound-training architectures --models cnn,compact
    """
    from training.networks.catalogue import ARCHITECTURES
    from training.study.survey import page, survey

    names = models.split(",") if models else list(ARCHITECTURES)
    unknown = [name for name in names if name not in ARCHITECTURES]
    if unknown:
        raise UsageError(f"--models {unknown[0]}: there are {', '.join(ARCHITECTURES)}")
    found = []
    for name in names:
        click.echo(f"measuring {name}", err=True)
        found.append(survey(ARCHITECTURES[name], outputs))
    if not as_json:
        click.echo(page(found))
        return
    for one in found:
        values = {key: value for key, value in vars(one).items() if key != "architecture"}
        click.echo(json.dumps({"network": one.architecture.name, **values}))
