"""An estimator of time series trained on files in a run folder, and going on with one: what the command line does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from loopcell.tasks.config import FileExamples
from loopcell.tasks.estimator_run import (
    TrainedEstimator,
    described,
    files_of,
    new_run,
    reopened,
    shown_by,
    source_of,
)
from loopcell.tasks.file_examples import open_records
from loopcell.tasks.forecasting import SeriesEstimator
from loopcell.training.progress import working
from loopcell.training.run_folder import RunFolder


def train_series(
    estimator: SeriesEstimator, data: FileExamples, held_out: FileExamples | None, folder: Path | None
) -> TrainedEstimator:
    """Train an estimator on tables and keep everything in a new run folder.

    Args:
        estimator: with its arguments, not fitted.
        data: what to train on.
        held_out: what to choose the best weights by; None holds out the end of each series.
        folder: the run folder, new or empty; None finds a new name under `runs/`.

    Raises:
        DataError: the data cannot be used; the sentence names file and row.
        UsageError: the folder is taken, or an argument is out of its bounds.
        TrainingError: the loss is not finite.
    """
    estimator.source_ = source_of(data, held_out)
    with new_run(estimator, data.files, folder) as run:
        return _fit(estimator, data, held_out, run, resume=False)


def resume_series(
    folder: Path, longer: Mapping[str, Any] = MappingProxyType({}), *, began: float | None = None
) -> TrainedEstimator:
    """Go on with a run; arguments and errors as `resume_estimator`."""
    with reopened(folder, longer) as (run, estimator):
        estimator.began_ = began
        with described(run):
            data, held_out = files_of(estimator.source_)
        if run.never_began():
            run.clear()
            return train_series(estimator, data, held_out, folder)
        return _fit(estimator, data, held_out, run, resume=True)


def _fit(
    estimator: Any, data: FileExamples, held_out: FileExamples | None, run: RunFolder, *, resume: bool
) -> TrainedEstimator:
    table = open_records(data)
    validation = open_records(held_out) if held_out else None
    try:
        estimator.fit(table, validation=validation, run=run.path, resume=resume)
    except KeyboardInterrupt:
        if not hasattr(estimator, "outcome_"):
            raise
        return TrainedEstimator(run, estimator, None, ())
    skipped = (str(table.skipped),) if table.skipped else ()
    with working(shown_by(estimator), "scoring the held-out part"):
        score = estimator.score_held_out(table, validation)
    notes = (*table.notes, *skipped, *estimator.notes_)
    if score is not None:
        run.write_json(run.path / "score.json", score.to_json())
    return TrainedEstimator(run, estimator, score, notes)
