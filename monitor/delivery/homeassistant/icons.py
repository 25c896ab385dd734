"""Material Design icons for sounds; pure."""

from __future__ import annotations

_ICONS = {
    "air_conditioner": "air-conditioner",
    "alarm": "alarm-bell",
    "baby": "baby-face-outline",
    "bark": "dog",
    "bell": "bell-ring-outline",
    "car_horn": "bugle",
    "cat": "cat",
    "children": "human-child",
    "cough": "account-alert-outline",
    "dog": "dog",
    "door": "door",
    "drill": "tools",
    "engine": "engine",
    "fire": "fire-alert",
    "glass": "glass-fragile",
    "gun": "pistol",
    "hammer": "hammer",
    "horn": "bugle",
    "loud": "volume-high",
    "music": "music",
    "scream": "account-alert",
    "siren": "alarm-light",
    "smoke": "smoke-detector-variant-alert",
    "speech": "account-voice",
    "thunder": "weather-lightning",
    "water": "water-alert",
}
"""Icon by substring of the label; the longest matching substring wins."""


def icon(label: str) -> str:
    """Return the icon of a label."""
    text = label.lower().replace(" ", "_")
    fitting = [part for part in _ICONS if part in text]
    return f"mdi:{_ICONS[max(fitting, key=len)]}" if fitting else "mdi:ear-hearing"
