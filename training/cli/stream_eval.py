"""``sound-training stream-eval``: how well a model listens, on streams through the monitor itself."""

from __future__ import annotations

from pathlib import Path

import click

from training.cli.options import Clock, data_option, parse_folds


@click.command()
@data_option
@click.option(
    "--model", default="models/urban-sounds.tflite", show_default=True, type=click.Path(path_type=Path)
)
@click.option(
    "--train", "train_folds", default="1,3", show_default=True, callback=parse_folds,
    help="Folds that the model was trained on; the peer's thresholds are fitted there.",
)  # fmt: skip
@click.option("--test", "test_folds", default="2", show_default=True, callback=parse_folds)
@click.option("--scenes", default=60, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=0, show_default=True)
@click.option("--peer/--no-peer", default=True, show_default=True, help="YAMNet on the same streams.")
@click.option("--out", default="docs/results/stream-eval", show_default=True, type=click.Path(path_type=Path))
def stream_eval(
    data: Path | None, model: Path, train_folds: tuple[int, ...], test_folds: tuple[int, ...], scenes: int,
    seed: int, peer: bool, out: Path,
) -> None:  # fmt: skip
    """Judge a model on minutes with eight sounds each and on plain backgrounds.

    Sounds and backgrounds are those that `default` keeps from training.

    \b
    Example:
      sound-training stream-eval --data ~/sounds --test 2 --scenes 60
    """
    import json

    from monitor.config.load import SHIPPED_CONFIG, load_config
    from training.data import data_root, load
    from training.peers import YAMNET_FILE, fitted_yamnet
    from training.soundscapes import ScapePlan
    from training.splits import split
    from training.stream_report import evaluate, write_report

    say, root = Clock(), data_root(data)
    parts = split(load(root), train_folds, test_folds)
    listeners = {}
    for profile in ("quiet", "sensitive"):
        keys = [f"model.path={json.dumps(str(model))}", f"events.profile={profile}"]
        listeners[model.stem, profile] = load_config(SHIPPED_CONFIG, keys)
        if peer:
            say(f"fitting YAMNet's thresholds, profile {profile}")
            listeners["YAMNet", profile] = fitted_yamnet(
                root / "yamnet" / YAMNET_FILE, parts.train, profile, seed
            )
    folds = f"--train {','.join(map(str, train_folds))} --test {','.join(map(str, test_folds))}"
    command = f"sound-training stream-eval {folds} --scenes {scenes} --seed {seed}"
    rows = evaluate(listeners, parts.test, ScapePlan(count=scenes, seed=seed), say)
    write_report(rows, command, out)
    click.echo(str(out / "README.md"))
