"""The page of a streaming evaluation, from its records alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt

import numpy as np

from training.base.report import Cell, Report, Table
from training.mixing.soundscapes import PAIR_SNR_DB, ScapePlan
from training.stream_eval import pictures
from training.stream_eval.alarms import URGENT, VOICES_OR_MUSIC, Alarms, alarm_table
from training.stream_eval.conditions import ALARM, CONDITIONS, OVERLAP, PLAIN, UNDER
from training.stream_eval.gathered import SystemProfile, systems_of
from training.stream_eval.judge import TOGETHER_S
from training.stream_eval.psds import MOST_PER_HOUR
from training.stream_eval.records import StreamRecord

MEASURES = {"onset_f1": "onset F1", "event_f1": "onset and offset F1", "segment_f1": "segment F1"}
RECALL_OF, RECALL_AT = "siren", "snr-5"
SIREN_OVER = "siren-over"
_Z = 1.96
_SUMMARY = {
    "plain": "no voices, no music", "voices or music": "voices or music in them", "speech": "speech",
    "all": "all",
}  # fmt: skip


def compose(records: Sequence[StreamRecord], plan: ScapePlan, command: str, notes: Sequence[str]) -> Report:
    """Return the page, its pictures and its tables; ``notes`` are lines shown at the top."""
    systems = [system for system in systems_of(records) if PLAIN in system.soundscapes and system.backgrounds]
    drawn = {
        "recall.png": pictures.recall_over_alarms(systems),
        "snr.png": pictures.over_snr(systems),
        "delays.png": pictures.delays(systems),
        "conditions.png": pictures.conditions(systems),
    }
    tables = {
        "classes.csv": Table(_CLASS_COLUMNS, tuple(_class_rows(systems))),
        "backgrounds.csv": Table(_ALARM_COLUMNS, tuple(_alarm_rows(systems))),
        "files.csv": Table(_FILE_COLUMNS, tuple(_file_rows(systems))),
        "conditions.csv": Table(_CONDITION_COLUMNS, tuple(_condition_rows(systems))),
    }
    parts = (
        _opening(plan, command, notes),
        _soundscapes(systems),
        _false_alarms(systems),
        _recall(systems),
        _together(systems),
        _swept(systems),
    )
    return Report("\n".join(parts), drawn, tables)


def _opening(plan: ScapePlan, command: str, notes: Sequence[str]) -> str:
    return "\n".join((
        "# On streams",
        "",
        f"`{command}`: {plan.count} soundscapes of {plan.seconds:g} s with {plan.sounds} foreground clips",
        f"each, at {plan.snr_db[0]:g} to {plan.snr_db[1]:g} dB over background, and the plain backgrounds,",
        "replayed by the monitor itself. They hold recordings of the test folds and test backgrounds alone.",
        "A sound is reported if its class is decided while it lasts or within 2 s after; delays are from",
        "true onset to decision. The true onset is where the clip begins; sounds of a class that overlap are",
        "one. A clip is one sound, however often the dog barks in it.",
        *notes,
        "",
    ))  # fmt: skip


_SOUNDSCAPE_COLUMNS = (
    "model", "onset F1", "micro", "onset and offset F1", "micro", "segment F1", "micro", "PSDS1 *", "PSDS2 *",
    "sounds reported", "delay s, median", "delay s, 95 %",
)  # fmt: skip


def _soundscapes(systems: Sequence[SystemProfile]) -> str:
    rows = tuple(_soundscape_row(system) for system in systems)
    computed = any(system.soundscapes[PLAIN].psds for system in systems)
    absent = "" if computed else " (not computed: `pip install '.[psds]'`)"
    return "\n".join((
        "## Soundscapes",
        "",
        Table(_SOUNDSCAPE_COLUMNS, rows).markdown(),
        "",
        "F1 by sed_eval: the mean over the classes that occur, and beside it all events (or segments of 1 s)",
        "alike. Onsets count within 0.5 s, offsets within 0.5 s or half the length.",
        f"\\* PSDS by sed_scores_eval{absent}: over all thresholds, up to {MOST_PER_HOUR:g} false alarms an",
        "hour and class; 1 asks for times, 2 for classes. It depends on the profile none the less: its",
        "scores are smoothed and set back in time as the row's profile says. A class without a sound is",
        "left out of means and PSDS.",
        "",
        "![Recall over false alarms](recall.png)",
        "",
        "![Delays by class](delays.png)",
        "",
        "By class, with the number of recordings: `classes.csv`.",
        "",
    ))  # fmt: skip


def _soundscape_row(system: SystemProfile) -> tuple[Cell, ...]:
    plain = system.soundscapes[PLAIN]
    f1 = [value for measure in MEASURES for value in (plain.macro(measure), plain.micro[measure])]
    sounds, detected = sum(c.sounds for c in plain.classes), sum(c.heard for c in plain.classes)
    return (
        system.name, *f1, plain.psds.get("psds1"), plain.psds.get("psds2"), f"{detected} of {sounds}",
        _seconds(plain.delays_s, 50), _seconds(plain.delays_s, 95),
    )  # fmt: skip


def _false_alarms(systems: Sequence[SystemProfile]) -> str:
    rows = [(system.name, *_rates(system)) for system in systems]
    backgrounds = systems[0].backgrounds if systems else ()
    minutes = {n: sum(one.seconds for one in backgrounds if n in (one.group, "all")) / 60 for n in _SUMMARY}
    looped = [f"{one.name} ({one.repeated_s:.0f} s)" for one in backgrounds if one.repeated_s]
    columns = [f"{text}, {minutes[name]:.0f} min" for name, text in _SUMMARY.items() if minutes[name]]
    return "\n".join((
        "## False alarms an hour",
        "",
        Table(("model", *columns, f"all: {', '.join(URGENT)} together"), tuple(rows)).markdown(),
        "",
        "In brackets the exact 95 % interval of Poisson counts. Files with voices or music in them are told",
        "by their names, not by listening: those of the kind `speech`, and those with one of these words in",
        f"the name: {', '.join(VOICES_OR_MUSIC)}.",
        "Looped audio counts once; what repeats an earlier stretch of its file: "
        f"{', '.join(looped) or 'nothing'}.",
        "By kind of background and class: `backgrounds.csv`; by file: `files.csv`.",
        "",
    ))  # fmt: skip


def _rates(system: SystemProfile) -> Iterator[Cell]:
    table = {(row.background, row.label): row for row in alarm_table(system.backgrounds)}
    for name in _SUMMARY:
        if (name, "all") in table:
            yield _rate(table[name, "all"])
    yield _rate(table["all", "urgent"])


def _rate(row: Alarms) -> str:
    rate, low, high = row.per_hour
    return f"{rate:.1f} ({low:.1f} to {high:.1f})"


def _recall(systems: Sequence[SystemProfile]) -> str:
    rows = tuple(row for system in systems for row in _recall_row(system))
    if not rows:
        return ""
    columns = ("model", "recordings", "sounds", "reported", "mean over recordings", "95 %, low", "95 %, high")
    return "\n".join((
        f"## {RECALL_OF.capitalize()} at 5 dB over background",
        "",
        Table(columns, rows).markdown(),
        "",
        "The interval is Wilson's with recordings as trials, each as reported as the share of its sounds",
        "that were: slices of one recording are reported or missed together.",
        "",
    ))  # fmt: skip


def _recall_row(system: SystemProfile) -> Iterator[tuple[Cell, ...]]:
    figures = system.soundscapes.get(RECALL_AT)
    for row in figures.classes if figures else ():
        if row.label == RECALL_OF:
            shares = [got / sounds for got, sounds in row.recordings.values()]
            low, high = wilson(sum(shares), len(shares))
            yield (system.name, len(shares), row.sounds, row.heard, float(np.mean(shares)), low, high)


def _together(systems: Sequence[SystemProfile]) -> str:
    rows = []
    for system in systems:
        for name in (SIREN_OVER,) if SIREN_OVER in system.soundscapes else ():
            figures = system.soundscapes[name]
            siren = next(row for row in figures.classes if row.label == ALARM)
            rows.append((system.name, siren.sounds, siren.heard, *_both(list(figures.pairs.values()))))
    if not rows:
        return ""
    return "\n".join((
        "## Two at once",
        "",
        Table(("model", "sirens", "reported", "pairs", "both reported"), tuple(rows)).markdown(),
        "",
        f"Each {ALARM} over {' or '.join(UNDER)}, both {PAIR_SNR_DB:g} dB over background; the {ALARM} sets",
        f"in a second later. Pairs share {TOGETHER_S:g} s or more. Every label has an output and an event of",
        "its own.",
        "",
    ))  # fmt: skip


def _both(pairs: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return sum(count for count, _ in pairs), sum(both for _, both in pairs)


def wilson(successes: float, trials: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share; ``successes`` need not be an integer."""
    share, weight = successes / trials, _Z**2 / trials
    middle = (share + weight / 2) / (1 + weight)
    half = _Z / (1 + weight) * sqrt(share * (1 - share) / trials + weight / (4 * trials))
    return max(0.0, middle - half), min(1.0, middle + half)


