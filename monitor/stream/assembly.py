"""Build the model and the pipeline of each stream from the settings."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from monitor.clips.stream import StreamClips
from monitor.clock import Clock
from monitor.config.base import without_tilde
from monitor.config.classes import card_settings, class_cards, resolve_classes
from monitor.config.load import Config, nearest, read_text
from monitor.config.notice_sections import Notices as NoticeSettings
from monitor.config.patterns import pattern_cards, resolve_patterns
from monitor.config.sounds import resolve_sounds
from monitor.errors import ConfigError
from monitor.events.background import BackgroundLevel
from monitor.events.feasible import check_feasible
from monitor.events.loud import LOUD, LoudSettings
from monitor.events.notices import Notices
from monitor.events.tracker import EventTracker
from monitor.level.calibration import offset_db
from monitor.model.card import ClassCard
from monitor.model.classifier import OnInference, Rejects
from monitor.model.heads import Head
from monitor.model.load import LoadedModel, ThirdParty, load_model
from monitor.model.taught import heads_folder, load_taught
from monitor.patterns.detector import PatternScores
from monitor.patterns.spec import BEEPS, CO_ALARM, SMOKE_ALARM, Pattern, Regular
from monitor.pipeline import Pipeline, StreamParts
from monitor.settings import ClassSettings, silent
from monitor.stream.recorder import Origin, Recorder

log = logging.getLogger(__name__)

SHIPPED_MODEL = Path(__file__).parent.parent / "shipped" / "urban-sounds.tflite"


@dataclass(frozen=True)
class Assembly:
    """The model and the settings of its classes; creates the parts of each stream.

    Attributes
    ----------
    classes
        Settings of the labels that make events, the model's own first.
    disabled
        ``enter`` of the classes that make no events.
    heads
        Heads that score labels beside the model's own.
    rejects
        By label, the heads that keep it from making events.
    offset_db
        Offset from dBFS to sound pressure level in dB; None if not calibrated.
    patterns
        Patterns to detect; ``alarms`` has the settings of their events.
    notices
        Decides which events lead to a notice.
    gain_db
        Gain of the audio that the model gets, dB.
    """

    model: LoadedModel
    classes: dict[str, ClassSettings]
    loud: LoudSettings | None
    disabled: dict[str, float] = field(default_factory=dict)
    heads: tuple[Head, ...] = ()
    rejects: Rejects = field(default_factory=dict)
    offset_db: float | None = None
    patterns: tuple[Pattern | Regular, ...] = ()
    alarms: dict[str, ClassSettings] = field(default_factory=dict)
    notices: NoticeSettings = field(default_factory=NoticeSettings)
    gain_db: float = 0.0

    @property
    def window_s(self) -> float:
        return self.model.card.window / self.model.card.sample_rate

    @property
    def hop_s(self) -> float:
        return self.model.card.hop / self.model.card.sample_rate

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the scores, in order: the model's own, then those of the heads."""
        return (*self.model.labels, *(label for head in self.heads for label in head.labels))

    @property
    def cards(self) -> dict[str, ClassCard]:
        """The card entries, from model and heads, of each label that can make events."""
        return class_cards(self.model.card, self.heads)

    @property
    def event_labels(self) -> tuple[str, ...]:
        """All labels that can make events: in the model's order, then patterns and ``loud``."""
        return (*self.tracked, *((LOUD,) if self.loud else ()))

    @property
    def possible_labels(self) -> tuple[str, ...]:
        """All labels that this model could report under any settings."""
        patterns = (SMOKE_ALARM, CO_ALARM, BEEPS, *self.patterns)
        return tuple(dict.fromkeys((*self.cards, *(pattern.label for pattern in patterns), LOUD)))

    @property
    def tracked(self) -> dict[str, ClassSettings]:
        """Settings of all labels that make events, from scores or from patterns."""
        return {**self.classes, **self.alarms}

    def without(self, labels: Collection[str]) -> Assembly:
        """Return a copy in which these labels make no events; their scores are still computed."""
        off = {label: one.enter for label, one in self.tracked.items() if label in labels}
        classes = {label: one for label, one in self.classes.items() if label not in labels}
        alarms = {label: one for label, one in self.alarms.items() if label not in labels}
        loud = None if LOUD in labels else self.loud
        return replace(self, classes=classes, alarms=alarms, disabled=self.disabled | off, loud=loud)

    def new_parts(self, clock: Clock | None = None, on_inference: OnInference | None = None) -> StreamParts:
        """Create the stateful parts of a new stream.

        Parameters
        ----------
        clock
            The stream's clock, used by ``events.loud.hours``; if None, those hours are ignored.
        on_inference
            See :class:`Classifier`.
        """
        card = self.model.card
        tracker = EventTracker(
            (*self.labels, *(pattern.label for pattern in self.patterns)),
            self.tracked,
            rate=card.sample_rate,
            hop=card.hop,
            loud=self.loud,
            disabled=self.disabled,
            time_of_day_s=None if clock is None else _time_of_day_s(clock, card.sample_rate),
        )
        classifier = self.model.classifier(on_inference, heads=self.heads, rejects=self.rejects)
        patterns = PatternScores(self.patterns, card.sample_rate) if self.patterns else None
        gain = 10.0 ** (self.gain_db / 20.0)
        return StreamParts(classifier, tracker, BackgroundLevel(self.hop_s), patterns, gain)

    def new_pipeline(
        self, source_rate: int, clock: Clock | None = None, on_inference: OnInference | None = None
    ) -> Pipeline:
        """Create the pipeline of a new stream whose source is sampled at ``source_rate`` Hz."""
        card, parts = self.model.card, self.new_parts(clock, on_inference)
        return Pipeline(parts, source_rate=source_rate, rate=card.sample_rate, hop=card.hop)

    def recorder(
        self,
        *,
        node: str,
        clock: Clock,
        numbers: Iterator[int],
        new_id: Callable[[], str],
        notices: Notices,
        file: str | None = None,
        clips: StreamClips | None = None,
    ) -> Recorder:
        card = self.model.card
        origin = Origin(
            node=node,
            model=card.name,
            model_version=card.version,
            rate=card.sample_rate,
            file=file,
            offset_db=self.offset_db,
        )
        return Recorder(origin, clock=clock, numbers=numbers, new_id=new_id, notices=notices, clips=clips)


