"""``sound-monitor teach``: add a label from a few recordings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import click

from monitor.cli.common import common_options, read_config
from monitor.cli.teach_pattern import pattern_command
from monitor.cli.text import count_text
from monitor.clock import iso_utc
from monitor.config.load import Config
from monitor.errors import UsageError
from monitor.model.card import ClassCard
from monitor.model.linear import HeadCard, LinearHead, probe_embedding
from monitor.model.taught import LABEL, heads_folder, keep, remove, versions
from monitor.settings import ClassSettings
from monitor.sources.files import find_audio
from monitor.stream.assembly import Assembly, assemble
from monitor.stream.embeddings import embed
from monitor.teaching.fit import MERGE_S, Taught, teach

_EXAMPLES = """\b
Examples:
  sound-monitor teach doorbell bell-1.wav bell-2.wav bell-3.wav --background evening.flac
  sound-monitor teach kettle kettles/ --background kitchen/ --alarms-per-day 0.5
  sound-monitor teach --pattern washer washer.wav
  sound-monitor teach list
  sound-monitor teach remove kettle
"""

_EXIT_SCORE = 0.3
_SHORTEST_S = 0.5


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
    """Teach a new sound from 5 to 20 recordings of it: teach LABEL RECORDING... --background FILE."""


teach_command.add_command(pattern_command, "pattern")


@teach_command.command("sound", epilog=_EXAMPLES)
@click.argument("label")
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--background",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="A recording, or a folder of them, of the same place without the sound; an hour or more is good.",
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
    _check_label(label, assembly)
    examples = [embed(assembly, path).sounding for path in find_audio(recordings)]
    beside = [embed(assembly, path).rows for path in find_audio(background)]
    try:
        taught = teach(examples, beside, hop_s=assembly.hop_s, alarms_a_day=alarms_per_day)
    except ValueError as error:
        raise UsageError(f"teach: {error}; give more recordings") from error
    folder = heads_folder(config.settings.history_path)
    head = keep(folder, label, head_of(label, taught, assembly, folder))
    for line in expectation(label, taught):
        click.echo(line)
    click.echo(f"kept      {head.path}; a monitor that runs takes it at its next start")


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
    click.echo(f"{label} is forgotten; a monitor that runs reports it until its next start")


def expectation(label: str, taught: Taught) -> Sequence[str]:
    """Return what to expect of a head, in lines for people."""
    found = round(taught.recall * taught.examples)
    hours = taught.background_hours
    return (
        f"{label}: taught from {count_text(taught.examples, 'recording')}, {hours:.1f} h of background",
        f"recall    {found} of {taught.examples}, each by a head that was fitted without it",
        f"alarms    {taught.alarms_a_day:.1f} a day on that background "
        f"(95 % interval {taught.low:.1f} to {taught.high:.1f})",
    )


def head_of(label: str, taught: Taught, assembly: Assembly, folder: Path) -> LinearHead:
    """Return the head as it is stored: score 0.5 is its threshold."""
    card = assembly.model.card
    embedding = probe_embedding(card, assembly.model.classifier())
    assert embedding is not None  # there were embeddings to fit on
    settings = ClassSettings(enter=0.5, exit=_EXIT_SCORE, release_s=MERGE_S)
    head_card = HeadCard(
        schema=1,
        name=label,
        version="0",
        created=iso_utc(time.time()),
        model=f"{card.name} {card.version}",
        size=len(taught.weights),
        probe=(float(taught.weights @ embedding + taught.bias),),
        classes={label: ClassCard(shortest_s=_SHORTEST_S, profiles={"quiet": settings})},
    )
    weights, bias = taught.weights[None], taught.bias.astype("float32")[None]
    return LinearHead(folder / "new.npz", head_card, (label,), weights, bias)


def _check_label(label: str, assembly: Assembly) -> None:
    if not LABEL.fullmatch(label) or label in ("list", "remove", "sound", "pattern"):
        raise UsageError(f"teach {label}: a label is up to 60 letters, digits, _ and -; not list or remove")
    if label in assembly.model.labels:
        raise UsageError(f"teach {label}: the model has this label; choose another name")


def _folder(config_file: Path | None, overrides: tuple[str, ...], debug: bool) -> Path:
    config: Config = read_config(config_file, overrides, debug)
    return heads_folder(config.settings.history_path)
