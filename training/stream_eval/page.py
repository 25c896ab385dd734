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
from training.stream_eval.gathered import SystemProfile, voices
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
    heard = [voice for voice in voices(records) if PLAIN in voice.scenes and voice.beds]
    drawn = {
        "recall.png": pictures.recall_over_alarms(heard),
        "snr.png": pictures.over_snr(heard),
        "delays.png": pictures.delays(heard),
        "conditions.png": pictures.conditions(heard),
    }
    tables = {
        "classes.csv": Table(_CLASS_COLUMNS, tuple(_class_rows(heard))),
        "backgrounds.csv": Table(_ALARM_COLUMNS, tuple(_alarm_rows(heard))),
        "files.csv": Table(_FILE_COLUMNS, tuple(_file_rows(heard))),
        "conditions.csv": Table(_CONDITION_COLUMNS, tuple(_condition_rows(heard))),
    }
    parts = (
        _opening(plan, command, notes),
        _scenes(heard),
        _false_alarms(heard),
        _recall(heard),
        _together(heard),
        _swept(heard),
    )
    return Report("\n".join(parts), drawn, tables)


def _opening(plan: ScapePlan, command: str, notes: Sequence[str]) -> str:
    return "\n".join((
        "# On streams",
        "",
        f"`{command}`: {plan.count} soundscapes of {plan.seconds:g} s with {plan.sounds} foreground clips",
        f"each, at {plan.snr_db[0]:g} to {plan.snr_db[1]:g} dB over background, and the plain backgrounds,",
        "replayed by the monitor itself. They hold recordings of the test folds and test backgrounds alone.",
        "A sound is heard if its class is decided while it lasts or within 2 s after; delays are from true",
        "onset to decision. The true onset is where the clip begins; sounds of a class that overlap are one.",
        "A clip is one sound, however often the dog barks in it.",
        *notes,
        "",
    ))  # fmt: skip


_SCENE_COLUMNS = (
    "model", "onset F1", "micro", "onset and offset F1", "micro", "segment F1", "micro", "PSDS1 *", "PSDS2 *",
    "sounds heard", "delay s, median", "delay s, 95 %",
)  # fmt: skip


