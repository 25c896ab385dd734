"""Run jobs in this process, in several processes of this machine, or on a Dask cluster.

Jobs are independent and their results arrive in any order. The caller writes the records, so the
files do not depend on the engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from monitor.errors import UsageError
from training.base.parallel import cores, in_processes
from training.records.jobs import Job
from training.study.child_job import work_in_child
from training.study.task import Options
from training.study.work import Result, work


def in_joblib(jobs: Sequence[Job], options: Options, workers: int) -> Iterator[Result]:
    """Run ``workers`` jobs at a time, each in a process with its share of the cores."""
    if workers == 1:
        return (work(job, options) for job in jobs)
    shared = replace(options, threads=options.threads or max(1, cores() // workers))
    return in_processes(partial(work, options=shared), jobs, workers, ordered=False)


def in_dask(jobs: Sequence[Job], options: Options, scheduler: str) -> Iterator[Result]:
    """Run jobs on the cluster at ``scheduler`` (``tcp://host:port``), each in its own process.

    If a worker is lost, another takes over its job; it resumes after the last epoch if both workers
    see the folder of runs.

    Raises
    ------
    UsageError
        If no scheduler answers.
    """
    from distributed import Client, as_completed

    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--scheduler {scheduler}: no scheduler answers ({error}); start `dask scheduler`"
        ) from error
    with client:
        futures = [
            client.submit(work_in_child, job, options, key=str(job), pure=False, retries=2) for job in jobs
        ]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            client.cancel(futures)
