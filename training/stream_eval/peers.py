"""Systems under test: own packages and, for comparison, YAMNet by configuration and with our head."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from monitor.config.load import SHIPPED_CONFIG, Config, load_config
from monitor.model.card import Card
from monitor.stream.assembly import load_configured_model
from training.data.audio import RATE
from training.data.corpora import CLASSES
from training.data.splits import Part
from training.features.front_end import HOP
from training.mixing.soundscapes import ScapePlan, make_soundscapes
from training.records.archive import text
from training.scoring.calibration import BUDGETS, RULE, CalibrationStreams, fit_class
from training.scoring.evaluation import Streamer
from training.stream_eval.records import THRESHOLDS, Listener, Setting

YAMNET_FILE = "yamnet.tflite"
DEVELOPMENT_SCAPES = 120

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
    """Return the config keys with which the monitor runs YAMNet, at the hop its thresholds are fitted for."""
    return [
        f"model.path={json.dumps(str(path))}",
        "model.input=waveform",
        f"model.sample_rate={RATE}",
        f"model.hop_s={HOP / RATE}",
        f"model.select={json.dumps(YAMNET)}",
    ]


def yamnet(path: Path, part: Part, seed: int, folder: Path) -> Listener:
    """Return YAMNet with thresholds of both profiles fitted on the training part, as ours are.

    The thresholds are cached in ``folder``, as fitting takes minutes.
    """
    keys = yamnet_keys(path)
    # A change of the selection rule invalidates the cached thresholds.
    rule = hashlib.sha256(repr((RULE, DEVELOPMENT_SCAPES)).encode()).hexdigest()[:8]
    key = f"{Setting(part, ScapePlan(seed=seed)).digest()}-{rule}"
    try:
        stored = json.loads(text(folder, THRESHOLDS))
    except (OSError, ValueError):
        stored = {}
    if stored.get("key") != key:
        stored = {"key": key, "profiles": _fitted(load_config(SHIPPED_CONFIG, keys), part, seed)}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{THRESHOLDS}.json").write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    overrides = {
        profile: (*keys, f"events.classes={json.dumps(settings)}")
        for profile, settings in stored["profiles"].items()
    }
    return Listener("YAMNet", overrides, (path,), peer=True)


def yamnet_head(network: Path, adapter: Path) -> Listener:
    """Return YAMNet with our head on its embedding; its card holds all settings."""
    keys = (f"model.path={json.dumps(str(network))}", f"model.adapter={json.dumps(str(adapter))}")
    overrides: dict[str, tuple[str, ...]] = {
        profile: (*keys, f"events.profile={profile}") for profile in BUDGETS
    }
    return Listener("YAMNet with head", overrides, (network, adapter), peer=True)


def own(path: Path) -> Listener:
    """Return one of our packages, named by its file."""
    keys = (f"model.path={json.dumps(str(path))}",)
    overrides: dict[str, tuple[str, ...]] = {
        profile: (*keys, f"events.profile={profile}") for profile in BUDGETS
    }
    return Listener(path.stem, overrides, (path,))


def unheard_folds(card: Card) -> frozenset[int]:
    """Return the folds for which the card has figures of exactly these weights, so they are held out."""
    folds = [q.fold for q in card.quality if not q.recipe_cv]
    return frozenset(int(number) for text in folds for number in re.findall(r"\d+", text))


def _fitted(config: Config, part: Part, seed: int) -> dict[str, dict[str, Any]]:
    heard = _heard(config, part, seed)
    cards = {label: fit_class(label, list(YAMNET).index(label), heard) for label in CLASSES}
    return {
        profile: {label: card.profiles[profile].model_dump() for label, card in cards.items()}
        for profile in BUDGETS
    }


def _heard(config: Config, part: Part, seed: int) -> CalibrationStreams:
    """Return YAMNet's scores on the streams that our own thresholds are fitted on."""
    model = load_configured_model(config)
    card, streamer = model.card, Streamer(model.classifier(), model.card.hop)
    scapes = make_soundscapes(part, ScapePlan(count=DEVELOPMENT_SCAPES, seed=seed))
    return CalibrationStreams(
        tuple(streamer.soundscapes(scapes)),
        tuple(streamer.beds(part.backgrounds)),
        tuple(streamer.joined(part.negatives, "ESC")),
        card.window / card.sample_rate,
        card.hop / card.sample_rate,
        min(one.shortest_s for one in card.classes.values()),
    )
