"""``sound-training data``: what recordings are here, and how to get more."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from training.cli.options import data_option


@click.group()
def data() -> None:
    """Look at the recordings."""


@data.command("check")
@data_option
def data_check(data: Path | None) -> None:
    """Say what is there, what is missing and what must be kept apart.

    \b
    Example:
      sound-training data check --data ~/sounds
    """
    from training.data import data_root, load

    corpora = load(data_root(data))
    per_fold = Counter(clip.fold for clip in corpora.urban)
    for fold in sorted(per_fold):
        click.echo(f"UrbanSound8K fold {fold}: {per_fold[fold]} clips")
    click.echo(f"ESC: {len(corpora.esc)} clips")
    shared = sum(clip.recording in corpora.urban_folds for clip in corpora.esc)
    click.echo(f"ESC clips from recordings of UrbanSound8K: {shared}; they follow that recording's fold")
    twice = sorted(r for r, folds in corpora.urban_folds.items() if len(folds) > 1)
    click.echo(
        f"Freesound ids in two folds: {', '.join(twice) or 'none'}; not trained on when either is tested"
    )
    for kind, count in sorted(Counter(clip.label for clip in corpora.backgrounds).items()):
        click.echo(f"background {kind}: {count} files")
    absent = Counter(name.split(":")[0] for name in corpora.missing)
    for where, count in sorted(absent.items()):
        click.echo(f"not here: {count} clips of {where}")
