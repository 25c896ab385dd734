"""All commands by name; each module is imported when its command is called."""

from __future__ import annotations

import importlib

import click

_COMMANDS = {
    "run": ("monitor.cli.run", "run", "Listen to the microphone and publish events."),
    "replay": ("monitor.cli.replay", "replay", "Send recordings through the same path."),
    "devices": ("monitor.cli.devices", "devices", "List the microphones."),
    "events": ("monitor.cli.events", "events", "Read the history of events."),
    "tune": ("monitor.cli.tune", "tune", "Choose thresholds from scores of your recordings."),
    "config": ("monitor.cli.config", "config", "Show the settings in force."),
    "model": ("monitor.cli.model", "model", "Show or check a model package."),
    "bench": ("monitor.cli.bench", "bench", "Measure what the monitor costs here."),
}

_EPILOG = """\b
Examples:
  sound-monitor replay examples/street.wav
  sound-monitor run --set mqtt.host=broker.lan
  sound-monitor COMMAND --help

\b
Exit codes: 0 done, 1 failed or differs, 2 usage or config, 3 input (file, model, device),
4 delivery, 130 broken off.
"""


class _LateGroup(click.Group):
    """Imports a command's module only when it is needed: start-up time counts."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in _COMMANDS.items()])


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from monitor import __version__

        click.echo(__version__)
        ctx.exit()


@click.group(
    cls=_LateGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_EPILOG,
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Listens, recognises urban sounds and publishes them as events over MQTT."""
