"""``sound-training own``: a model of the user's own sounds."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click

from training.cli.options import Clock, progress

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def _package(_: click.Context, __: click.Parameter, path: Path) -> Path:
    if path.suffix != ".tflite" or not _NAME.fullmatch(path.stem):
        raise click.BadParameter(f"{path} must end in NAME.tflite, with letters, digits, . _ - in the name")
    return path


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, callback=_package, type=click.Path(path_type=Path), help="The package to write."
)
@click.option(
    "--background", type=click.Path(path_type=Path),
    help="Additional folder of sounds that belong to no class; may have subfolders.",
)  # fmt: skip
@click.option("--licence", default="not stated", show_default=True, help="Licence of the model.")
@click.option("--source", "sources", multiple=True, help="Source and licence of the sounds; repeatable.")
@click.option("--seed", default=0, show_default=True)
@click.option("--epochs", default=12, show_default=True, type=click.IntRange(1))
@click.option("--version", "model_version", default="0.1.0", show_default=True, help="Version in the card.")
@click.option("--records", type=click.Path(path_type=Path), help="Page and tables; default: beside the run.")
@click.option("--runs", default="runs", show_default=True, type=click.Path(path_type=Path))
def own(
    folder: Path, out: Path, background: Path | None, licence: str, sources: tuple[str, ...], seed: int,
    epochs: int, model_version: str, records: Path | None, runs: Path,
) -> None:  # fmt: skip
    """Train a model on your own sounds: a folder per class of .wav, .flac or .ogg files.

    FOLDER/background/ holds sounds that belong to no class, such as typical sounds at the microphone.
    Each file counts as one recording; name files cut from one recording RECORDING__TAKE.wav.
    An interrupted run resumes when the same command is run again.

    \b
    Example:
      sound-training own ~/sounds/workshop --out models/workshop.tflite --licence "mine"
      sound-monitor replay test.wav --set model.path=models/workshop.tflite
    """
    from training.data.folders import heard, label_counts, made_noises, read_folder
    from training.export.package import Identity
    from training.features.front_end import default_front_end
    from training.recipes.own import OwnPlan, make, small_run
    from training.recipes.own_report import write_records

    say, home = Clock(), runs / f"own-{out.stem}"
    sounds = read_folder(folder, background)
    for label, files, recordings in label_counts(sounds):
        click.echo(f"{label}: {files} files, {recordings} recordings", err=True)
    if not sounds.part.backgrounds:
        click.echo("no background/: only synthetic noise is used to limit false alarms", err=True)
    with progress(len(sounds.part.events), "decoding") as tick:
        sounds = heard(sounds, home / "sounds", tick)
    sounds = sounds.with_backgrounds(made_noises(home / "noises"))
    asked: list[tuple[str, object]] = [
        ("--background", background), ("--licence", licence), *(("--source", text) for text in sources),
        ("--seed", seed), ("--epochs", epochs),
    ]  # fmt: skip
    shown = " ".join(f"{name} {shlex.quote(str(value))}" for name, value in asked if value is not None)
    command = f"sound-training own {shlex.quote(str(folder))} --out {out} {shown}"
    plan = OwnPlan(
        small_run(seed, epochs),
        Identity(out.stem, licence, sources),
        model_version,
        command,
    )
    outcome = make(plan, sounds, default_front_end(home / "features"), home, say)
    outcome.write(out, sounds.labels)
    page = write_records(outcome, plan, sounds, records or home / "records")
    click.echo(str(out))
    click.echo(f"figures: {page}; next: sound-monitor model check {out}", err=True)
