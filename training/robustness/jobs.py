"""Analyses as resumable jobs: each leaves a record, and finished ones are skipped."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from training.base.parallel import cores, in_processes
from training.base.progress import Progress
from training.base.quiet import import_tensorflow
from training.errors import DataError
from training.records.envelope import Key, RunTime
from training.records.store import Store
from training.robustness.records import FINDINGS, SCHEMA, FindingsRecord


@dataclass(frozen=True)
class Work:
    """One analysis: ``name`` is its record's path under the folder, ``settings`` determine the result."""

    name: str
    settings: Mapping[str, Any]
    run: Callable[[Progress], Sequence[Any]]


@dataclass(frozen=True)
class Done:
    """Result of an analysis or its failure, and its cost including child processes."""

    work: Work
    found: Sequence[Any]
    refused: str
    time: RunTime


def run(works: Sequence[Work], folder: Path, workers: int = 1) -> list[str]:
    """Run the analyses without a record in ``folder``, ``workers`` in parallel; return the failures."""
    from tqdm import tqdm

    store = Store(folder, FINDINGS)
    missing = [work for work in works if store.find(work.name, Key(SCHEMA, work.settings)) is None]
    failed = []
    with tqdm(total=len(works), initial=len(works) - len(missing), unit="job", file=sys.stderr) as bar:
        results = _apart(missing, workers) if workers > 1 else _here(missing, bar)
        for done in results:
            if done.refused:
                failed.append(f"{done.work.name}: {done.refused}")
            else:
                store.write(done.work.name, FindingsRecord(done.work.settings, done.found, done.time))
            bar.update()
    return failed


def _here(works: Sequence[Work], bar: Any) -> Iterator[Done]:
    for work in works:
        bar.set_description(work.name)
        yield _done(work, bar.set_postfix_str)


def _apart(works: Sequence[Work], workers: int) -> Iterator[Done]:
    """Run in subprocesses with a share of the cores each."""
    child = partial(_in_child, max(1, cores() // workers))
    return in_processes(child, works, workers, ordered=False)


def _in_child(threads: int, work: Work) -> Done:
    # Read when TensorFlow starts, so the first job decides.
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(threads)
    return _done(work, lambda text: print(f"{work.name}: {text}", file=sys.stderr, flush=True))


def _done(work: Work, say: Progress) -> Done:
    began, before = time.perf_counter(), _cpu_s()
    found: Sequence[Any] = ()
    refused = ""
    import_tensorflow()
    try:
        found = work.run(say)
    except DataError as error:
        refused = str(error)
    took = RunTime(round(time.perf_counter() - began, 1), round(_cpu_s() - before, 1))
    return Done(work, found, refused, took)


def _cpu_s() -> float:
    """Return the CPU seconds of this process and of children it waited for."""
    return sum(os.times()[:4])
