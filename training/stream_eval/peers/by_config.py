"""YAMNet as the monitor runs it by configuration, with its classes mapped to ours."""

from __future__ import annotations

import json
from pathlib import Path

from training.data.audio import RATE
from training.features.front_end import HOP

YAMNET_FILE = "yamnet.tflite"

YAMNET = {
    "air_conditioner": ("Air conditioning", "Mechanical fan", "Vacuum cleaner", "Hum"),
    "car_horn": ("Vehicle horn, car horn, honking", "Toot", "Air horn, truck horn", "Beep, bleep"),
    "children_playing": ("Children playing", "Children shouting", "Child speech, kid speaking"),
    "dog_bark": ("Dog", "Bark", "Yip", "Bow-wow", "Growling", "Whimper (dog)"),
    "drilling": ("Drill", "Dental drill, dentist's drill", "Power tool", "Sanding"),
    "engine_idling": ("Idling", "Engine", "Light engine (high frequency)", "Medium engine (mid frequency)",
                      "Heavy engine (low frequency)"),
    "gun_shot": ("Gunshot, gunfire", "Machine gun", "Fusillade", "Cap gun", "Explosion"),
    "jackhammer": ("Jackhammer",),
    "siren": ("Siren", "Police car (siren)", "Ambulance (siren)", "Fire engine, fire truck (siren)",
              "Civil defense siren", "Emergency vehicle"),
    "street_music": ("Music", "Musical instrument", "Guitar", "Drum", "Singing"),
}  # fmt: skip
"""Our class → YAMNet's; the score of a class is their maximum."""


def yamnet_keys(path: Path) -> list[str]:
    """Return the config keys with which the monitor runs YAMNet."""
    return [
        f"model.path={json.dumps(str(path))}",
        "model.input=waveform",
        f"model.sample_rate={RATE}",
        f"model.hop_s={HOP / RATE}",
        f"model.select={json.dumps(YAMNET)}",
    ]
