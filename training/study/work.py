"""One job done wherever an engine runs it: its threads, its progress and what the data do not allow."""

from __future__ import annotations

import multiprocessing
import os
import sys
from dataclasses import dataclass

from monitor.errors import MonitorError
from training.records.jobs import Job, JobRecord
from training.study.task import Options


@dataclass(frozen=True)
class Failure:
    """A job that could not be done, and why."""

    job: Job
    message: str


Result = JobRecord | Failure


def work(job: Job, options: Options) -> Result:
    """Do one job; what the data do not allow is a result, so that it does not end the others."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if options.threads:
        # Read when TensorFlow starts, so a process that has computed keeps what it had.
        os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(options.threads)
    from training.study.jobs import run_job

    try:
        return run_job(job, options, Teller(str(job)))
    except MonitorError as error:
        return Failure(job, str(error))


@dataclass(frozen=True)
class Teller:
    """Says each epoch on stderr, above the bar where this process draws one."""

    name: str

    def __call__(self, text: str) -> None:
        from tqdm import tqdm

        line = f"{self.name}: {text}"
        if multiprocessing.parent_process() is None:
            tqdm.write(line, file=sys.stderr)
        else:
            sys.stderr.write(line + "\n")