def _swept(systems: Sequence[SystemProfile]) -> str:
    swept = (c for c in CONDITIONS if c.family != OVERLAP)
    names = [c for c in swept if any(c.name in system.soundscapes for system in systems)]
    found = {c: [system.soundscapes.get(c.name) for system in systems] for c in names}
    rows = tuple(
        (c.name, c.what, *(one.macro("onset_f1") if one else None for one in figures))
        for c, figures in found.items()
    )
    return "\n".join((
        "## The same soundscapes under other conditions",
        "",
        Table(("condition", "what", *(system.name for system in systems)), rows).markdown(),
        "",
        "Onset F1, mean over the classes. Sounds, times and backgrounds are the same throughout. There is no "
        "low-pass at 8 kHz: the soundscapes are sampled at 16 kHz and end there, so it would change nothing.",
        "",
        "![Onset F1 over SNR](snr.png)",
        "",
        "![Onset F1 by condition](conditions.png)",
        "",
        "Other measures: `conditions.csv`.",
        "",
    ))  # fmt: skip


_CLASS_COLUMNS = (
    "model", "profile", "condition", "class", "recordings", "sounds", "reported", "onset F1",
    "onset and offset F1", "segment F1", "delay s, median", "delay s, 95 %", "recall over recordings",
    "low", "high",
)  # fmt: skip


