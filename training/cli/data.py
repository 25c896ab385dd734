"""``sound-training data``: check, download and list the recordings."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.errors import EXIT_FAILED
from training.cli.options import data_option, progress, workers_option

if TYPE_CHECKING:
    from training.data.check import CheckReport, FoldReport

_LISTED = 20
"""Maximum number of findings printed; --json prints all."""


@click.group()
def data() -> None:
    """Check, download and list the recordings."""


@data.command()
@data_option
@click.option("--quick", is_flag=True, help="Only check that the files exist; do not decode them.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option(
    "--manifest",
    "manifests",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of manifests; also list their files that are missing or differ.",
)
@workers_option
def check(data: Path | None, quick: bool, as_json: bool, manifests: Path | None, workers: int) -> None:
    """Report missing, damaged and mislabelled recordings, and check that training and test are disjoint.

    Exit code 1 if a file is damaged, labels contradict each other, or training and test share a
    recording. A partial corpus is accepted and reported as partial. Inputs of the `default` recipe that
    are missing are listed.

    \b
    Example:
      sound-training data check --data ~/sounds
      sound-training data check --data ~/sounds --quick --json | jq .findings
      sound-training data check --data ~/sounds --manifest docs/results/default/manifest
    """
    from training.data.check import check as check_data
    from training.data.corpora import data_root, load, unlabelled_sounds
    from training.data.manifest import EFFECTS, listed

    root = data_root(data)
    corpora, effects = load(root), unlabelled_sounds(root / EFFECTS)
    wanted = len(listed(manifests)) if manifests else 0
    total = len({clip.path for clip in (*corpora.urban, *corpora.esc, *corpora.backgrounds, *effects)})
    with progress(total, "checking" if quick else "decoding") as tick:
        report = check_data(root, decode=not quick, tick=tick, workers=workers, manifests=manifests)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report) | {"sound": report.is_sound()}, indent=1))
    else:
        for line in _lines(report, quick):
            click.echo(line)
        if manifests and not report.lacking:
            compared = " by name" if quick else ""
            click.echo(f"all {wanted} files of {manifests} are present{compared}")
    sys.exit(0 if report.is_sound() else EXIT_FAILED)


@data.command()
@click.argument("corpus", type=click.Choice(["urbansound8k", "esc50"]))
@data_option
@click.option("--address", help="Alternative URL of the archive: a mirror, or file:///… for a copy.")
@click.option("--md5", help="Expected MD5, if it differs from soundata's.")
def fetch(corpus: str, data: Path | None, address: str | None, md5: str | None) -> None:
    """Download, verify and unpack a corpus; an interrupted download resumes.

    The archive of UrbanSound8K has 6 GB, that of ESC-50 (with ESC-10) 0.6 GB; unpacking needs twice that.

    \b
    Example:
      sound-training data fetch urbansound8k --data ~/sounds
      sound-training data fetch esc50 --data ~/sounds --address file:///media/ESC-50-master.zip
    """
    from training.data.corpora import data_root
    from training.data.fetch import fetch as fetch_corpus
    from training.data.fetch import source_of

    if data:
        data.mkdir(parents=True, exist_ok=True)
    root = data_root(data)
    source = source_of(corpus)
    source = dataclasses.replace(source, address=address or source.address, md5=md5 or source.md5)
    click.echo(f"{corpus}: {source.address}\nlicence: {source.licence}\n\n{source.bibtex}\n", err=True)
    with progress(None, source.archive, "B") as tick:
        home = fetch_corpus(source, root, tick)
    click.echo(str(home))
    click.echo("next: sound-training data check", err=True)


@data.command()
@data_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for background.csv and the others, for example if the data is read-only.",
)
def manifest(data: Path | None, out: Path | None) -> None:
    """Write a manifest with checksums for background/, background_more/, effects/, mn04/ and yamnet/.

    Fill in source and licence by hand; existing entries are kept, also for renamed files.

    \b
    Example:
      sound-training data manifest --data ~/sounds
      sound-training data manifest --data ~/sounds --out docs/results/default/manifest
    """
    from training.data.corpora import data_root
    from training.data.manifest import folders, update_manifest
    from training.errors import DataError

    root = data_root(data)
    found = folders(root)
    if not found:
        wanted = "background/<kind>/, background_more/, effects/, mn04/ or yamnet/"
        raise DataError(f"{root}: contains no {wanted} with files")
    for folder in found:
        table, entries = update_manifest(folder, out)
        untold = sum(not entry.is_told() for entry in entries)
        click.echo(f"{table}: {len(entries)} files, {untold} without source or licence")


@data.command()
@click.argument("corpus", type=click.Choice(["urbansound8k", "esc10", "esc50"]))
@click.argument("out", type=click.Path(path_type=Path))
@data_option
@click.option("--fold", "folds", multiple=True, type=click.IntRange(1, 10), help="One fold; repeatable.")
def folders(corpus: str, out: Path, data: Path | None, folds: tuple[int, ...]) -> None:
    """Link a corpus into a folder per class, the input format of `own` and `export`.

    \b
    Example:
      sound-training data folders esc10 ~/esc10 --data ~/sounds
      sound-training data folders urbansound8k ~/fold2 --fold 2 --data ~/sounds
    """
    from training.data.corpora import data_root, load
    from training.data.folders import ESC10, link_folders

    corpora = load(data_root(data))
    clips = corpora.urban if corpus == "urbansound8k" else corpora.esc
    wanted = [
        clip
        for clip in clips
        if (not folds or clip.fold in folds) and (corpus != "esc10" or clip.label in ESC10)
    ]
    click.echo(f"{out}: {link_folders(wanted, out)} clips")


def _lines(report: CheckReport, quick: bool) -> list[str]:
    lines = [*_corpus_lines(report.folds)]
    if report.backgrounds:
        minutes = f", {sum(row.seconds for row in report.backgrounds) / 60:.0f} min" if not quick else ""
        kinds = ", ".join(f"{row.corpus} {row.present}" for row in report.backgrounds)
        lines.append(
            f"backgrounds: {sum(row.present for row in report.backgrounds)} files{minutes} ({kinds})"
        )
    for row in report.others:
        length = f", {row.seconds / 60:.0f} min" if row.seconds else ""
        lines.append(f"{row.corpus}: {row.present} files{length}")
    return [*lines, *_apart_lines(report), *_lacking_lines(report.lacking), *_finding_lines(report, quick)]


def _lacking_lines(lacking: tuple[str, ...]) -> list[str]:
    if not lacking:
        return []
    lines = ["missing to retrain `default`:", *(f"  {line}" for line in lacking[:_LISTED])]
    if len(lacking) > _LISTED:
        lines.append(f"  … and {len(lacking) - _LISTED} more (--json lists all)")
    return lines


def _corpus_lines(folds: tuple[FoldReport, ...]) -> list[str]:
    lines = []
    by_corpus: dict[str, list[FoldReport]] = defaultdict(list)
    for row in folds:
        by_corpus[row.corpus].append(row)
    for corpus, rows in by_corpus.items():
        present, listed = sum(row.present for row in rows), sum(row.listed for row in rows)
        partial = present < listed
        lines.append(f"{corpus}: {present} of {listed} clips" + (", partial" if partial else ""))
        for row in rows:
            state = "complete" if row.present == row.listed else f"{row.listed - row.present} missing"
            length = f", {row.seconds / 60:.1f} min" if row.seconds else ""
            lines.append(f"  fold {row.fold:2}: {row.present:4} of {row.listed:4}  {state}{length}")
        if partial:
            lines.append("  results apply to these clips only, not to the whole corpus")
    return lines


def _apart_lines(report: CheckReport) -> list[str]:
    from training.data.check import ESC_RULE, TWICE_RULE

    lines = []
    if report.twice:
        clips = sum(count for _, _, count in report.twice)
        lines.append(f"Freesound ids in two folds of the table: {len(report.twice)} ({clips} clips)")
        for recording, folds, count in report.twice:
            lines.append(f"  {recording}: folds {' and '.join(map(str, folds))}, {count} clips")
        lines.append(f"  rule: {TWICE_RULE}")
    if report.esc_shared:
        lines.append(f"ESC clips from recordings of UrbanSound8K: {report.esc_shared}; {ESC_RULE}")
    for row in report.disjoint:
        shared = ", ".join(row.shared_recordings)
        verdict = f"SHARED RECORDINGS {shared}" if shared else "no recording on both sides"
        lines.append(
            f"test fold {row.fold}: {row.test_clips} clips against {row.train_clips} for training: {verdict}"
        )
    return lines


def _finding_lines(report: CheckReport, quick: bool) -> list[str]:
    wrong = report.wrong()
    lines = [f"{f.kind}: {f.corpus} fold {f.fold}: {f.name} {f.why}" for f in wrong[:_LISTED]]
    if len(wrong) > _LISTED:
        lines.append(f"… and {len(wrong) - _LISTED} more (--json lists all)")
    looked = "not decoded" if quick else "decoded"
    verdict = f"{len(wrong)} files or rows are wrong" if wrong else "nothing is damaged or mislabelled"
    return [*lines, f"{verdict} (files were {looked})"]
