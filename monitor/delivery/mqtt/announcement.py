"""What a node announces of itself to Home Assistant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Announcement:
    """What is announced about a node.

    Parameters
    ----------
    labels : tuple of str
        Labels that can currently be reported.
    gone : tuple of str
        Labels that cannot; anything announced for them by an earlier configuration is removed.
    version : str
        Version of this program.
    model : str
        Name and version of the model.
    level : bool
        Whether level messages are sent.
    noise : bool
        Whether the microphone is calibrated, which makes sound pressure levels available.
    commands : bool
        Whether commands are accepted.
    groups : tuple of str
        Names of groups of labels.
    gone_groups : tuple of str
        Names of groups that an earlier configuration had.
    profiles : tuple of str
        Profiles that can be selected.
    area : str or None
        Suggested area of the device.
    page : str or None
        Address of the page.
    """

    labels: tuple[str, ...]
    gone: tuple[str, ...] = ()
    version: str = ""
    model: str = ""
    level: bool = False
    noise: bool = False
    commands: bool = False
    groups: tuple[str, ...] = ()
    gone_groups: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    area: str | None = None
    page: str | None = None
