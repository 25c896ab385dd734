"""One job, from the recordings to its record: resumable by epoch, made again when its settings are others."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from training.base.progress import Progress
from training.base.provenance import machine, versions
from training.base.variants import settings_of
from training.data.corpora import CLASSES, Corpora
from training.data.splits import Part, Split, leave_one_out
from training.errors import DataError
from training.fit.lessons import Lessons, make_lessons
from training.fit.loop import Row, history_of, prepare_keras
from training.fit.streaming import train
from training.mixing.prepare import make_mixer
from training.networks.streaming import cost
from training.recipes.ablation.factors import NAME, Settings, models
from training.recipes.ablation.front import Front
from training.recipes.ablation.listening import Material, judge, listen, prepare
from training.recipes.ablation.records import ABLATIONS, AblationRecord
from training.recipes.shipped import HOP_FRAMES, School
from training.recipes.shipped_records import clips_of
from training.records.envelope import plain
from training.records.jobs import DataUse, Epoch, Job, JobRecord, Making, job_key
from training.records.store import Store
from training.scoring.evaluation import clip_figures


@dataclass(frozen=True)
class AblationInputs:
    """What all jobs share; ``cache`` keeps frames, ``runs`` the states after each epoch."""

    corpora: Corpora
    school: School
    cache: Path
    runs: Path

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds that are here: one is tested, the others are trained on."""
        return tuple(sorted({clip.fold for clip in self.corpora.urban}))


def planned(folds: Sequence[int], seed: int) -> list[Job]:
    """All jobs: every model on the first fold, what matters most first, then on the next."""
    return [Job("honest", model, fold, seed) for fold in folds for model in models()]


def settings(job: Job, base: Settings) -> Settings:
    """What the job's name makes of the base.

    Raises
    ------
    DataError : the name says what cannot be, or lessons with another front end than the teacher's pupil
    """
    made = settings_of(job.model, {NAME: base})
    if made.run.taught and made.front != Front():
        raise DataError(f"{job}: lessons are heard with the front end that ships; leave them out")
    return made


def found(job: Job, base: Settings, place: AblationInputs, records: Path) -> AblationRecord | None:
    """Return the job's record under ``records`` where it was made with these settings from these clips."""
    split = leave_one_out(place.corpora, place.folds)[job.test_fold]
    tested = [clip.path.stem for clip, _ in split.test.events]
    key = job_key(plain(settings(job, base)), _use(job, split, place.folds), tested)
    return Store(records, ABLATIONS).find(str(job), key)


def run_job(job: Job, base: Settings, place: AblationInputs, say: Progress) -> AblationRecord:
    """Train, or go on where an earlier call stopped; hear the fold that was left out."""
    made, begun = settings(job, base), (time.process_time(), time.monotonic())
    split = leave_one_out(place.corpora, place.folds)[job.test_fold]
    digest = hashlib.sha256(json.dumps(plain(made)).encode()).hexdigest()[:8]
    folder = place.runs / f"{job}-{digest}"
    model, scaling = _trained(job, made, split.train, place, folder, say)
    material = _material(split.test, made.front, place.cache)
    heard = listen(model, made.network, scaling, material)
    streams = judge(heard) if heard.scapes else None
    cpu_s, seconds = time.process_time() - begun[0], time.monotonic() - begun[1]
    history = history_of(folder)
    record = JobRecord(
        job,
        _use(job, split, place.folds),
        Making(plain(made), versions(), machine(), "sound-training default-ablation", round(seconds, 1)),
        tuple(_epoch(number, row) for number, row in enumerate(history, start=1)),
        len(history),
        cost(made.network, made.front.in_frames(HOP_FRAMES)),
        clips_of(split.test, heard.clips),
    )
    say(f"{job}: accuracy {clip_figures(heard.clips, record.clips.truth).accuracy:.3f}, {cpu_s:.0f} s of CPU")
    return AblationRecord(record, streams, round(cpu_s, 1))


def _trained(
    job: Job, made: Settings, part: Part, place: AblationInputs, folder: Path, say: Progress
) -> tuple[Any, Any]:
    run = replace(made.run, network=made.network, seed=job.seed + made.run.seed)
    front_end = made.front.front_end(place.cache, made.network.window)
    mixer = make_mixer(part, front_end, run.recipe, lambda done: None, made.network.lead)
    lessons = _lessons(job, made, part, place, say) if run.taught else None
    scaling = made.front.scaling(mixer, run.seed)
    prepare_keras(run.seed, "float32")
    return train(run, mixer, lessons, scaling, folder, lambda text: say(f"{job}: {text}")), scaling


def _lessons(job: Job, made: Settings, part: Part, place: AblationInputs, say: Progress) -> Lessons:
    front_end = made.front.front_end(place.cache, made.network.window)
    return make_lessons(
        part, place.school.unlabelled, front_end, made.network.lead, place.school.teacher, made.lessons,
        made.run.recipe.faint_label, job.seed,
        lambda done: say(f"{job}: {done} mixtures heard by the teacher"),
    )  # fmt: skip


@lru_cache(maxsize=2)
def _material(part: Part, front: Front, cache: Path) -> Material:
    """Kept, since jobs take turns between the shipped front end and another."""
    return prepare(part, front.front_end(cache, 1))


def _epoch(number: int, row: Row) -> Epoch:
    return Epoch(number, round(row["loss"], 5), round(row["seconds"], 1))


def _use(job: Job, split: Split, folds: Sequence[int]) -> DataUse:
    others = tuple(fold for fold in folds if fold != job.test_fold)
    return DataUse(others, "none: the last epoch's weights", len(split.train.events), 0, CLASSES)
