"""``sound-training features``: fill the feature cache that every later step reads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.cli.options import data_option, progress, workers_option

if TYPE_CHECKING:
    from training.data.corpora import Clip
    from training.features.spec import FeatureSpec, Fill

_PRESETS = ("log-mel", "mfcc", "seed-frames", "seed-mel")
_RECIPES = ("shift", "pitch", "tempo", "room", "all")
_TIMED_CLIPS = 60


@click.command()
@data_option
@click.option(
    "--preset", "names", multiple=True, type=click.Choice(_PRESETS), default=_PRESETS, show_default=True,
    help="Feature preset; repeatable.",
)  # fmt: skip
@click.option("--fill", type=click.Choice(["repeat", "pad"]), default="repeat", show_default=True)
@click.option("--denoise", is_flag=True, help="Spectral gating before the analysis.")
@click.option("--bank", type=click.Choice(_RECIPES), help="Render augmented copies with this recipe instead.")
@click.option("--copies", type=click.IntRange(1), default=2, show_default=True, help="Copies per clip.")
@click.option("--speed", is_flag=True, help="Only measure the speed, on 60 clips.")
@workers_option
@click.option("--cache", type=click.Path(path_type=Path), default=".cache/features", show_default=True)
def features(
    data: Path | None, names: tuple[str, ...], fill: Fill, denoise: bool, bank: str | None, copies: int,
    speed: bool, workers: int, cache: Path,
) -> None:  # fmt: skip
    """Compute the features of all UrbanSound8K clips, or of augmented copies, into the cache.

    An interrupted run resumes when the same command is run again.

    \b
    Example:
      sound-training features --data ~/sounds --preset log-mel --preset mfcc
      sound-training features --data ~/sounds --preset log-mel --bank all --copies 4
    """
    from training.data.corpora import data_root, load
    from training.features.spec import presets

    clips = load(data_root(data)).urban
    for name in names:
        spec = replace(presets[name], fill=fill, denoise=denoise)
        if speed:
            click.echo(f"{name}: {_real_time(clips, spec):.0f} times real time a core")
        else:
            click.echo(_fill(clips, spec, bank, copies, cache, workers))


def _fill(
    clips: Sequence[Clip], spec: FeatureSpec, bank: str | None, copies: int, cache: Path, workers: int
) -> str:
    from training.features.altered import load_bank, recipes
    from training.features.store import load_features

    begin = time.monotonic()
    with progress(len(clips) * (copies if bank else 1), spec.kind) as tick:
        if bank:
            values = load_bank(clips, spec, recipes[bank], copies, cache, tick, workers).values
        else:
            values = load_features(clips, spec, cache, tick, workers).values
    what = f"{copies} copies by recipe {bank}" if bank else "features"
    took = time.monotonic() - begin
    return f"{spec.kind}: {what} of {len(clips)} clips, shape {values.shape}, in {took:.1f} s"


def _real_time(clips: Sequence[Clip], spec: FeatureSpec) -> float:
    """Return seconds of audio per second of one core, decoding and resampling included."""
    from threadpoolctl import threadpool_limits

    from training.data.audio import read
    from training.features.store import features_of

    chosen = clips[:: max(1, len(clips) // _TIMED_CLIPS)]
    seconds = sum(len(read(clip.path, spec.rate)) / spec.rate for clip in chosen)
    with threadpool_limits(1):
        # The first call compiles and builds tables, so it is not representative.
        features_of((chosen[0].path, None), spec)
        begin = time.process_time()
        for clip in chosen:
            features_of((clip.path, None), spec)
        return seconds / (time.process_time() - begin)
