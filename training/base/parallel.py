"""Run independent tasks in several processes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """Return the number of cores available to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(
    work: Callable[[T], R], items: Iterable[T], workers: int, *, ordered: bool, threads: int | None = None
) -> Iterator[R]:
    """Yield ``work(item)`` for all items.

    Processes are reused, so that libraries are loaded once.

    Parameters
    ----------
    work
        A picklable function.
    items
        Its arguments.
    workers
        Number of processes.
    ordered
        Whether results come in the order of the items, rather than as they finish.
    threads
        BLAS and OpenMP threads of each process; None uses its share of the cores.
    """
    from joblib import Parallel, delayed, parallel_config

    # joblib replaces a worker that has grown by 300 MB and warns about it in its manager thread. Where
    # warnings are errors that thread would die and the caller would wait forever.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    how = "generator" if ordered else "generator_unordered"
    with parallel_config("loky", inner_max_num_threads=threads):
        pool = Parallel(n_jobs=workers, return_as=how, batch_size=1, pre_dispatch=workers)
        results: Iterator[R] = pool(delayed(work)(item) for item in items)
    yield from results
