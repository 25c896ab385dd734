"""``sound-training adapter``: a head on YAMNet's embedding, from recordings to the file that ships."""

from __future__ import annotations

from pathlib import Path

import click

from training.cli.options import Clock, data_option, parse_folds


@click.command()
@data_option
@click.option("--train", "train_folds", default="1,3", show_default=True, callback=parse_folds)
@click.option("--test", "test_folds", default="2", show_default=True, callback=parse_folds)
@click.option(
    "--network",
    type=click.Path(path_type=Path),
    help="YAMNet with its embedding; default: in the data folder.",
)
@click.option("--seed", default=0, show_default=True)
@click.option("--version", "model_version", default="0.1.0", show_default=True, help="Version in the card.")
@click.option("--models", default="models", show_default=True, type=click.Path(path_type=Path))
@click.option(
    "--records", default="docs/results/yamnet-adapter", show_default=True, type=click.Path(path_type=Path)
)
def adapter(
    data: Path | None, train_folds: tuple[int, ...], test_folds: tuple[int, ...], network: Path | None,
    seed: int, model_version: str, models: Path, records: Path,
) -> None:  # fmt: skip
    """Fit, calibrate and test a head on YAMNet's embedding.

    Embeddings are cached in .cache/features, so that an interrupted run resumes.

    \b
    Example:
      sound-training adapter --data ~/sounds --train 1,3 --test 2
    """
    from monitor.model.adapter import write_adapter
    from training.data.corpora import TEACHER_FILE, data_root, load
    from training.networks.yamnet import Yamnet
    from training.recipes.adapter import NAME, AdapterPlan, make
    from training.recipes.adapter_report import write_records
    from training.recipes.hearing import Ear

    folds = f"--train {','.join(map(str, train_folds))} --test {','.join(map(str, test_folds))}"
    command = f"sound-training adapter {folds} --seed {seed} --version {model_version}"
    plan = AdapterPlan(train_folds, test_folds, seed, model_version, command)
    root = data_root(data)
    embedding = Yamnet(network or root / "yamnet" / TEACHER_FILE)
    ear = Ear(embedding.window, embedding.digest)
    path = models / f"{NAME}.npz"
    outcome = make(plan, load(root), ear, Path(".cache/features"), path, Clock())
    models.mkdir(parents=True, exist_ok=True)
    write_adapter(outcome.adapter)
    write_records(outcome, plan, records)
    click.echo(str(path))
