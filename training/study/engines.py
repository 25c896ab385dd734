"""Where jobs run: in this process, in processes of this machine, or on a Dask cluster.

Jobs are independent and come back as they end, in any order; whoever started them writes the
records, so that they are the same files whichever engine made them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from monitor.errors import UsageError
from training.base.parallel import cores, in_processes
from training.records.jobs import Job
from training.study.apart import work_apart
from training.study.task import Options
from training.study.work import Result, work


def in_joblib(jobs: Sequence[Job], options: Options, workers: int) -> Iterator[Result]:
    """Run ``workers`` jobs at a time, each in a process with its share of the cores."""
    if workers == 1:
        return (work(job, options) for job in jobs)
    shared = replace(options, threads=options.threads or max(1, cores() // workers))
    return in_processes(partial(work, options=shared), jobs, workers, ordered=False)


def in_dask(jobs: Sequence[Job], options: Options, scheduler: str) -> Iterator[Result]:
    """Run jobs on the cluster at ``scheduler`` (``tcp://host:port``), each in a process of its own.

    A job whose worker is lost goes to another one, and goes on after its last epoch if both see
    the folder of runs.

    Raises
    ------
    UsageError : no scheduler answers there
    """
    from distributed import Client, as_completed

    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--scheduler {scheduler}: none answers there ({error}); start `dask scheduler`"
        ) from error
    with client:
        futures = [
            client.submit(work_apart, job, options, key=str(job), pure=False, retries=2) for job in jobs
        ]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            client.cancel(futures)
