"""``sound-monitor teach --pattern``: print the alarm pattern of a recording as lines for config.yaml."""

from __future__ import annotations

from pathlib import Path

import click

_EXAMPLE = "Example: sound-monitor teach --pattern washer washer.wav"
_LONGEST_S = 120.0


@click.command(epilog=_EXAMPLE)
@click.option("--pattern", "label", required=True, metavar="LABEL", help="Name of the pattern's events.")
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
def pattern_command(label: str, recording: Path, debug: bool) -> None:
    """Read the rhythm of a tone off a recording and print the lines for config.yaml.

    The recording holds two groups of beeps at least, or four regular beeps, and little else; what
    comes after two minutes is not read.
    """
    for line in pattern_lines(label, recording):
        click.echo(line)


def pattern_lines(label: str, recording: Path) -> list[str]:
    """Return the lines for config.yaml.

    Parameters
    ----------
    label : str
        Name of the pattern's events.
    recording : Path
        Any file that a replay reads.

    Raises
    ------
    AudioError
        If the recording cannot be read, or holds no pattern.
    """
    import numpy as np

    from monitor.config.listening import OwnPattern
    from monitor.config.patterns import own_pattern
    from monitor.errors import AudioError
    from monitor.features.resample import mono
    from monitor.patterns.read import read_pattern
    from monitor.sources.files import FileSource

    source = FileSource(recording)
    try:
        blocks = []
        for block in source.blocks():
            blocks.append(mono(block.samples))
            if block.position > _LONGEST_S * source.rate:
                break
    finally:
        source.close()
    try:
        found = read_pattern(np.concatenate(blocks), source.rate)
        # Frames of 32 ms or less blur the lengths; what the recording varies by comes on top.
        tolerance = min(0.25, max(0.1, round(found.spread + 0.05, 2)))
        values = {
            "hz": round(found.hz),
            "beep_s": round(found.beep_s, 2),
            "gap_s": round(found.gap_s, 2),
            "count": found.count,
            "pause_s": round(found.pause_s, 2),
            "tolerance": tolerance,
        }
        own_pattern(label, OwnPattern.model_validate(values))
    except ValueError as error:
        raise AudioError(f"{source.name}: {_first_line(error)}") from error
    body = ", ".join(f"{name}: {value}" for name, value in values.items())
    return ["events:", "  patterns:", "    own:", f"      {label}: {{{body}}}"]


def _first_line(error: ValueError) -> str:
    """What is wrong in one line; pydantic's messages have several."""
    return " ".join(str(error).split())
