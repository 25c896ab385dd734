"""``sound-monitor teach``: add a label from a few recordings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from monitor.cli.common import common_options, read_config
from monitor.cli.teach.pattern import pattern_command
from monitor.config.load import Config
from monitor.errors import UsageError
from monitor.history.background import BackgroundSample, background_path, in_blocks
from monitor.model.taught import heads_folder, keep, remove, versions
from monitor.sources.files import find_audio
from monitor.stream.assembly import Assembly, assemble
from monitor.stream.embeddings import embed
from monitor.teaching.fit import Rows, averaged_hops, teach
from monitor.teaching.heads import expectation, sound_head, why_no_label

_EXAMPLES = """\b
Examples:
  sound-monitor teach doorbell bell-1.wav bell-2.wav bell-3.wav --background evening.flac
  sound-monitor teach kettle kettles/ --background kitchen/ --alarms-per-day 0.5
  sound-monitor teach bell bells/          # background: what the page collected
  sound-monitor teach --pattern washer washer.wav
  sound-monitor teach list
  sound-monitor teach remove kettle
"""


class _TeachByDefault(click.Group):
    """Takes everything that names no command of its own for ``sound``, and ``--pattern`` for ``pattern``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].split("=")[0] == "--pattern":
            args = ["pattern", *args]
        elif args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["sound", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_TeachByDefault, epilog=_EXAMPLES)
def teach_command() -> None:
    """Teach a new sound from 5 to 20 recordings of it: teach LABEL RECORDING..."""


teach_command.add_command(pattern_command, "pattern")


@teach_command.command("sound", epilog=_EXAMPLES)
@click.argument("label")
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--background",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A recording, or a folder of them, of the same place without the sound; an hour or more is good. "
    "Default: the background that the page collected beside the history.",
)
@click.option(
    "--alarms-per-day",
    type=click.FloatRange(min=0.01, max=1000),
    default=1.0,
    show_default=True,
    help="False alarms a day that the threshold may raise.",
)
@common_options
def teach_sound(
    label: str,
    recordings: tuple[Path, ...],
    background: tuple[Path, ...],
    alarms_per_day: float,
    config_file: Path | None,
    overrides: tuple[str, ...],
    debug: bool,
) -> None:
    """Teach one sound. One recording an example: different ones, not pieces of one."""
    config = read_config(config_file, overrides, debug)
    assembly = assemble(config)
    folder = heads_folder(config.settings.history_path)
    _check_label(label, assembly, folder)
    examples = [embed(assembly, path).sounding for path in find_audio(recordings)]
    hops = averaged_hops(assembly.window_s, assembly.hop_s)
    beside = _background(assembly, config.settings.history_path, background)
    try:
        taught = teach(examples, beside, hop_s=assembly.hop_s, hops=hops, alarms_a_day=alarms_per_day)
    except ValueError as error:
        raise UsageError(f"teach: {error}; give more recordings") from error
    head = keep(folder, label, sound_head(label, taught, assembly.model))
    for line in (label, *expectation(head.card)):
        click.echo(line)
    click.echo(f"kept      {head.path}; a monitor that runs takes it over within seconds")


@teach_command.command("list")
@common_options
def list_command(config_file: Path | None, overrides: tuple[str, ...], debug: bool) -> None:
    """List the sounds that were taught."""
    for label, files in versions(_folder(config_file, overrides, debug)).items():
        click.echo(f"{label:18} version {len(files)}  {files[-1]}")


@teach_command.command("remove")
@click.argument("label")
@common_options
def remove_command(label: str, config_file: Path | None, overrides: tuple[str, ...], debug: bool) -> None:
    """Forget a sound that was taught, with all its versions."""
    if not remove(_folder(config_file, overrides, debug), label):
        raise UsageError(f"teach remove {label}: no such sound was taught; see teach list")
    click.echo(f"{label} is forgotten; a monitor that runs stops to report it within seconds")


def _background(assembly: Assembly, history: Path, recordings: Sequence[Path]) -> Sequence[Rows]:
    """Return the embeddings of the recordings, or else of the background that the page collected.

    Raises
    ------
    UsageError
        There is neither.
    """
    if recordings:
        return [embed(assembly, path).rows for path in find_audio(recordings)]
    model, collected = assembly.model, background_path(history)
    if collected.exists() and model.probe is not None:
        sample = BackgroundSample(collected, model.card.title)
        if found := in_blocks(sample.read(len(model.probe))):
            click.echo(f"background  {sample.seconds / 3600:.1f} h of {collected}", err=True)
            return found
    raise UsageError(
        f"teach: no background: name recordings with --background, or let the page collect it in {collected} "
        "(web.enabled)"
    )


def _check_label(label: str, assembly: Assembly, folder: Path) -> None:
    taught = set(versions(folder))
    if reason := why_no_label(label, set(assembly.possible_labels) - taught | taught - {label}):
        raise UsageError(f"teach {label}: {reason}")


def _folder(config_file: Path | None, overrides: tuple[str, ...], debug: bool) -> Path:
    config: Config = read_config(config_file, overrides, debug)
    return heads_folder(config.settings.history_path)
