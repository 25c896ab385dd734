"""All commands by name."""

from __future__ import annotations

import click

from monitor.cli.late import LateGroup

_COMMANDS = {
    "run": ("monitor.cli.run", "run", "Listen to the microphone and publish events."),
    "replay": ("monitor.cli.replay.command", "replay", "Replay recordings through the live path."),
    "devices": ("monitor.cli.devices", "devices", "List the microphones."),
    "events": ("monitor.cli.events", "events", "Show the history of events."),
    "report": ("monitor.cli.report", "report", "Add up events by day and hour, as a page or a table."),
    "teach": ("monitor.cli.teach.command", "teach_command", "Teach a new sound from a few recordings of it."),
    "tune": ("monitor.cli.tune", "tune", "Choose thresholds from scores of your recordings."),
    "config": ("monitor.cli.config", "config", "Show the settings in force."),
    "forget": ("monitor.cli.forget", "forget", "Clear what the broker keeps of a node that is gone."),
    "model": ("monitor.cli.model", "model", "Show or check a model package."),
    "calibrate": ("monitor.cli.calibrate", "calibrate", "Find a microphone's sensitivity."),
    "bench": ("monitor.cli.bench", "bench", "Measure CPU time and memory on this machine."),
}

_EPILOG = """\b
Examples:
  sound-monitor replay examples/street.wav
  sound-monitor run --set mqtt.host=broker.lan
  sound-monitor COMMAND --help

\b
Exit codes: 0 done, 1 failed or differs, 2 usage or config, 3 input (file, model, device),
4 delivery, 130 interrupted.
"""


class _Commands(LateGroup):
    modules = _COMMANDS


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from monitor import __version__
        from monitor.model.package import read_package
        from monitor.model.runtime import installed_runtime
        from monitor.stream.assembly import SHIPPED_MODEL

        card = read_package(SHIPPED_MODEL).card
        click.echo(f"sound-monitor {__version__}")
        click.echo(f"model {card.name} {card.version}" if card else "model without a card")
        click.echo(f"runtime {installed_runtime() or 'none; pip install ai-edge-litert'}")
        ctx.exit()


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_EPILOG,
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the versions of program, shipped model and runtime, and exit.",
)
def cli() -> None:
    """Listens, recognises urban sounds and publishes them as events over MQTT."""
