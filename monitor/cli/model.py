"""``sound-monitor model``: show the content of a package and check it."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import click

from monitor.cli.common import common_options, read_config
from monitor.config.load import Config
from monitor.model.card import MultiHeadCard, Quality
from monitor.model.load import LoadedModel
from monitor.settings import silent
from monitor.stream.assembly import SHIPPED_MODEL, load_configured_model


@click.group(epilog="Example: sound-monitor model check my-model.tflite")
def model() -> None:
    """Show or check a model package."""


def _arguments(command: Callable[..., None]) -> Callable[..., None]:
    path = click.argument("path", required=False, type=click.Path(path_type=Path))
    return common_options(path(command))


def _load(
    path: Path | None, config_file: Path | None, overrides: tuple[str, ...], debug: bool
) -> LoadedModel:
    extra = () if path is None else (f"model.path={json.dumps(str(path))}",)
    loaded: Config = read_config(config_file, (*overrides, *extra), debug)
    return load_configured_model(loaded)


@model.command(epilog="Example: sound-monitor model show --json | jq .quality")
@_arguments
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def show(
    path: Path | None, config_file: Path | None, overrides: tuple[str, ...], debug: bool, as_json: bool
) -> None:
    """Print the card of PATH (default: the configured model)."""
    loaded = _load(path, config_file, overrides, debug)
    card = loaded.card
    if as_json:
        click.echo(json.dumps(card.model_dump(mode="json", by_alias=True), indent=2))
        return
    rate = card.sample_rate
    click.echo(f"{card.name} {card.version}   {loaded.package.path}")
    click.echo(f"licence   {card.licence}")
    for licence in card.data_licences:
        click.echo(f"data      {licence}")
    form = "" if card.state is None else f", state {card.state} values"
    times = f"window {card.window / rate:g} s, hop {card.hop / rate:g} s"
    click.echo(f"input     {card.front_end.kind}, {rate} Hz, {times}{form}")
    click.echo(f"output    {card.output}, temperature {card.temperature:g}, runtime {loaded.runtime}")
    click.echo(f"classes   {', '.join(card.classes)}")
    _show_sounds(loaded)
    for profile in dict.fromkeys(name for one in card.classes.values() for name in one.profiles):
        labels = silent(
            {k: one.profiles[profile] for k, one in card.classes.items() if profile in one.profiles}
        )
        if labels:
            click.echo(f"silent    with profile {profile}: {', '.join(labels)}")
    click.echo(f"negative  {', '.join(card.negative_labels) or 'none'}")
    for origin, figures in groupby(card.quality, _origin):
        for figure in figures:
            click.echo(f"quality   {figure.measure} = {figure.value:g}")
        click.echo(f"          of {origin}")


def _origin(figure: Quality) -> str:
    """What a figure was measured on: recordings, folds, and whether by these weights."""
    folds = f"folds {figure.fold}" if figure.fold[0].isdigit() and "," in figure.fold else figure.fold
    kind = (
        "cross-validated, not of these weights" if figure.recipe_cv else f"seed {figure.seed}, these weights"
    )
    return f"{figure.data}; {folds}; {kind}"


def _show_sounds(loaded: LoadedModel) -> None:
    """What `events.sounds` may name, if the model has sounds beside its classes."""
    card = loaded.card
    if not isinstance(card, MultiHeadCard) or card.outputs.sounds is None:
        return
    for name, sound in card.sounds.items():
        click.echo(f"sound     {name}: {'; '.join(sound.labels)}")
    click.echo(f"sounds    {card.outputs.sounds} labels: sound-monitor model sounds lists them")


@model.command(epilog="Example: sound-monitor model sounds | grep -i dog")
@_arguments
def sounds(path: Path | None, config_file: Path | None, overrides: tuple[str, ...], debug: bool) -> None:
    """List every name that events.sounds may have with PATH, a line each."""
    loaded = _load(path, config_file, overrides, debug)
    curated = loaded.card.sounds if isinstance(loaded.card, MultiHeadCard) else {}
    for name in (*curated, *loaded.package.sounds):
        click.echo(name)


@model.command(epilog="Example: sound-monitor model check my-model.tflite")
@_arguments
def check(path: Path | None, config_file: Path | None, overrides: tuple[str, ...], debug: bool) -> None:
    """Read PATH, compare it with its card and run it on silence and noise; exit 3 if a check fails."""
    loaded = _load(path, config_file, overrides, debug)
    where = loaded.package.path if loaded.package.path != SHIPPED_MODEL else "the shipped model"
    click.echo(f"{where}: good: {len(loaded.labels)} labels, {loaded.card.output}, runs on {loaded.runtime}")
