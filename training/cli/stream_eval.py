"""``sound-training stream-eval``: evaluate models on streams through the monitor itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.cli.options import Clock, data_option, parse_folds

if TYPE_CHECKING:
    from training.base.report import Report

_FAMILIES = "snr,level,band,room,microphone,overlap"
_SCENES = 60
_QUICK_SCENES = 12
_QUICK_OUT = "runs/stream-eval-quick"


def _families(_: click.Context, __: click.Parameter, text: str) -> tuple[str, ...]:
    names = tuple(name for name in text.split(",") if name and name != "none")
    unknown = [name for name in names if name not in _FAMILIES.split(",")]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is not a sweep; choose from {_FAMILIES}, or none")
    return names


@click.command()
@data_option
@click.option(
    "--model", "models", multiple=True, type=click.Path(path_type=Path),
    help="Package trained without the test folds; repeatable, required but for --pool.",
)  # fmt: skip
@click.option(
    "--train", "train_folds", default="1,3", show_default=True, callback=parse_folds,
    help="Training folds of the models.",
)  # fmt: skip
@click.option("--test", "test_folds", default="2", show_default=True, callback=parse_folds)
@click.option("--scenes", default=_SCENES, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=0, show_default=True)
@click.option("--sweeps", default=_FAMILIES, show_default=True, callback=_families, help="Or none.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Parallel conditions.")
@click.option("--quick", is_flag=True, help=f"{_QUICK_SCENES} soundscapes, no sweeps, into {_QUICK_OUT}.")
@click.option(
    "--pool",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Skip evaluation; pool the records of several folders, one per fold, into a page. Repeatable.",
)
@click.option("--out", default="runs/stream-eval", show_default=True, type=click.Path(path_type=Path))
def stream_eval(
    data: Path | None, models: tuple[Path, ...], train_folds: tuple[int, ...], test_folds: tuple[int, ...],
    scenes: int, seed: int, sweeps: tuple[str, ...], jobs: int, quick: bool,
    pool: tuple[Path, ...], out: Path,
) -> None:  # fmt: skip
    """Evaluate models on one-minute soundscapes with eight sounds each and on backgrounds alone.

    Sounds and backgrounds are those of the test folds; the page says of a package whose card does not name
    these folds as held out, like the shipped ones. Results are recorded, so that an interrupted run
    resumes when the same command is run again.

    \b
    Examples:
      sound-training stream-eval --data ~/sounds --model mine.tflite --test 2 --jobs 2
      sound-training stream-eval --pool runs/fold1 --pool runs/fold2 --out runs/folds
    """
    from training.base.report import write
    from training.data.corpora import data_root, load
    from training.data.splits import split
    from training.errors import DataError
    from training.mixing.soundscapes import ScapePlan
    from training.stream_eval.page import compose
    from training.stream_eval.records import Setting
    from training.stream_eval.run import run
    from training.stream_eval.systems import panel

    if pool:
        write(pooled_page(pool, scenes, seed), out)
        click.echo(str(out / "README.md"))
        return
    if not models:
        raise click.UsageError("no package to evaluate; name one with --model")
    if quick:
        scenes, sweeps, out = min(scenes, _QUICK_SCENES), (), Path(_QUICK_OUT)
    absent = next((path for path in models if not path.is_file()), None)
    if absent is not None:
        raise DataError(f"{absent}: no such package")
    say, root = Clock(), data_root(data)
    parts = split(load(root), train_folds, test_folds)
    folder = out / "records"
    listeners, notes = panel(models, test_folds)
    setting = Setting(parts.test, ScapePlan(count=scenes, seed=seed))
    records = run(listeners, setting, sweeps, folder, jobs, say)
    named = "".join(f"--model {model} " for model in models)
    folds = f"--train {','.join(map(str, train_folds))} --test {','.join(map(str, test_folds))}"
    swept = f"--sweeps {','.join(sweeps) or 'none'}"
    command = f"sound-training stream-eval {named}{folds} --scenes {scenes} --seed {seed} {swept}"
    write(compose(records, setting.plan, command, notes), out)
    click.echo(str(out / "README.md"))


def pooled_page(folders: Sequence[Path], scenes: int = _SCENES, seed: int = 0) -> Report:
    """Return one page from the records of several folders with different test folds."""
    from training.mixing.soundscapes import ScapePlan
    from training.stream_eval.page import compose
    from training.stream_eval.pooled import pooled

    command = f"sound-training stream-eval {' '.join(f'--pool {folder}' for folder in folders)}"
    note = (
        "Each fold was scored by networks that were not trained on it. F1 and PSDS are means over the folds; "
        f"everything else is pooled: {', '.join(map(str, folders))}."
    )
    return compose(pooled(folders), ScapePlan(count=scenes, seed=seed), command, ("", note))
