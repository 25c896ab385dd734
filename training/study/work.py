"""Run one job in any engine: set its threads, print its progress, return its errors."""

from __future__ import annotations

import multiprocessing
import os
import sys
from dataclasses import dataclass

from monitor.errors import MonitorError
from training.base.quiet import import_tensorflow
from training.records.jobs import Job, JobRecord
from training.study.task import Options


@dataclass(frozen=True)
class Failure:
    """A job that failed, and the reason."""

    job: Job
    message: str


Result = JobRecord | Failure


def work(job: Job, options: Options) -> Result:
    """Run one job; an error is returned as a result, so that the other jobs go on."""
    if options.threads:
        # TensorFlow reads these when it starts; a process that has computed keeps its threads.
        os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(options.threads)
    import_tensorflow()
    from training.study.jobs import run_job

    try:
        return run_job(job, options, EpochLog(str(job)))
    except MonitorError as error:
        return Failure(job, str(error))


@dataclass(frozen=True)
class EpochLog:
    """Prints each epoch of a job on stderr, above the progress bar if this process draws one."""

    name: str

    def __call__(self, text: str) -> None:
        from tqdm import tqdm

        line = f"{self.name}: {text}"
        if multiprocessing.parent_process() is None:
            tqdm.write(line, file=sys.stderr)
        else:
            sys.stderr.write(line + "\n")
