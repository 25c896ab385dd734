"""``sound-training search``: hyperparameter search on a storage shared by several machines."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from training.cli.options import data_option, parse_folds
from training.cli.study.compare import RECORDS

_PATH = click.Path(path_type=Path)


def _folds(context: click.Context, option: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    return None if text is None else parse_folds(context, option, text)


@click.command()
@data_option
@click.option("--model", default="compact", show_default=True, help="Model to search, named as in cv.")
@click.option(
    "--trials", default=20, show_default=True, type=click.IntRange(0), help="Trials for each test fold."
)
@click.option(
    "--storage", default="sqlite:///runs/search.db", show_default=True, envvar="SOUND_SEARCH_STORAGE",
    help="Shared by workers: sqlite:///FILE on one machine, postgresql+psycopg://HOST/DB on several.",
)  # fmt: skip
@click.option("--study", "name", help="Name of the study; default: from model, corpus and epochs.")
@click.option("--folds", callback=_folds, help="Test folds, a study each; default: all available folds.")
@click.option("--seed", default=0, show_default=True, help="Seed of the networks, not of the sampler.")
@click.option("--epochs", default=10, show_default=True, type=click.IntRange(1), help="Epochs of each run.")
@click.option(
    "--corpus", type=click.Choice(["urbansound8k", "esc10"]), default="urbansound8k", show_default=True
)
@click.option("--out", type=_PATH, help="Folder of the page; default: docs/results/study/search/<study>.")
@click.option(
    "--records",
    type=_PATH,
    default=RECORDS,
    show_default=True,
    help="Records of `cv`, which judge the winners.",
)
@click.option("--runs", default="runs/search", show_default=True, type=_PATH, help="Records of trials.")
@click.option("--cache", default=".cache/features", show_default=True, type=_PATH)
def search(
    data: Path | None, model: str, trials: int, storage: str, name: str | None, folds: tuple[int, ...] | None,
    seed: int, epochs: int, corpus: Literal["urbansound8k", "esc10"], out: Path | None, records: Path,
    runs: Path, cache: Path,
) -> None:  # fmt: skip
    """Search the settings of a model with short runs, one study for each test fold.

    No trial trains or validates on the study's test fold; `cv` on that fold judges the winner, and the
    page shows what it found. Run the same command again to resume, or on more machines to share the
    work: all add to the same studies until these have their trials. --trials 0 only writes the pages.

    \b
    Examples:
      sound-training search --model compact --trials 20
      sound-training search --storage postgresql+psycopg://study@db.lan/study --trials 200
    """
    from training.base.report import write
    from training.base.variants import changed
    from training.data.corpora import data_root, load
    from training.records.jobs import read_all
    from training.study.folds import check_folds, labelled
    from training.study.search import nested
    from training.study.search.evaluate import Validated
    from training.study.search.page import compose
    from training.study.search.run import SearchPlan, best_first, open_storage, open_study, shown
    from training.study.search.run import search as run
    from training.study.search.space import space_of
    from training.study.task import Options

    here = labelled(load(data_root(data)), corpus)
    check_folds(folds or (), here)
    name = name or f"{model}-{corpus}-{epochs}"
    folder = out or Path("docs/results/study/search") / name
    command = f"sound-training search --model {model} --corpus {corpus} --epochs {epochs} --seed {seed}"
    evaluate = Validated(
        Options(data, corpus, cache, runs / name, epochs), seed, runs / name / "records", _say
    )
    winners = {}
    with open_storage(storage) as opened:
        for fold in folds or here.folds:
            plan = SearchPlan(model, (fold,), epochs, seed, corpus, space_of(model))
            study = open_study(opened, nested.study_name(name, fold), plan)
            _say(f"test fold {fold} on {shown(storage)}: {trials} trials of {epochs} epochs")
            run(study, plan, trials, evaluate, _say)
            write(compose(study, model, f"{command} --folds {fold}"), folder / f"fold{fold}")
            if best := best_first(study):
                winners[fold] = changed(model, best[0].params)
    click.echo(str(write(nested.compose(winners, model, corpus, read_all(records), command), folder)))


def _say(text: str) -> None:
    click.echo(text, err=True)
