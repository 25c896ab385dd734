"""Names of clips: ``2026-05-01/220000Z-dog_bark-0a1b2c3d4e5f.flac``; pure."""

from __future__ import annotations

import re

from monitor.clock import iso_utc
from monitor.delivery.topics import slug

_NAME = re.compile(r"\d{4}-\d\d-\d\d/\d{6}Z-([a-z0-9_-]+)-[0-9a-z]{1,12}\.flac", re.ASCII)
_LONGEST_LABEL = 60


def clip_name(utc: float, label: str, event_id: str) -> str:
    """Return the path of a clip relative to the folder of the clips.

    Parameters
    ----------
    utc : float
        Onset of the clip's first event, seconds since 1970.
    label, event_id : str
        Of that event.
    """
    text = iso_utc(utc)
    tail = re.sub(r"[^0-9a-z]", "", event_id.lower())[-12:] or "0"
    return f"{text[:10]}/{text[11:19].replace(':', '')}Z-{slug(label)[:_LONGEST_LABEL]}-{tail}.flac"


def label_of(name: str) -> str | None:
    """Return the label (as a slug) in the name of a clip; None if this is no name of a clip."""
    found = _NAME.fullmatch(name)
    return None if found is None else found[1]
