"""Evaluate a trial by short jobs of the study, on their validation clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from training.base.progress import Progress
from training.errors import DataError
from training.records.jobs import Job, JobRecord
from training.study.task import Options


@dataclass(frozen=True)
class Validated:
    """Runs a model on a fold, or reads its record; an :data:`~training.study.search.run.Evaluate`."""

    options: Options
    seed: int
    records: Path
    report: Progress

    def __call__(self, model: str, fold: int) -> tuple[float, int]:
        """Return the validation accuracy of the selected epoch, and the number of validation clips.

        Raises
        ------
        DataError
            If the model has no epochs to validate, or the data do not allow the job.
        """
        record = self._record(Job("honest", model, fold, self.seed))
        accuracy = record.epochs[record.best_epoch - 1].val_accuracy if record.epochs else None
        if accuracy is None:
            raise DataError(f"{model} has no validation accuracy; search another model")
        return accuracy, record.data.validation_clips

    def _record(self, job: Job) -> JobRecord:
        from training.study.jobs import found, run_job

        before = found(job, self.options, self.records)
        if before is not None:
            return before
        record = run_job(job, self.options, lambda text: self.report(f"fold {job.test_fold}: {text}"))
        record.write(self.records)
        return record
