"""YAMNet as the peer: run from config keys alone, its thresholds fitted as ours are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from monitor.assembly import load_configured_model
from monitor.config.load import SHIPPED_CONFIG, Config, load_config
from training.audio import read
from training.calibration import Heard, fit_class
from training.data import CLASSES, Clip
from training.prepare import HOP, RATE
from training.splits import Part
from training.streams import Scene, Scored, scene, score

YAMNET_FILE = "yamnet.tflite"
DEVELOPMENT_SNR_DB = (0.0, 20.0)

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
"""Our class → YAMNet's; a class scores their maximum."""


def yamnet_keys(path: Path) -> list[str]:
    """The config keys with which the monitor runs YAMNet at our hop."""
    return [
        f"model.path={json.dumps(str(path))}",
        "model.input=waveform",
        f"model.sample_rate={RATE}",
        f"model.hop_s={HOP / RATE}",
        f"model.select={json.dumps(YAMNET)}",
    ]


def fitted_yamnet(path: Path, part: Part, profile: str, seed: int) -> Config:
    """Return YAMNet's config with the thresholds of ``profile`` fitted on the training part."""
    keys = yamnet_keys(path)
    heard = _heard(load_config(SHIPPED_CONFIG, keys), part, seed)
    settings = {}
    for label in CLASSES:
        card = fit_class(label, list(YAMNET).index(label), heard)
        settings[label] = card.profiles[profile].model_dump()  # type: ignore[index]
    return load_config(SHIPPED_CONFIG, [*keys, f"events.classes={json.dumps(settings)}"])


def _heard(config: Config, part: Part, seed: int) -> Heard:
    """What YAMNet scores in the streams that our own thresholds are fitted on."""
    classifier = load_configured_model(config).classifier()
    rng = np.random.default_rng(seed)
    beds = [read(clip.path, RATE) for clip in part.backgrounds]

    def scored(stream: Scene) -> Scored:
        return score(stream, classifier, HOP, RATE)

    scenes = []
    for clip, label in part.events:
        if clip.salience != 1:
            continue
        bed, snr_db = beds[int(rng.integers(len(beds)))], float(rng.uniform(*DEVELOPMENT_SNR_DB))
        laid = scene(clip.path.stem, label, read(clip.path, RATE), bed, snr_db, RATE, rng)
        scenes.append(scored(laid))
    others = [scored(_plain(part.negatives))] if part.negatives else []
    return Heard(tuple(scenes), tuple(scored(_plain([bed])) for bed in part.backgrounds), tuple(others))


def _plain(clips: Sequence[Clip]) -> Scene:
    samples = np.concatenate([read(clip.path, RATE) for clip in clips])
    return Scene(clips[0].recording, "", samples, 0.0, len(samples) / RATE)
