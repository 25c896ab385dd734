"""False alarms on plain backgrounds, by kind of background and by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.tuning.poisson import interval
from training.data.audio import read
from training.data.corpora import CLASSES, Clip
from training.data.repeats import repeated
from training.mixing.soundscapes import RATE
from training.stream_eval.judge import MOVES
from training.stream_eval.replayed import Event, Hops, Profile

SPEECH = "speech"
URGENT = ("siren", "gun_shot", "car_horn", "jackhammer")
"""Classes whose false alarms are the most disruptive."""
VOICES_OR_MUSIC = (
    "airport", "bar", "bowl", "cafe", "carnival", "carousel", "choir", "church", "coffee", "crowd", "market",
    "music", "party", "pub", "radio", "restaurant", "school", "station", "supermarket", "temple",
)  # fmt: skip
"""Words in a file's name that indicate speech or music, where an alarm for
children_playing or street_music need not be false there."""

Stretches = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class BackgroundFigures:
    """One background under one profile.

    Parameters
    ----------
    seconds
        Duration without stretches that repeat an earlier one.
    repeated_s
        Duration of the repeated stretches in seconds.
    alarms
        False alarms by class.
    curve
        False alarms with all thresholds shifted by each of ``MOVES``.
    """

    name: str
    kind: str
    seconds: float
    repeated_s: float
    alarms: Mapping[str, int]
    curve: tuple[int, ...]

    @property
    def group(self) -> str:
        """``speech``, ``voices or music`` (by the name) or ``plain``."""
        if self.kind == SPEECH:
            return SPEECH
        words = self.name.rsplit("/", 1)[-1].replace("_", "-").split("-")
        return "voices or music" if set(words) & set(VOICES_OR_MUSIC) else "plain"


@dataclass(frozen=True)
class Alarms:
    """False alarms of some classes on some backgrounds."""

    background: str
    label: str
    hours: float
    count: int

    @property
    def per_hour(self) -> tuple[float, float, float]:
        """Rate per hour with its exact 95 % interval."""
        low, high = interval(self.count)
        return self.count / self.hours, low / self.hours, high / self.hours


def loops(clips: Sequence[Clip]) -> list[Stretches]:
    """Return the stretches of each file that repeat an earlier one."""
    return [repeated(read(clip.path, RATE), RATE) for clip in clips]


def background_figures(
    clips: Sequence[Clip], looped: Sequence[Stretches], streams: Sequence[Hops], profile: Profile
) -> tuple[BackgroundFigures, ...]:
    """Count the alarms in each file; alarms in repeated stretches count at their first occurrence only."""
    curves = [profile.detected(streams, moved) for moved in MOVES]
    detected = curves[MOVES.index(0.0)]
    backgrounds = []
    for number, (clip, stretches) in enumerate(zip(clips, looped, strict=True)):
        again_s = sum(end - start for start, end in stretches)
        events = counted(detected.events[number], stretches)
        labels = [event.label for event in events]
        backgrounds.append(
            BackgroundFigures(
                clip.recording,
                clip.label,
                detected.seconds[number] - again_s,
                again_s,
                {label: labels.count(label) for label in sorted(set(labels))},
                tuple(len(counted(moved.events[number], stretches)) for moved in curves),
            )
        )
    return tuple(backgrounds)


def counted(events: Sequence[Event], stretches: Stretches) -> list[Event]:
    """Return the events that do not begin in one of the stretches."""
    return [e for e in events if not any(start <= e.onset_s < end for start, end in stretches)]


def alarm_table(backgrounds: Sequence[BackgroundFigures]) -> list[Alarms]:
    """Return rows per kind and group for all classes, the :data:`URGENT` ones, and each; totals last."""
    rows = []
    kinds = [f"kind {kind}" for kind in sorted({one.kind for one in backgrounds})]
    groups = [
        group for group in ("plain", "voices or music", SPEECH) if any(b.group == group for b in backgrounds)
    ]
    for background in (*kinds, *groups, "all"):
        mine = [b for b in backgrounds if background in (f"kind {b.kind}", b.group, "all")]
        for name, labels in (("all", CLASSES), ("urgent", URGENT), *((label, (label,)) for label in CLASSES)):
            rows.append(_alarms(background, name, mine, labels))
    return rows


def _alarms(
    background: str, name: str, backgrounds: Sequence[BackgroundFigures], labels: Sequence[str]
) -> Alarms:
    count = sum(one.alarms.get(label, 0) for one in backgrounds for label in labels)
    return Alarms(background, name, sum(one.seconds for one in backgrounds) / 3600, count)