def _scenes(heard: Sequence[SystemProfile]) -> str:
    rows = tuple(_scene_row(voice) for voice in heard)
    absent = "" if any(v.scenes[PLAIN].psds for v in heard) else " (not computed: `pip install '.[psds]'`)"
    return "\n".join((
        "## Soundscapes",
        "",
        Table(_SCENE_COLUMNS, rows).markdown(),
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


def _scene_row(voice: SystemProfile) -> tuple[Cell, ...]:
    plain = voice.scenes[PLAIN]
    f1 = [value for measure in MEASURES for value in (plain.macro(measure), plain.micro[measure])]
    sounds, heard = sum(c.sounds for c in plain.classes), sum(c.heard for c in plain.classes)
    return (
        voice.name, *f1, plain.psds.get("psds1"), plain.psds.get("psds2"), f"{heard} of {sounds}",
        _seconds(plain.delays_s, 50), _seconds(plain.delays_s, 95),
    )  # fmt: skip


def _false_alarms(heard: Sequence[SystemProfile]) -> str:
    rows = [(voice.name, *_rates(voice)) for voice in heard]
    beds = heard[0].beds if heard else ()
    minutes = {name: sum(bed.seconds for bed in beds if name in (bed.group, "all")) / 60 for name in _SUMMARY}
    looped = [f"{bed.name} ({bed.repeated_s:.0f} s)" for bed in beds if bed.repeated_s]
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


def _rates(voice: SystemProfile) -> Iterator[Cell]:
    table = {(row.background, row.label): row for row in alarm_table(voice.beds)}
    for name in _SUMMARY:
        if (name, "all") in table:
            yield _rate(table[name, "all"])
    yield _rate(table["all", "urgent"])


def _rate(row: Alarms) -> str:
    rate, low, high = row.per_hour
    return f"{rate:.1f} ({low:.1f} to {high:.1f})"


def _recall(heard: Sequence[SystemProfile]) -> str:
    rows = tuple(row for voice in heard for row in _recall_row(voice))
    if not rows:
        return ""
    columns = ("model", "recordings", "sounds", "heard", "mean over recordings", "95 %, low", "95 %, high")
    return "\n".join((
        f"## {RECALL_OF.capitalize()} at 5 dB over background",
        "",
        Table(columns, rows).markdown(),
        "",
        "The interval is Wilson's with recordings as trials, each as heard as the share of its sounds that",
        "were: slices of one recording are heard or missed together.",
        "",
    ))  # fmt: skip


def _recall_row(voice: SystemProfile) -> Iterator[tuple[Cell, ...]]:
    figures = voice.scenes.get(RECALL_AT)
    for row in figures.classes if figures else ():
        if row.label == RECALL_OF:
            shares = [heard / sounds for heard, sounds in row.recordings.values()]
            low, high = wilson(sum(shares), len(shares))
            yield (voice.name, len(shares), row.sounds, row.heard, float(np.mean(shares)), low, high)


def _together(heard: Sequence[SystemProfile]) -> str:
    rows = []
    for voice in heard:
        for name in (SIREN_OVER,) if SIREN_OVER in voice.scenes else ():
            figures = voice.scenes[name]
            siren = next(row for row in figures.classes if row.label == ALARM)
            rows.append((voice.name, siren.sounds, siren.heard, *_both(list(figures.pairs.values()))))
    if not rows:
        return ""
    return "\n".join((
        "## Two at once",
        "",
        Table(("model", "sirens", "heard", "pairs", "both heard"), tuple(rows)).markdown(),
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


def _swept(heard: Sequence[SystemProfile]) -> str:
    names = [c for c in CONDITIONS if c.family != OVERLAP and any(c.name in voice.scenes for voice in heard)]
    rows = tuple(
        (c.name, c.what, *(v.scenes[c.name].macro("onset_f1") if c.name in v.scenes else None for v in heard))
        for c in names
    )
    return "\n".join((
        "## The same soundscapes under other conditions",
        "",
        Table(("condition", "what", *(voice.name for voice in heard)), rows).markdown(),
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
    "model", "profile", "condition", "class", "recordings", "sounds", "heard", "onset F1",
    "onset and offset F1", "segment F1", "delay s, median", "delay s, 95 %", "recall over recordings",
    "low", "high",
)  # fmt: skip


def _class_rows(heard: Sequence[SystemProfile]) -> Iterator[tuple[Cell, ...]]:
    for voice in heard:
        for condition, figures in voice.scenes.items():
            for row in figures.classes:
                shares = [got / sounds for got, sounds in row.recordings.values()]
                yield (
                    voice.listener, voice.profile, condition, row.label, len(shares), row.sounds, row.heard,
                    row.onset_f1, row.event_f1, row.segment_f1, _seconds(row.delays_s, 50),
                    _seconds(row.delays_s, 95), float(np.mean(shares)), *wilson(sum(shares), len(shares)),
                )  # fmt: skip


_ALARM_COLUMNS = (
    "model", "profile", "background", "class", "minutes", "false alarms", "an hour", "low", "high",
)  # fmt: skip


def _alarm_rows(heard: Sequence[SystemProfile]) -> Iterator[tuple[Cell, ...]]:
    for voice in heard:
        for row in alarm_table(voice.beds):
            if row.count or row.label in ("all", "urgent"):
                yield (
                    voice.listener, voice.profile, row.background, row.label, f"{row.hours * 60:.1f}",
                    row.count, *(f"{value:.1f}" for value in row.per_hour),
                )  # fmt: skip


_FILE_COLUMNS = ("model", "profile", "background", "group", "seconds", "repeated s", "false alarms")


def _file_rows(heard: Sequence[SystemProfile]) -> Iterator[tuple[Cell, ...]]:
    for voice in heard:
        for bed in voice.beds:
            alarms = ", ".join(f"{label} ×{count}" for label, count in bed.alarms.items())
            yield (
                voice.listener, voice.profile, bed.name, bed.group, f"{bed.seconds:.1f}",
                f"{bed.repeated_s:.0f}", alarms,
            )  # fmt: skip


_CONDITION_COLUMNS = (
    "model", "profile", "condition", *MEASURES.values(), *(f"{m}, micro" for m in MEASURES.values()), "PSDS1",
    "PSDS2", "sounds", "heard", "delay s, median", "delay s, 95 %",
)  # fmt: skip


def _condition_rows(heard: Sequence[SystemProfile]) -> Iterator[tuple[Cell, ...]]:
    for voice in heard:
        for condition, found in voice.scenes.items():
            yield (
                voice.listener, voice.profile, condition, *(found.macro(m) for m in MEASURES),
                *(found.micro[m] for m in MEASURES), found.psds.get("psds1"), found.psds.get("psds2"),
                sum(c.sounds for c in found.classes), sum(c.heard for c in found.classes),
                _seconds(found.delays_s, 50), _seconds(found.delays_s, 95),
            )  # fmt: skip


def _seconds(delays: Sequence[float], percent: float) -> str | None:
    return f"{np.percentile(delays, percent):.1f}" if delays else None
