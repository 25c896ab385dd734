"""``sound-training default``: the shipped model, from recordings to package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.cli.options import Clock, data_option, parse_folds

if TYPE_CHECKING:
    from training.scoring.evaluation import Streamer


def _seeds(_: click.Context, __: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a list of seeds; write 0,1,2") from error


def _listed(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))


@click.command()
@data_option
@click.option("--folds", default="1,2,3", show_default=True, callback=parse_folds, help="At least two.")
@click.option(
    "--seeds", default="0", show_default=True, callback=_seeds,
    help="The first is used for the shipped model; the evaluation is repeated with each.",
)  # fmt: skip
@click.option(
    "--cross-corpus", is_flag=True,
    help="Evaluate across corpora only: train without ESC and test on it, and without UrbanSound8K; the "
    "shipped model is not changed.",
)  # fmt: skip
@click.option(
    "--curve", is_flag=True,
    help="Evaluate recall against false alarms only, beside 0.6.0 and YAMNet, which must be in the folder "
    "yamnet of the data; the shipped model is not changed.",
)  # fmt: skip
@click.option(
    "--left-out", is_flag=True,
    help="Write a package without each fold into the folder of runs, for evaluations on the fold; the "
    "shipped model is not changed.",
)  # fmt: skip
@click.option("--version", "model_version", default="0.7.0", show_default=True, help="Version in the card.")
@click.option("--models", default="models", show_default=True, type=click.Path(path_type=Path))
@click.option("--records", default="docs/results/default", show_default=True, type=click.Path(path_type=Path))
@click.option("--runs", default="runs/default", show_default=True, type=click.Path(path_type=Path))
@click.option(
    "--cache", default=".cache/features", show_default=True, type=click.Path(path_type=Path),
    help="Cache of mel power, mixtures and streams: 4 GB.",
)  # fmt: skip
@click.option(
    "--manifest", default="docs/results/default/manifest/background.csv", show_default=True,
    type=click.Path(path_type=Path), help="Source and licence of each background.",
)  # fmt: skip
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1), help="Processes.")
def default(
    data: Path | None, folds: tuple[int, ...], seeds: tuple[int, ...], cross_corpus: bool, curve: bool,
    left_out: bool, model_version: str, models: Path, records: Path, runs: Path, cache: Path,
    manifest: Path, jobs: int,
) -> None:  # fmt: skip
    """Train, calibrate, test and package the shipped model.

    Training starts from EfficientAT's mn04, whose tensors must be in the folder mn04 of the data. Each
    fold is held out in turn for evaluation and thresholds; the shipped model is trained on all folds.
    An interrupted run resumes when the same command is run again.

    \b
    Examples:
      sound-training default --data ~/sounds --folds 1,2,3 --seeds 0,1,2
      sound-training default --data ~/sounds --cross-corpus
      sound-training default --data ~/sounds --curve
      sound-training default --data ~/sounds --left-out
    """
    from training.data.corpora import data_root, load, unlabelled_sounds
    from training.export.package import NAME
    from training.recipes.sounds.material import find_material
    from training.recipes.transfer.beside.cross_corpus import across, write_tables
    from training.recipes.transfer.beside.curve import measure, write_curve
    from training.recipes.transfer.left_out import write_packages
    from training.recipes.transfer.make import Plan, make, workshop
    from training.recipes.transfer.report import with_quality, write_records
    from training.recipes.transfer.seen import write_seen
    from training.recipes.transfer.sounds import add_sounds
    from training.stream_eval.judge import soundscape_figures

    command = f"sound-training default --folds {_listed(folds)} --seeds {_listed(seeds)}"
    root = data_root(data)
    corpora = load(root)
    shop = workshop(corpora, unlabelled_sounds(root / "effects"), root, cache, runs, jobs, Clock())
    plan = Plan(folds, seeds, model_version, command)
    if curve:
        write_curve(measure(plan, corpora, shop, _others(root, models)), f"{command} --curve", records)
        return
    if left_out:
        for path in write_packages(plan, corpora, shop):
            click.echo(str(path))
        return
    if cross_corpus:
        write_tables(across(plan, corpora, shop), f"{command} --cross-corpus", records)
        return
    outcome = with_quality(make(plan, corpora, shop, soundscape_figures), plan)
    write_seen(corpora.backgrounds, records)
    write_records(outcome, plan, records)
    path = outcome.write(models / f"{NAME}.tflite")
    add_sounds(path, find_material(root, manifest), runs, lambda done: None)
    click.echo(str(path))


def _others(root: Path, models: Path) -> dict[str, Streamer]:
    """Return 0.6.0, which trained on these recordings, and YAMNet with its classes mapped to ours."""
    from monitor.config.load import SHIPPED_CONFIG, load_config
    from monitor.stream.assembly import load_configured_model
    from training.recipes.transfer.beside.curve import TRAINED
    from training.scoring.evaluation import Streamer
    from training.stream_eval.peers.by_config import YAMNET_FILE, yamnet_keys

    keys = {
        f"0.6.0 {TRAINED}": [f"model.path={models / 'urban-sounds-0.6.0.tflite'}"],
        "YAMNet": yamnet_keys(root / "yamnet" / YAMNET_FILE),
    }
    loaded = {name: load_configured_model(load_config(SHIPPED_CONFIG, some)) for name, some in keys.items()}
    return {
        name: Streamer(model.classifier(), model.card.hop, model.card.sample_rate)
        for name, model in loaded.items()
    }
