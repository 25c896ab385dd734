"""``sound-monitor tune``: choose thresholds from one's own recordings."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from monitor.cli.common import common_options, read_config
from monitor.cli.show.text import count_text
from monitor.errors import UsageError
from monitor.events.feasible import check_feasible
from monitor.settings import ClassSettings
from monitor.stream.assembly import Assembly, assemble
from monitor.tuning.choice import choose
from monitor.tuning.poisson import interval
from monitor.tuning.scored import Recording, read_scores
from monitor.tuning.sweep import Curve, Logic, Point, curves
from monitor.tuning.tables import config_lines, table
from monitor.tuning.tracks import Track, read_tracks

_EPILOG = """\b
Examples:
  sound-monitor replay week/ --scores week.npz
  sound-monitor tune week.npz --alarms-per-hour 0.2
  sound-monitor tune street.csv --events labels.tsv --plot street.svg
  sound-monitor tune week.npz --events tracks/ >tuned.yaml

A label track is a text file as Audacity exports it: start TAB end TAB label, in seconds; labels
are classes of the model. For several recordings, --events names a folder with <recording>.tsv or
.txt for each. A recording without a track holds none of the sounds.

An alert is true if its start_s, the estimated onset, lies within a labelled sound of its class,
extended by the collar on both sides. Every other alert is false. A sound is detected if a true
alert is on during it. One alert may cover several consecutive sounds; a sound that falls into a
cooldown counts as missed.

