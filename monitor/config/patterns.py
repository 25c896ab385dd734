"""``events.patterns``: which alarms and appliances are recognised by the rhythm of their tone."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from monitor.config.listening import OwnPattern
from monitor.config.load import Config
from monitor.errors import ConfigError
from monitor.events.loud import LOUD
from monitor.model.card import ClassCard
from monitor.patterns.lines import Grid
from monitor.patterns.spec import BEEPS, CO_ALARM, SMOKE_ALARM, Pattern, Regular
from monitor.settings import ClassSettings

ENTER = 0.85
"""Score of a match: a regular beep of the same lengths without the pause stays below 0.82."""


def resolve_patterns(config: Config, rate: int, labels: Collection[str]) -> tuple[Pattern | Regular, ...]:
    """Return the patterns that config asks for, the standards' first.

    rate : Hz of the audio that they will be looked for in
    labels : taken by the model

    Raises
    ------
    ConfigError : a pattern that is none, whose tone lies beyond the audio's band, or whose
        name is taken
    """
    wanted = config.settings.events.patterns
    highest_hz = 0.47 * rate / Grid(rate, ()).decimation
    standard: dict[Pattern | Regular, bool] = {
        SMOKE_ALARM: wanted.smoke_alarm,
        CO_ALARM: wanted.co_alarm,
        BEEPS: wanted.beeps,
    }
    patterns: list[Pattern | Regular] = [pattern for pattern, enabled in standard.items() if enabled]
    for label, own in wanted.own.items():
        where = config.where("events", "patterns", "own", label)
        try:
            patterns.append(own_pattern(label, own))
        except ValueError as error:
            raise ConfigError(f"{where}: {error}") from error
        if own.hz >= highest_hz:
            raise ConfigError(
                f"{where}: hz {own.hz:g} is above what patterns are looked for in; "
                f"with this model it must be below {highest_hz:.0f} Hz"
            )
    taken = {*labels, LOUD}
    for pattern in patterns:
        if pattern.label in taken:
            raise ConfigError(
                f"{config.where('events', 'patterns')}: {pattern.label} is a label already; "
                "choose another name, or switch the pattern off"
            )
        taken.add(pattern.label)
    return tuple(patterns)


def own_pattern(label: str, own: OwnPattern) -> Pattern:
    """Return a pattern of the user's; its tone may lie 3 % off, or two bins of the analysis."""
    aside = max(0.03 * own.hz, 65.0)
    return Pattern(
        label,
        ((max(own.hz - aside, 1.0), own.hz + aside),),
        beep_s=own.beep_s,
        gap_s=own.gap_s,
        count=own.count,
        pause_s=own.pause_s,
        tolerance=own.tolerance,
    )


def pattern_cards(patterns: Sequence[Pattern | Regular]) -> dict[str, ClassCard]:
    """Return the settings of each pattern's events, as a model's card has them for its labels."""
    return {pattern.label: _card(pattern) for pattern in patterns}


def _card(pattern: Pattern | Regular) -> ClassCard:
    settings = ClassSettings(
        enter=ENTER,
        exit=ENTER,
        release_s=pattern.release_s,
        onset_shift_s=pattern.onset_s,
        offset_shift_s=pattern.hold_s,
    )
    return ClassCard(shortest_s=pattern.hold_s, profiles={"quiet": settings})
