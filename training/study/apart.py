"""A job in a process of its own, for workers that have threads: ``python -m training.study.apart IN OUT``.

Weights are drawn from Python's global generator, which the threads of a Dask worker use too;
two runs of one seed then differ. IN holds the pickled (job, options), OUT gets the result.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

from training.records.jobs import Job
from training.study.task import Options
from training.study.work import Result, work


def work_apart(job: Job, options: Options) -> Result:
    """Do one job in a child process.

    Raises
    ------
    RuntimeError : the child ended without a result; the message is its last line
    """
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder, "given"), Path(folder, "made")
        given.write_bytes(pickle.dumps((job, options)))
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        child = subprocess.run(
            [sys.executable, "-m", "training.study.apart", str(given), str(made)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
            check=False,
        )
        if child.returncode or not made.is_file():
            last = (child.stderr.strip().splitlines() or ["no message"])[-1]
            raise RuntimeError(f"{job} ended with code {child.returncode}: {last}")
        result: Result = pickle.loads(made.read_bytes())
        return result


if __name__ == "__main__":
    job, options = pickle.loads(Path(sys.argv[1]).read_bytes())
    Path(sys.argv[2]).write_bytes(pickle.dumps(work(job, options)))