def assemble(config: Config, model: LoadedModel | None = None) -> Assembly:
    """Load the model unless it is given, and check every class's settings against it.

    Settings that make a class undetectable are refused; doubtful settings made by the user are logged.

    Raises
    ------
    PackageError, ConfigError
        See :func:`load_model`, :func:`resolve_sounds`, :func:`resolve_classes`.
    """
    model = model or load_configured_model(config)
    sounds = resolve_sounds(config, model)
    heads: tuple[Head, ...] = () if sounds is None else (sounds,)
    taken = () if sounds is None else sounds.labels
    taught = load_taught(heads_folder(config.settings.history_path), model, taken)
    heads += taught.sounds
    known = class_cards(model.card, heads)
    patterns = resolve_patterns(config, model.card.sample_rate, (*model.labels, *known))
    tracked = resolve_classes(config, model.card, heads, pattern_cards(patterns))
    classes = {label: settings for label, settings in tracked.items() if label in known}
    alarms = {label: settings for label, settings in tracked.items() if label not in known}
    loud = config.settings.events.loud
    others = [label for label in model.card.classes if label not in classes]
    disabled = {label: card_settings(config, model.card.classes[label]).enter for label in others}
    assembly = Assembly(
        model,
        classes,
        loud if loud.enabled else None,
        disabled,
        heads,
        taught.rejects,
        offset_db=calibration(config),
        patterns=patterns,
        alarms=alarms,
        notices=config.settings.notices,
        gain_db=config.settings.audio.gain_db,
    )
    _check_noticed(config, assembly)
    cards = assembly.cards
    for label, class_settings in classes.items():
        card = cards[label]
        problem = check_feasible(label, class_settings, card.shortest_s, assembly.window_s, assembly.hop_s)
        if problem and problem.severity == "refuse":
            raise ConfigError(f"{config.where('events', 'classes', label)}: {problem.text}")
        if problem and _asks_more(class_settings, card_settings(config, card)):
            log.warning("%s", problem.text)
    _say_silent(assembly, config.settings.events.profile)
    return assembly


def calibration(config: Config) -> float | None:
    """Return the offset from dBFS to sound pressure level in dB; None if no sensitivity is configured."""
    sensitivity = config.settings.audio.sensitivity_dbfs
    return None if sensitivity is None else offset_db(sensitivity)


def _check_noticed(config: Config, assembly: Assembly) -> None:
    """Refuse notice policies for labels that do not exist."""
    known, notices = assembly.possible_labels, config.settings.notices
    named = [("classes", label, label) for label in notices.classes]
    named += [("groups", name, label) for name, group in notices.groups.items() for label in group.labels]
    for section, name, label in named:
        if label not in known:
            hint = nearest(label, known)
            raise ConfigError(f"{config.where('notices', section, name)}: {label!r} is no label{hint}")
    for name in notices.groups:
        if name in known:
            where = config.where("notices", "groups", name)
            raise ConfigError(f"{where}: {name} is a label; rename the group")


def _say_silent(assembly: Assembly, profile: str) -> None:
    """Log which classes are never reported with these settings, so that nobody waits for them."""
    if labels := silent(assembly.classes):
        hint = "" if profile == "sensitive" else "; events.profile: sensitive may"
        log.info("profile %s never reports %s%s", profile, ", ".join(labels), hint)


def _asks_more(settings: ClassSettings, card: ClassSettings) -> bool:
    """Return whether the configuration changed settings that can cause misses; a card's own are trusted."""
    names = ("enter", "attack_s", "smoothing_s", "min_level_dbfs")
    return any(getattr(settings, name) != getattr(card, name) for name in names)


def load_configured_model(config: Config) -> LoadedModel:
    settings = config.settings.model
    if settings.adapter is not None and settings.path is None:
        raise ConfigError(f"{config.where('model', 'adapter')}: needs the network in model.path")
    path = SHIPPED_MODEL if settings.path is None else without_tilde(settings.path, "model.path")
    third_party = ThirdParty(
        input=settings.input,
        sample_rate=settings.sample_rate,
        hop_s=settings.hop_s,
        output=settings.output,
        labels=_labels(settings.labels),
        select=settings.select,
        adapter=None if settings.adapter is None else without_tilde(settings.adapter, "model.adapter"),
    )
    model = load_model(path, third_party, threads=settings.threads, prefer=settings.runtime)
    log.info("model %s %s on %s", model.card.name, model.card.version, model.runtime)
    return model


def _time_of_day_s(clock: Clock, rate: int) -> Callable[[int], float]:
    """Return a function from position to local time, seconds since midnight."""

    def time_of_day_s(position: int) -> float:
        local = time.localtime(clock.utc_at(position / rate))
        return 3600.0 * local.tm_hour + 60.0 * local.tm_min + local.tm_sec

    return time_of_day_s


def node_name(config: Config) -> str:
    """Return the configured node name, else the host's name."""
    return config.settings.node or socket.gethostname().split(".")[0] or "monitor"


def _labels(labels: str | list[str] | None) -> tuple[str, ...]:
    if isinstance(labels, str):
        labels = read_text(labels, "model.labels").splitlines()
    return tuple(label.strip() for label in labels or () if label.strip())
