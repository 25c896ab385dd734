"""``sound-monitor bench``: measure CPU time, start-up time and memory on this machine."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import click

from monitor.cli.common import common_options, read_config
from monitor.errors import UsageError
from monitor.stream.assembly import assemble

_EXAMPLES = """Examples:
sound-monitor bench --against yamnet.tflite;
sound-monitor bench --hours 12 --memory memory.csv;
sound-monitor bench recordings/ --json"""


@click.command(epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, metavar="[FILE|DIR ...]", type=click.Path(path_type=Path))
@common_options
@click.option("--hours", type=click.FloatRange(0.001, 100), default=1.0, show_default=True,
              help="Without FILE: hours of audio to synthesise.")  # fmt: skip
@click.option("--format", "suffix", type=click.Choice(["ogg", "wav"]), default="ogg", show_default=True,
              help="Without FILE: format of the audio.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Without FILE: seed of the audio.")
@click.option("--against", type=click.Path(path_type=Path), metavar="MODEL",
              help="Compare with the inference of this model: 16 kHz waveforms every 0.48 s (YAMNet).",
              )  # fmt: skip
@click.option("--starts", type=click.IntRange(1, 100), default=7, show_default=True,
              help="Number of starts to time.")  # fmt: skip
@click.option("--memory", type=click.Path(path_type=Path), metavar="CSV",
              help="Write the resident memory during the replay.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bench(
    paths: tuple[Path, ...],
    config_file: Path | None,
    overrides: tuple[str, ...],
    debug: bool,
    hours: float,
    suffix: str,
    seed: int,
    against: Path | None,
    starts: int,
    memory: Path | None,
    as_json: bool,
) -> None:
    """Measure CPU time, start-up time and memory of a replay, and the CPU time of each part."""
    from monitor.bench.audio import write_noise_and_sounds
    from monitor.bench.measure import machine, measure_all
    from monitor.bench.reference import Reference
    from monitor.bench.report import as_text, as_values, write_memory
    from monitor.sources.files import find_audio

    assembly = assemble(read_config(config_file, overrides, debug))
    reference = None if against is None else Reference(against)
    if memory is not None:
        _check_writable(memory)
    options = [word for value in overrides for word in ("--set", value)]
    options += ["--config", str(config_file)] if config_file else []
    with tempfile.TemporaryDirectory(prefix="sound-monitor-bench-") as folder:
        hop_file = Path(folder, "hop.wav")
        write_noise_and_sounds(hop_file, assembly.hop_s / 3600, seed)
        files = find_audio(paths)
        if not files:
            files = [Path(folder, f"audio.{suffix}")]
            _say(f"synthesising {hours:g} h of audio, seed {seed}")
            write_noise_and_sounds(files[0], hours, seed)
        result = measure_all(assembly, files, hop_file, options, starts=starts, reference=reference, say=_say)
    if memory is not None:
        write_memory(memory, result)
    here = machine()
    click.echo(json.dumps(as_values(result, here), indent=2) if as_json else as_text(result, here))


def _say(text: str) -> None:
    click.echo(f"{text} …", err=True)


def _check_writable(path: Path) -> None:
    try:
        path.touch()
    except OSError as error:
        raise UsageError(f"--memory {path}: cannot write ({error.strerror})") from error
