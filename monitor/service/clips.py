"""Wires up the clips for ``run`` and ``replay``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from monitor.clips.folder import ClipFolder
from monitor.clips.limits import ClipLimits
from monitor.clips.stream import ClipRules, StreamClips
from monitor.clips.writer import ClipWriter
from monitor.config.load import Config, nearest
from monitor.errors import ConfigError
from monitor.stream.assembly import Assembly

SPEECH = (
    "Speech", "Male speech, man speaking", "Female speech, woman speaking", "Child speech, kid speaking",
    "Conversation", "Narration, monologue", "Whispering", "Shout", "Hubbub, speech noise, speech babble",
    "Chatter",
)  # fmt: skip
"""Labels of AudioSet for which ``clips.skip_speech`` keeps no clip."""


@dataclass(frozen=True)
class Clips:
    """The clips of a process: what they hold, and where they go."""

    rules: ClipRules
    folder: ClipFolder
    writer: ClipWriter

    def of_stream(self, source_rate: int) -> StreamClips:
        """Return what cuts the clips of a new stream."""
        return StreamClips(self.rules, source_rate, self.writer.put)


@contextmanager
def open_clips(config: Config, assembly: Assembly, folder: Path | None = None) -> Iterator[Clips | None]:
    """Keep clips for the duration of the context; yields None if none are kept.

    Parameters
    ----------
    folder : Path or None
        Folder of a replay, which keeps clips there whatever ``clips.enabled`` says; None in a live monitor.

    Raises
    ------
    ConfigError
        A label is unknown, or the model cannot detect speech.
    ClipError
        In a replay, the folder cannot be written.
    """
    section = config.settings.clips
    if folder is None and not section.enabled:
        yield None
        return
    rules = _rules(config, assembly)
    kept = ClipFolder(folder or section.folder(config.settings.history_path))
    if folder is not None:
        kept.prepare()
    limits = ClipLimits(section.days, section.per_class, round(1e6 * section.max_mb))
    with closing(ClipWriter(kept, limits, wait=folder is not None)) as writer:
        yield Clips(rules, kept, writer)


def _rules(config: Config, assembly: Assembly) -> ClipRules:
    section, card = config.settings.clips, assembly.model.card
    known, labels = assembly.possible_labels, section.labels
    for label in () if labels == "all" else labels:
        if label not in known:
            where = config.where("clips", "labels")
            raise ConfigError(f"{where}: {label!r} is no label{nearest(label, known)}")
    sounds = assembly.model.package.sounds
    speech = tuple(sounds.index(label) for label in SPEECH if label in sounds) if section.skip_speech else ()
    if section.skip_speech and not speech:
        where = config.where("clips", "skip_speech")
        raise ConfigError(f"{where}: model {card.name} does not detect speech; set clips.skip_speech: false")
    return ClipRules(
        before_s=section.pre_roll_s,
        after_s=section.post_roll_s,
        longest_s=section.longest_s,
        labels=None if labels == "all" else frozenset(labels),
        speech=speech,
        rate=card.sample_rate,
        window=card.window,
    )