def _class_rows(systems: Sequence[SystemProfile]) -> Iterator[tuple[Cell, ...]]:
    for system in systems:
        for condition, figures in system.soundscapes.items():
            for row in figures.classes:
                shares = [got / sounds for got, sounds in row.recordings.values()]
                yield (
                    system.listener, system.profile, condition, row.label, len(shares), row.sounds, row.heard,
                    row.onset_f1, row.event_f1, row.segment_f1, _seconds(row.delays_s, 50),
                    _seconds(row.delays_s, 95), float(np.mean(shares)), *wilson(sum(shares), len(shares)),
                )  # fmt: skip


_ALARM_COLUMNS = (
    "model", "profile", "background", "class", "minutes", "false alarms", "an hour", "low", "high",
)  # fmt: skip


def _alarm_rows(systems: Sequence[SystemProfile]) -> Iterator[tuple[Cell, ...]]:
    for system in systems:
        for row in alarm_table(system.backgrounds):
            if row.count or row.label in ("all", "urgent"):
                yield (
                    system.listener, system.profile, row.background, row.label, f"{row.hours * 60:.1f}",
                    row.count, *(f"{value:.1f}" for value in row.per_hour),
                )  # fmt: skip


_FILE_COLUMNS = ("model", "profile", "background", "group", "seconds", "repeated s", "false alarms")


def _file_rows(systems: Sequence[SystemProfile]) -> Iterator[tuple[Cell, ...]]:
    for system in systems:
        for background in system.backgrounds:
            alarms = ", ".join(f"{label} ×{count}" for label, count in background.alarms.items())
            yield (
                system.listener, system.profile, background.name, background.group,
                f"{background.seconds:.1f}", f"{background.repeated_s:.0f}", alarms,
            )  # fmt: skip


_CONDITION_COLUMNS = (
    "model", "profile", "condition", *MEASURES.values(), *(f"{m}, micro" for m in MEASURES.values()), "PSDS1",
    "PSDS2", "sounds", "reported", "delay s, median", "delay s, 95 %",
)  # fmt: skip


def _condition_rows(systems: Sequence[SystemProfile]) -> Iterator[tuple[Cell, ...]]:
    for system in systems:
        for condition, found in system.soundscapes.items():
            yield (
                system.listener, system.profile, condition, *(found.macro(m) for m in MEASURES),
                *(found.micro[m] for m in MEASURES), found.psds.get("psds1"), found.psds.get("psds2"),
                sum(c.sounds for c in found.classes), sum(c.heard for c in found.classes),
                _seconds(found.delays_s, 50), _seconds(found.delays_s, 95),
            )  # fmt: skip


def _seconds(delays: Sequence[float], percent: float) -> str | None:
    return f"{np.percentile(delays, percent):.1f}" if delays else None
