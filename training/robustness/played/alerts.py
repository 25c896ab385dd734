"""Alerts of the running monitor on adversarial sounds.

Sounds are mixed over a street and replayed through the monitor itself, including its resampling,
hop alignment, event logic and thresholds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.base.arrays import Floats
from training.base.progress import Progress
from training.data.audio import RATE, Waveform
from training.data.corpora import CLASSES, Clip
from training.mixing.streams import Scene, scene
from training.robustness.attacks.methods import quantised, sounds_of
from training.robustness.played.backgrounds import recordings, waveforms
from training.robustness.played.transfer import perturbed
from training.robustness.targets.networks import Target
from training.stream_eval.records import Listener
from training.stream_eval.replayed import Profile, listen

SIREN = "siren"
AS_RECORDED = "as recorded"
BED_DB = 15.0
"""SNR of a siren over its street in dB."""


@dataclass(frozen=True)
class Alerted:
    """Sirens on a street, evaluated by the running monitor with one profile.

    Parameters
    ----------
    alerts
        By version of the sirens ("as recorded", "20 dB", "noise at 20 dB"), whether each raised the alert
        after its onset.
    heard
        Whether the receiver's weights were trained on recordings of this fold.
    recordings, streets
        Source recordings of the sirens, and of their backgrounds.
    """

    source: str
    receiver: str
    profile: str
    fold: int
    seed: int
    clips: tuple[str, ...]
    alerts: Mapping[str, tuple[bool, ...]]
    heard: bool = False
    recordings: tuple[str, ...] = ()
    streets: tuple[str, ...] = ()


def alerted(
    source: Target,
    listener: Listener,
    sirens: Sequence[Clip],
    streets: Sequence[Clip],
    heard: bool,
    steps: int,
    say: Progress,
) -> list[Alerted]:
    """Replay clean and perturbed sirens on a street through the monitor; return a finding per profile."""
    sounds = sounds_of(sirens)
    truth = np.full(len(sirens), CLASSES.index(SIREN))
    made = {AS_RECORDED: sounds, **perturbed(source, sounds, truth, steps, say)}
    beds = waveforms(streets)
    by_profile: dict[str, dict[str, tuple[bool, ...]]] = {}
    for name, given in made.items():
        say(f"{listener.name}: replaying {len(sirens)} sirens, {name}")
        for profile, alerts in raised(listener, on_street(given, beds)).items():
            by_profile.setdefault(profile, {})[name] = alerts
    job, stems = source.job, tuple(clip.path.stem for clip in sirens)
    return [
        Alerted(
            job.model, listener.name, profile, job.test_fold, job.seed, stems, alerts, heard,
            recordings(sirens), recordings(streets),
        )
        for profile, alerts in by_profile.items()
    ]  # fmt: skip


def on_street(sounds: Floats, streets: Sequence[Waveform]) -> list[Scene]:
    """Mix every sound over a street; all versions of a sound get the same street and offset."""
    return [
        scene(
            f"{n}", SIREN, sound, streets[n % len(streets)], BED_DB, RATE, np.random.default_rng(n)
        )
        for n, sound in enumerate(sounds)
    ]  # fmt: skip


def raised(listener: Listener, scenes: Sequence[Scene]) -> dict[str, tuple[bool, ...]]:
    """Return by profile whether the monitor reports a siren in each mixture after the onset."""
    assemblies = {profile: listener.assembly(profile) for profile in listener.overrides}
    with tempfile.TemporaryDirectory() as place:
        files = [_written(Path(place) / f"{n}.wav", one.samples) for n, one in enumerate(scenes)]
        streams = listen(next(iter(assemblies.values())), files)
    found = {}
    for profile, assembly in assemblies.items():
        events = Profile(assembly).detected(streams).events
        found[profile] = tuple(
            any(e.label == SIREN and e.decided_s >= s.onset_s for e in mine)
            for mine, s in zip(events, scenes, strict=True)
        )
    return found


def _written(path: Path, samples: Waveform) -> Path:
    import soundfile

    soundfile.write(path, quantised(samples), RATE, subtype="PCM_16")
    return path
