"""Which AudioSet labels represent which sound, and which recordings may contain it.

AudioSet's 527 labels include no washing machine, so no group represents one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SoundGroup:
    """A sound and the AudioSet labels that represent it; its score is their maximum.

    Parameters
    ----------
    shortest_s
        Shortest duration in seconds that must be detected.
    clips
        Categories of clips (ESC-50, UrbanSound8K) that are this sound.
    near
        Further categories that may contain it and are excluded from its evaluation.
    may_hold
        Substrings of names of background recordings that may contain it and are excluded likewise.
    """

    labels: tuple[str, ...]
    shortest_s: float = 0.5
    clips: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    may_hold: tuple[str, ...] = ()


_VOICES = ("hedgewars",)
"""Recordings of a game with shrill voices: cries, coughs and laughter among the words."""

SOUNDS: Mapping[str, SoundGroup] = {
    "baby_cry": SoundGroup(
        ("Baby cry, infant cry", "Crying, sobbing"), clips=("baby_cry",), may_hold=_VOICES
    ),
    "scream": SoundGroup(("Screaming",), near=("baby_cry",), may_hold=_VOICES),
    "cough": SoundGroup(("Cough", "Throat clearing"), 0.3, clips=("coughing",), may_hold=_VOICES),
    "sneeze": SoundGroup(("Sneeze",), 0.3, clips=("person_sneeze",), may_hold=_VOICES),
    "snoring": SoundGroup(("Snoring",), 1.0, clips=("snoring",), near=("breathing",)),
    "laughter": SoundGroup(
        ("Laughter", "Snicker", "Chuckle, chortle", "Giggle", "Belly laugh"),
        clips=("laughing",),
        may_hold=_VOICES,
    ),
    "clapping": SoundGroup(("Clapping", "Applause"), clips=("clapping",)),
    "footsteps": SoundGroup(("Walk, footsteps",), 1.0, clips=("footsteps",), may_hold=("walk",)),
    "knock": SoundGroup(("Knock",), 0.3, clips=("door_knock", "door_wood_knock")),
    "doorbell": SoundGroup(("Doorbell", "Ding-dong"), near=("church_bells",)),
    "telephone": SoundGroup(("Telephone bell ringing", "Ringtone"), 1.0, near=("clock_alarm",)),
    "alarm_clock": SoundGroup(("Alarm clock", "Alarm", "Beep, bleep"), 1.0, ("clock_alarm",), (), ("morse",)),
    "smoke_alarm": SoundGroup(("Smoke detector, smoke alarm", "Fire alarm"), 1.0, near=("clock_alarm",)),
    "car_alarm": SoundGroup(("Car alarm",), 1.0, near=("siren", "car_horn"), may_hold=("morse",)),
    "glass_break": SoundGroup(("Breaking", "Smash, crash", "Shatter"), 0.3, clips=("glass_breaking",)),
    "cat": SoundGroup(("Cat", "Meow", "Caterwaul"), clips=("cat",), may_hold=("cat-purring", "purring-cat")),
    "rooster": SoundGroup(
        ("Crowing, cock-a-doodle-doo", "Chicken, rooster"),
        clips=("rooster", "hen"),
        may_hold=("village", "morning"),
    ),
    "crow": SoundGroup(("Crow", "Caw"), clips=("crow",), may_hold=("seagull",)),
    "vacuum_cleaner": SoundGroup(("Vacuum cleaner",), 2.0, clips=("vacuum_cleaner",), may_hold=("vacuum",)),
    "toilet_flush": SoundGroup(("Toilet flush",), 2.0, clips=("toilet_flush",)),
    "running_water": SoundGroup(
        ("Water tap, faucet", "Sink (filling or washing)"),
        1.0,
        ("pouring_water",),
        ("toilet_flush",),
        ("water-hose",),
    ),
    "typing": SoundGroup(
        ("Typing", "Computer keyboard"),
        1.0,
        ("keyboard_typing",),
        ("mouse_click",),
        ("keyboard", "typewriter"),
    ),
    "thunder": SoundGroup(
        ("Thunder", "Thunderstorm"), 1.0, ("thunderstorm",), ("rain",), ("thunder", "storm", "rain")
    ),
    "rain": SoundGroup(
        ("Rain", "Rain on surface", "Raindrop"),
        2.0,
        ("rain",),
        ("thunderstorm",),
        ("rain", "storm", "thunder", "windshield"),
    ),
    "church_bells": SoundGroup(("Church bell", "Change ringing (campanology)"), 1.0, ("church_bells",)),
    "train": SoundGroup(
        ("Train", "Rail transport", "Railroad car, train wagon"), 2.0, ("train",), (), ("train",)
    ),
    "airplane": SoundGroup(
        ("Aircraft", "Fixed-wing aircraft, airplane"), 2.0, ("airplane",), ("helicopter",), ("airplane",)
    ),
    "helicopter": SoundGroup(("Helicopter",), 2.0, ("helicopter",), ("airplane",)),
    "fireworks": SoundGroup(("Fireworks", "Firecracker"), 0.3, ("fireworks",)),
    "chainsaw": SoundGroup(("Chainsaw",), 1.0, ("chainsaw",)),
    "hand_saw": SoundGroup(("Sawing",), 0.5, ("hand_saw",)),
}
"""The curated sounds."""

_STREETS = ("city", "street", "traffic", "road")
"""Recordings of streets, which contain horns and engines."""

CLASSES: Mapping[str, SoundGroup] = {
    "air_conditioner": SoundGroup(("Air conditioning", "Mechanical fan"), 2.0, ("air_conditioner",)),
    "car_horn": SoundGroup(
        ("Vehicle horn, car horn, honking", "Toot", "Air horn, truck horn"),
        0.3,
        ("car_horn",),
        may_hold=_STREETS,
    ),
    "children_playing": SoundGroup(("Children playing", "Children shouting"), 1.0, ("children_playing",)),
    "dog_bark": SoundGroup(("Bark", "Dog", "Yip", "Bow-wow"), 0.3, ("dog_bark",), may_hold=("village",)),
    "drilling": SoundGroup(("Drill", "Power tool"), 1.0, ("drilling",), ("chainsaw", "hand_saw")),
    "engine_idling": SoundGroup(
        ("Idling", "Medium engine (mid frequency)", "Engine"),
        2.0,
        ("engine_idling", "engine"),
        ("chainsaw", "helicopter", "airplane", "washing_machine", "train"),
        _STREETS,
    ),
    "gun_shot": SoundGroup(
        ("Gunshot, gunfire", "Machine gun", "Fusillade"), 0.3, ("gun_shot",), ("fireworks",)
    ),
    "jackhammer": SoundGroup(("Jackhammer",), 1.0, ("jackhammer",)),
    "siren": SoundGroup(
        (
            "Siren", "Police car (siren)", "Ambulance (siren)", "Fire engine, fire truck (siren)",
            "Civil defense siren",
        ),
        1.0,
        ("siren",),
        ("car_horn",),
    ),
    "street_music": SoundGroup(
        ("Music",), 2.0, ("street_music",), ("church_bells",),
        ("cafe", "coffee", "restaurant", "vinyl", "singing-bowl", "sanctuary", "story"),
    ),
}  # fmt: skip
"""The ten classes of the monitor, for a package without a class head of its own."""
