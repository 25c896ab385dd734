"""Run a job in a child process: ``python -m training.study.child_job IN OUT``.

Keras draws weights from Python's global random generator. The threads of a Dask worker use that
generator too, so two runs with the same seed would differ. IN holds the pickled (job, options), OUT
receives the result.
"""

from __future__ import annotations

import pickle
import sys
import tempfile
from pathlib import Path

from training.base.child import ChildError, run_child
from training.records.jobs import Job
from training.study.task import Options
from training.study.work import Result, work


def work_in_child(job: Job, options: Options) -> Result:
    """Run one job in a child process.

    Raises
    ------
    RuntimeError
        If the child ends without a result; the message is its last line.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder, "given"), Path(folder, "made")
        given.write_bytes(pickle.dumps((job, options)))
        try:
            run_child("training.study.child_job", given, made)
        except ChildError as error:
            raise RuntimeError(f"{job} {error}") from error
        result: Result = pickle.loads(made.read_bytes())
        return result


if __name__ == "__main__":
    job, options = pickle.loads(Path(sys.argv[1]).read_bytes())
    Path(sys.argv[2]).write_bytes(pickle.dumps(work(job, options)))
