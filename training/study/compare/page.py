"""Compose the page of the comparison."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from training.base.report import Report
from training.records.jobs import JobRecord
from training.study.compare import pictures, tables
from training.study.compare.gather import Comparison, Entry, PairedDifference
from training.study.compare.published import known

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMALL = 300_000
"""Most parameters of a network for the smallest devices."""
_UNKNOWN = "These records are from before the code that makes a record was kept in it."
_MIXED = (
    "**The records are of several generations of the code**: a difference between models of two generations "
    "may be due to the code."
)
_EPOCHS = re.compile(r"--epochs (\d+)")

_WORDS = {"seed": "The published study's protocol", "honest": "The honest protocol"}
_MEANING = {
    "seed": "As in the published study, the test fold is evaluated after every epoch and there is no "
    "validation set. These figures are optimistic; they are here for comparison with that study.",
    "honest": "Stopping, temperature and scaling are decided on recordings of the training folds. The test "
    "fold is evaluated once, at the end.",
}


def compose(comparison: Comparison, reference: str) -> Report:
    """Return the report; ``reference`` names the entry that is subtracted from all others."""
    drawn: dict[str, Figure] = {}
    parts = [_opening(comparison)]
    if known(comparison.labels).table:
        parts.append(_beside(comparison))
    for protocol in ("honest", "seed"):
        if entries := comparison.of(protocol):
            parts.append(_protocol(comparison, entries, protocol, reference, drawn))
    parts += [_differences(comparison, reference, drawn), _costs(comparison, drawn)]
    parts += [_not_run(comparison), _provenance(comparison)]
    files = {
        "figures.csv": tables.all_figures(comparison),
        "jobs.csv": tables.all_jobs(comparison),
        "classes.csv": tables.all_classes(comparison),
        "differences.csv": tables.all_pairs(comparison),
        "confusion.csv": tables.all_confusions(comparison),
    }
    return Report("\n\n".join(parts) + "\n", drawn, files)


def _opening(comparison: Comparison) -> str:
    records = _records(comparison)
    clips = {(r.job.test_fold, clip) for r in records for clip in r.clips.clip}
    recordings = {name for r in records for name in r.clips.recording}
    return "\n".join([
        f"# The comparison on {known(comparison.labels).name}",
        "",
        f"Made from {len(records)} records of {len(comparison.entries)} models: every figure is computed "
        f"from the predictions in them. Tested: {len(clips)} clips of {len(recordings)} recordings, "
        f"{_coverage(comparison)}.",
        "",
        "Compare by the paired differences, not by rank. Intervals are 95 %, by resampling recordings, since "
        f"the slices of a recording tend to be right or wrong together.{known(comparison.labels).fold_luck}",
    ])  # fmt: skip


def _coverage(comparison: Comparison) -> str:
    clips: dict[int, set[str]] = {}
    for entry in comparison.entries:
        for record in entry.records:
            clips.setdefault(record.job.test_fold, set()).update(record.clips.clip)
    corpus = known(comparison.labels)
    whole = corpus.fold_clips
    share = f"{len(clips)} of the {len(whole)}" if len(clips) < len(whole) else f"all {len(clips)}"
    each = (
        f"fold {fold} ({len(found)}" + (f" of {whole[fold]})" if fold in whole else " clips)")
        for fold, found in sorted(clips.items())
    )
    return f"of {share} folds of {corpus.name}: {', '.join(each)}"


def _beside(comparison: Comparison) -> str:
    table = tables.beside_published(comparison)
    return "\n".join([
        "## Beside the published study",
        "",
        "The published figures are means over ten folds, each trained on nine folds; those of the recurrent "
        "networks are also means over all epochs, and those of the CNN are of the weights that early "
        "stopping kept. Our networks are trained on the folds that the records name, so the amount of data "
        "differs. F1 is weighted by class except in the last column.",
        "",
        table.markdown(),
    ])  # fmt: skip


def _protocol(
    comparison: Comparison, entries: Sequence[Entry], protocol: str, reference: str, drawn: dict[str, Figure]
) -> str:
    best = entries[0]
    against = comparison.find(reference)
    names = {
        kind: f"{protocol}-{kind}.png"
        for kind in ("accuracy", "classes", "confusion", "confusions", "curves")
    }
    drawn[names["accuracy"]] = pictures.accuracies(entries)
    drawn[names["classes"]] = pictures.class_bars(
        best, None if against is best else against, comparison.labels
    )
    drawn[names["confusion"]] = pictures.confusion_of(best, comparison.labels)
    drawn[names["confusions"]] = pictures.confusions(entries, comparison.labels)
    drawn[names["curves"]] = pictures.curves(entries)
    return "\n\n".join([
        f"## {_WORDS[protocol]}",
        _MEANING[protocol] + _unequal(entries),
        tables.figures(entries).markdown(),
        f"![Accuracy of each model]({names['accuracy']})",
        f"### Classes of {best.model}",
        tables.classes(best, comparison.labels).markdown(),
        f"![Recall and precision of each class]({names['classes']})",
        f"![Confusion of {best.model}]({names['confusion']})",
        "### All confusions",
        f"![Confusions of all models]({names['confusions']})",
        "### Curves",
        f"![Curves of all models]({names['curves']})",
    ])  # fmt: skip


def _unequal(entries: Sequence[Entry]) -> str:
    """Return a warning if pooled figures are of different clips."""
    if len({entry.folds for entry in entries}) == 1:
        return ""
    return (
        " **Not all models were tested on the same folds** (column *folds*): rows of different folds must "
        "not be compared with each other; the paired differences below are on common clips."
    )


def _differences(comparison: Comparison, reference: str, drawn: dict[str, Figure]) -> str:
    title = "## Paired differences"
    if comparison.find(reference) is None:
        return (
            f"{title}\n\nNo record of the reference `{reference}`; all other pairs are in `differences.csv`."
        )
    against = comparison.against(reference)
    if not against:
        return f"{title}\n\nNothing else was tested on the clips of `{reference}`."
    drawn["differences.png"] = pictures.forest(
        {pair.first: pair.accuracy for pair in against}, f"accuracy minus {reference}"
    )
    return "\n\n".join([
        title,
        f"Each model minus `{reference}`, clip by clip on the clips that both were tested on. "
        "*Excludes zero* is about the 95 % interval of the accuracy. All other pairs: `differences.csv`.",
        *_best_small(comparison, against),
        tables.pairs(against).markdown(),
        "![Differences with intervals](differences.png)",
    ])  # fmt: skip


def _best_small(comparison: Comparison, against: Sequence[PairedDifference]) -> Iterable[str]:
    """Yield the best small network under the honest protocol and its difference to the reference."""
    small = [entry for entry in comparison.of("honest") if entry.cost.parameters <= SMALL]
    for pair in against:
        if small and pair.first == small[0].name:
            name = f"`{small[0].model}` ({small[0].cost.parameters})"
            points = tables.percent(pair.accuracy)
            yield f"The best with at most {SMALL} parameters, {name}: {points} points over `{pair.second}`."


def _costs(comparison: Comparison, drawn: dict[str, Figure]) -> str:
    drawn["cost.png"] = pictures.costs(comparison)
    return "\n\n".join([
        "## Cost against accuracy",
        "Multiply-adds are per window of the network; windows differ in length.",
        "![Accuracy over parameters and multiply-adds](cost.png)",
    ])  # fmt: skip


def _not_run(comparison: Comparison) -> str:
    lines = []
    corpus = known(comparison.labels)
    tested = {fold for entry in comparison.entries for fold in entry.folds}
    if absent := sorted(set(corpus.fold_clips) - tested):
        lines.append(f"- folds {', '.join(map(str, absent))} of the {len(corpus.fold_clips)}: no model")
    for protocol in ("seed", "honest"):
        have = {entry.model for entry in comparison.of(protocol)}
        if nets := [name for name in corpus.table if name not in have]:
            lines.append(f"- {protocol} protocol: {', '.join(nets)}")
    lines += [f"- {text}" for text in comparison.not_run]
    if short := sorted({_cut_short(record) for record in _records(comparison)} - {""}):
        lines.append(f"- all the epochs that are planned for a model: {', '.join(short)}")
    single = [entry.name for entry in comparison.entries if len(entry.seeds) == 1]
    if single:
        lines.append(f"- more than one seed{corpus.seed_luck}: {', '.join(single)}")
    return "## What was not run\n\n" + ("\n".join(lines) or "Nothing is missing.")


def _cut_short(record: JobRecord) -> str:
    """Return the model and the limit of epochs that its command set, if the run reached it; else ""."""
    cut = _EPOCHS.search(record.provenance.command)
    if cut is None or len(record.epochs) < int(cut[1]):
        return ""
    return f"{record.job.protocol}/{record.job.model} was cut to {cut[1]}"


def _provenance(comparison: Comparison) -> str:
    records = _records(comparison)
    versions = {", ".join(f"{k} {v}" for k, v in record.provenance.versions.items()) for record in records}
    hours = sum(record.provenance.seconds for record in records) / 3600
    return "\n".join([
        "## How it was made",
        "",
        f"All jobs together took {hours:.1f} hours.",
        "",
        *_list("machines", {record.provenance.machine for record in records}),
        *_list("commands", (f"`{text}`" for text in _commands(records))),
        *_list("versions", versions),
        *_list("validation", {f"{r.job.protocol}: {r.data.validation}" for r in records}),
        *_generations(comparison),
    ])  # fmt: skip


def _generations(comparison: Comparison) -> Iterable[str]:
    """Say which code made which models where it was not the same for all."""
    if len(comparison.generations) == 1 and "" not in comparison.generations:
        commits = {record.provenance.code.commit for record in _records(comparison)}
        yield from _list(
            "code", {f"{next(iter(comparison.generations))} (commit {', '.join(sorted(commits))})"}
        )
        return
    yield ""
    yield _MIXED if len(comparison.generations) > 1 else _UNKNOWN
    yield ""
    for digest in sorted(comparison.generations):
        made = [r for r in _records(comparison) if r.provenance.code.digest == digest]
        listed = ", ".join(sorted({r.provenance.code.commit for r in made} - {""}))
        models = ", ".join(sorted({f"{r.job.protocol}/{r.job.model}" for r in made}))
        yield f"- {f'code {digest}, commit {listed}' if digest else 'code not kept'}: {models}"
    for entry in comparison.entries:
        if len(entry.generations) > 1:
            yield f"- **{entry.name} is mixed**: its folds or seeds were not all made by the same code."


def _records(comparison: Comparison) -> list[JobRecord]:
    return [record for entry in comparison.entries for record in entry.records]


def _commands(records: Sequence[JobRecord]) -> list[str]:
    """Return the commands that make the records; folds and seeds of a model are merged."""
    folds: dict[tuple[str, int], set[int]] = {}
    for record in records:
        job, text = record.job, record.provenance.command
        template = text.replace(f"--folds {job.test_fold} --seeds {job.seed}", "--folds {} --seeds {}")
        folds.setdefault((template, job.seed), set()).add(job.test_fold)
    seeds: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for (template, seed), found in sorted(folds.items()):
        seeds.setdefault((template, tuple(sorted(found))), []).append(seed)
    return [t.format(",".join(map(str, f)), ",".join(map(str, s))) for (t, f), s in seeds.items()]


def _list(name: str, values: Iterable[str]) -> list[str]:
    return [f"- {name}: {'; '.join(sorted(values))}"]
