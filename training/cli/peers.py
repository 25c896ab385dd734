"""``sound-training peers``: the default model's networks beside peers at equal false alarms."""

from __future__ import annotations

from pathlib import Path

import click

from training.cli.options import Clock, data_option, parse_folds
from training.cli.study.cv import parse_numbers

_PATH = click.Path(path_type=Path)


@click.command()
@data_option
@click.option("--folds", default="1,2,3", show_default=True, callback=parse_folds, help="At least two.")
@click.option("--seeds", default="0,1,2", show_default=True, callback=parse_numbers)
@click.option("--runs", default="runs/default", show_default=True, type=_PATH, help="Networks of `default`.")
@click.option("--cache", default=".cache/features", show_default=True, type=_PATH)
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option(
    "--only-peers",
    is_flag=True,
    help="Leave out the default model's networks, which `default` must have trained.",
)
@click.option("--out", default="docs/results/peers", show_default=True, type=_PATH)
def peers(
    data: Path | None, folds: tuple[int, ...], seeds: tuple[int, ...], runs: Path, cache: Path, jobs: int,
    only_peers: bool, out: Path,
) -> None:  # fmt: skip
    """Compare the default recipe's networks with YAMNet and mn04, untouched and with a linear head.

    Every system gets a temperature and thresholds of its own from the folds that it is not tested on, and
    is compared at 1, 5 and 20 false alarms an hour. Run `default` with the same folds, seeds and folders
    first: its networks and streams are used. Scores and counts are kept, so that an interrupted run resumes.

    \b
    Example:
      sound-training peers --data ~/sounds --folds 1,2,3 --seeds 0,1,2
    """
    from training.base.report import write
    from training.data.corpora import data_root, load, unlabelled_sounds
    from training.recipes.transfer.make import Plan, workshop
    from training.stream_eval.peers.page import compose
    from training.stream_eval.peers.records import read_counts
    from training.stream_eval.peers.run import run

    root, say = data_root(data), Clock()
    corpora = load(root)
    command = f"sound-training peers --folds {_listed(folds)} --seeds {_listed(seeds)}"
    shop = workshop(corpora, unlabelled_sounds(root / "effects"), root, cache, runs, jobs, say)
    plan = Plan(folds, () if only_peers else seeds, "", command)
    run(plan, corpora, shop, root, out / "records")
    click.echo(str(write(compose(read_counts(out / "records")), out)))


def _listed(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))