A threshold meets the target if it and all higher ones do. Of those, the one that detects most
sounds is chosen, then the one with fewest alarms, then the middle of equals. Without labelled
sounds all alerts are counted, and the lowest threshold is chosen that is not below the present
one. exit keeps its proportion to enter. Intervals are exact, 95 % (Garwood).
"""


@dataclass(frozen=True)
class _Wanted:
    events: Path | None
    collar: float
    alarms_per_hour: float
    plot: Path | None
    as_json: bool


@click.command(epilog=_EPILOG)
@click.argument("scores", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--events", type=click.Path(path_type=Path), metavar="TRACK|DIR",
              help="The true sounds: a label track, or a folder of them.")  # fmt: skip
@click.option("--collar", type=click.FloatRange(min=0), default=1.0, show_default=True, metavar="S",
              help="Seconds before and after a labelled sound that count as part of it.")  # fmt: skip
@click.option("--alarms-per-hour", type=click.FloatRange(min=0), default=0.5, show_default=True,
              metavar="N", help="Target: false alarms of a class.")  # fmt: skip
@click.option("--label", "labels", multiple=True, help="Tune only this class; may be repeated.")
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="FILE.svg", help="Write the curves as a picture."
)
@click.option("--json", "as_json", is_flag=True, help="Print all curves and choices as JSON.")
@common_options
def tune(
    scores: tuple[Path, ...],
    labels: tuple[str, ...],
    config_file: Path | None,
    overrides: tuple[str, ...],
    debug: bool,
    **wanted: object,
) -> None:
    """Choose thresholds from SCORES, files written by replay --scores.

    The monitor's event logic runs over the scores at each threshold, with the smoothing, attack,
    release, cooldown and minimum level of the config. Tables go to stderr, lines for config.yaml
    to stdout.
    """
    options = _Wanted(**wanted)  # type: ignore[arg-type]
    if options.plot is not None and options.plot.suffix != ".svg":
        raise UsageError(f"--plot {options.plot}: the picture is an SVG file; give a name that ends in .svg")
    assembly = assemble(read_config(config_file, overrides, debug))
    classes = _wanted_classes(assembly, labels)
    recordings = [recording for path in scores for recording in read_scores(path, assembly.labels)]
    tracks: list[Track] = [()] * len(recordings)
    if options.events is not None:
        # Labels of classes that are not being tuned are valid too.
        tracks = read_tracks(options.events, recordings, list(assembly.classes))
        _say_tracks(tracks)
    else:
        click.echo(
            "no --events: the recordings are taken as free of the sounds, every alert as a false alarm",
            err=True,
        )
    found = curves(recordings, tracks, _logic(assembly, classes), options.collar, _progress)
    chosen = {curve.label: choose(curve, options.alarms_per_hour) for curve in found}
    if options.plot is not None:
        _draw(options.plot, found, chosen)
    _report(found, chosen, recordings, options)


def _wanted_classes(assembly: Assembly, labels: Sequence[str]) -> Mapping[str, ClassSettings]:
    for label in labels:
        if label not in assembly.classes:
            raise UsageError(f"--label {label}: not a class that makes events; known are {_list(assembly)}")
    classes = {label: s for label, s in assembly.classes.items() if not labels or label in labels}
    if not classes:
        raise UsageError("events.enabled leaves no class to tune")
    return classes


def _list(assembly: Assembly) -> str:
    return ", ".join(assembly.classes)


def _logic(assembly: Assembly, classes: Mapping[str, ClassSettings]) -> Logic:
    card, cards = assembly.model.card, assembly.cards

    def can_switch_on(label: str, settings: ClassSettings) -> bool:
        problem = check_feasible(label, settings, cards[label].shortest_s, assembly.window_s, assembly.hop_s)
        return problem is None or problem.severity != "refuse"

    accepted = assembly.new_parts().classifier.accepted
    return Logic(assembly.labels, classes, card.sample_rate, card.hop, accepted, can_switch_on)


def _say_tracks(tracks: Sequence[Track]) -> None:
    click.echo(f"{count_text(sum(map(len, tracks)), 'labelled sound')}", err=True)
    empty = sum(not track for track in tracks)
    if empty:
        click.echo(
            f"{count_text(empty, 'recording')} without a track: assumed to hold none of the sounds", err=True
        )


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        click.echo(
            f"\rthreshold {done} of {total}" + ("\r\033[K" if done == total else ""), err=True, nl=False
        )


def _draw(path: Path, found: Sequence[Curve], chosen: Mapping[str, Point | None]) -> None:
    from monitor.tuning.picture import svg

    try:
        path.write_text(svg(found, chosen), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--plot {path}: cannot write ({error.strerror}); check the path") from error


def _report(
    found: Sequence[Curve],
    chosen: Mapping[str, Point | None],
    recordings: Sequence[Recording],
    options: _Wanted,
) -> None:
    hours = sum(recording.seconds for recording in recordings) / 3600
    target = options.alarms_per_hour
    for curve in found:
        click.echo(table(curve, chosen[curve.label]) + "\n", err=True)
    # Upper limit of the interval when there is no alarm at all.
    silent_limit = interval(0)[1]
    if target * hours < silent_limit:
        need = f"; {silent_limit / target:.3g} h would" if target else ""
        click.echo(f"{hours:.3g} h of audio cannot show {target:g} alarms an hour{need}", err=True)
    if options.as_json:
        click.echo(json.dumps(_values(found, chosen, hours, options), indent=2))
    else:
        click.echo(config_lines(found, chosen, hours, target))


def _values(
    found: Sequence[Curve], chosen: Mapping[str, Point | None], hours: float, options: _Wanted
) -> dict[str, object]:
    classes = {}
    for curve in found:
        pick = chosen[curve.label]
        classes[curve.label] = {
            "chosen": None if pick is None else {"enter": pick.enter, "exit": pick.exit},
            "curve": [_point(point) for point in curve.points],
        }
    return {
        "hours": round(hours, 4),
        "alarms_per_hour": options.alarms_per_hour,
        "labelled": options.events is not None,
        "classes": classes,
    }


def _point(point: Point) -> dict[str, object]:
    low, high = point.limits_per_hour
    return {
        "enter": point.enter,
        "exit": point.exit,
        "alarms": point.alarms,
        "alarms_per_hour": round(point.alarms_per_hour, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "heard": point.detected,
        "sounds": point.sounds,
    }
