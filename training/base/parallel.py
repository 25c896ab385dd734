"""Independent pieces of work in processes of this machine."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(
    work: Callable[[T], R], items: Iterable[T], workers: int, *, ordered: bool, threads: int | None = None
) -> Iterator[R]:
    """Yield ``work(item)`` of all items, ``workers`` at a time, ``ordered`` or as they end.

    The processes outlive their pieces, so that libraries are loaded once. threads : of BLAS and OpenMP in
    each; None: its share of the cores
    """
    from joblib import Parallel, delayed, parallel_config

    # joblib replaces a worker that has grown by 300 MB, and warns, in a thread that must not die of it:
    # where warnings are errors it would, and the caller wait forever.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    how = "generator" if ordered else "generator_unordered"
    with parallel_config("loky", inner_max_num_threads=threads):
        pool = Parallel(n_jobs=workers, return_as=how, batch_size=1, pre_dispatch=workers)
        results: Iterator[R] = pool(delayed(work)(item) for item in items)
    yield from results
