"""An estimator of time series trained on files in a run folder, and going on with one: what the command line does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from loopcell.data import Records
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.from_files.examples import Tell, open_records, untold
from loopcell.tasks.core.from_files.run import (
    TrainedEstimator,
    new_run,
    reopened,
    shown_by,
    source_of,
)
from loopcell.tasks.core.settings import checked
from loopcell.tasks.forecasting.estimator import SeriesEstimator
from loopcell.tasks.forecasting.settings import columns_named
from loopcell.training.progress import working
from loopcell.training.run_folder import RunFolder


def train_series(
    estimator: SeriesEstimator,
    data: FileExamples,
    held_out: FileExamples | None,
    folder: Path | None,
    tell: Tell = untold,
) -> TrainedEstimator:
    """Train an estimator on tables and keep everything in a new run folder.

    Args:
        estimator: with its arguments, not fitted.
        data: what to train on.
        held_out: what to choose the best weights by; None holds out the end of each series.
        folder: the run folder, new or empty; None finds a new name under `runs/`.
        tell: called with what the user should know of the data and how they are read, before training.

    Raises:
        DataError: the data cannot be used; the sentence names file and row.
        UsageError: the folder is taken, or an argument is out of its bounds.
        TrainingError: the loss is not finite.
    """
    estimator.source_ = source_of(data, held_out)
    with new_run(estimator, data.files, folder) as run:
        return _fit(estimator, (data, held_out), run, tell, resume=False)


def resume_series(
    folder: Path,
    longer: Mapping[str, Any] = MappingProxyType({}),
    tell: Tell = untold,
    *,
    began: float | None = None,
) -> TrainedEstimator:
    """Go on with a run; arguments and errors as `resume_estimator`."""
    with reopened(folder, longer, began) as (run, estimator, files):
        if run.never_began():
            run.clear()
            return train_series(estimator, *files, folder, tell)
        return _fit(estimator, files, run, tell, resume=True)


def open_table(spec: FileExamples, estimator: SeriesEstimator, tell: Tell = untold) -> Records:
    """Return the rows of a table with the columns that an estimator of series asks for; errors as `read`."""
    return open_records(spec, tell, columns_named(checked(estimator)))


def _fit(
    estimator: Any, files: tuple[FileExamples, FileExamples | None], run: RunFolder, tell: Tell, *, resume: bool
) -> TrainedEstimator:
    table, validation = (None if each is None else open_table(each, estimator, tell) for each in files)
    assert table is not None
    try:
        with estimator.telling(tell):
            estimator.fit(table, validation=validation, run=run.path, resume=resume)
    except KeyboardInterrupt:
        if not hasattr(estimator, "outcome_"):
            raise
        return TrainedEstimator(run, estimator, None, tuple(estimator.notes_))
    with working(shown_by(estimator), "scoring the held-out part"):
        score = estimator.score_held_out(table, validation)
    if score is not None:
        run.write_json(run.path / "score.json", score.to_json())
    return TrainedEstimator(run, estimator, score, tuple(estimator.notes_))
