"""``sound-monitor calibrate``: measure the microphone's sensitivity with a calibrator."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.common import common_options, node_option, read_config, stop_on_signals

if TYPE_CHECKING:
    from monitor.config.load import Config
    from monitor.records import Samples
    from monitor.sources.base import Source

_EXAMPLES = """\b
Examples:
  sound-monitor calibrate --at 94                 put the calibrator on the microphone first
  sound-monitor calibrate --at 114 tone.wav       a recording made with the same gain
"""


@click.command(epilog=_EXAMPLES)
@click.argument("recording", required=False, metavar="[FILE]", type=click.Path(path_type=Path))
@click.option(
    "--at",
    "at_db",
    type=click.FloatRange(60, 140),
    required=True,
    metavar="DB",
    help="Level of the calibrator, as is written on it: 94 or 114.",
)
@click.option(
    "--seconds", type=click.FloatRange(4, 120), default=10.0, show_default=True, help="How long to record."
)
@node_option
@common_options
def calibrate(
    recording: Path | None,
    at_db: float,
    seconds: float,
    node: str | None,
    config_file: Path | None,
    overrides: tuple[str, ...],
    debug: bool,
) -> None:
    """Find the sensitivity of the microphone from the tone of a sound calibrator.

    Prints the line for config.yaml with which levels become sound pressure levels in dB. It holds for
    this microphone at this gain. Exits with 3 when there is no steady, pure tone.
    """
    from monitor.config.nodes import one_node
    from monitor.errors import AudioError
    from monitor.level.calibration import find_tone, sensitivity_dbfs

    config = read_config(config_file, overrides, debug)
    if recording is None:
        config = one_node(config, node)
    source = _opened(config, recording, seconds, stop_on_signals())
    try:
        samples = _recorded(source, seconds if recording is None else None)
        tone = find_tone(samples, source.rate)
    except AudioError as error:
        raise AudioError(f"{source.name}: {error}") from error
    finally:
        source.close()
    click.echo(f"{source.name}: {tone.hz:.0f} Hz at {tone.level_dbfs:.1f} dBFS", err=True)
    click.echo(f"audio:\n  sensitivity_dbfs: {sensitivity_dbfs(tone, at_db):.1f}")


def _opened(config: Config, recording: Path | None, seconds: float, stop: threading.Event) -> Source:
    """The recording, else the configured source."""
    if recording is not None:
        from monitor.sources.files import FileSource

        return FileSource(recording)
    from monitor.node.opening import source_opener
    from monitor.stream.assembly import load_configured_model

    opener = source_opener(config.settings.audio, load_configured_model(config).card.sample_rate, stop)
    source = opener()
    click.echo(f"{source.name}: recording {seconds:g} s", err=True)
    return source


def _recorded(source: Source, seconds: float | None) -> Samples:
    """The source's audio as one channel; None: all of it."""
    import numpy as np

    from monitor.features.resample import mono

    parts, count = [], 0
    for block in source.blocks():
        parts.append(mono(block.samples))
        count += len(block.samples)
        if seconds is not None and count >= seconds * source.rate:
            break
    return np.concatenate(parts) if parts else np.empty(0, np.float32)
