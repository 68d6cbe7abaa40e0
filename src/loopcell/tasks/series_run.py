"""An estimator of time series trained on files in a run folder, and going on with one: what the command line does."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loopcell.tasks.estimator_run import TrainedEstimator, described, new_run, reopened
from loopcell.tasks.forecasting import SeriesEstimator
from loopcell.training.run_folder import RunFolder

Files = Sequence[Path]


def train_series(
    estimator: SeriesEstimator, files: Files, held_out: Files | None, folder: Path | None
) -> TrainedEstimator:
    """Train an estimator on tables and keep everything in a new run folder.

    Args:
        estimator: with its arguments, not fitted.
        files: what to train on.
        held_out: what to choose the best weights by; None holds out the end of each series.
        folder: the run folder, new or empty; None finds a new name under `runs/`.

    Raises:
        DataError: the data cannot be used; the sentence names file and row.
        UsageError: the folder is taken, or an argument is out of its bounds.
        TrainingError: the loss is not finite.
    """
    estimator.source_ = {"files": list(map(str, files)), "held_out": held_out and list(map(str, held_out))}
    with new_run(estimator, files, folder) as run:
        return _fit(estimator, files, held_out, run, resume=False)


def resume_series(folder: Path, seconds: float | None = None) -> TrainedEstimator:
    """Go on with a run; arguments and errors as `resume_estimator`."""
    run, estimator = reopened(folder, seconds)
    with described(run):
        files, given = [Path(name) for name in estimator.source_["files"]], estimator.source_["held_out"]
        held_out = given and [Path(name) for name in given]
    if run.never_began():
        shutil.rmtree(run.path)
        return train_series(estimator, files, held_out, folder)
    return _fit(estimator, files, held_out, run, resume=True)


def _fit(estimator: Any, files: Files, held_out: Files | None, run: RunFolder, *, resume: bool) -> TrainedEstimator:
    data = _source(files)
    validation = None if held_out is None else _source(held_out)
    try:
        estimator.fit(data, validation=validation, run=run.path, resume=resume)
    except KeyboardInterrupt:
        if not hasattr(estimator, "outcome_"):
            raise
        return TrainedEstimator(run, estimator, None, ())
    score = estimator.score_held_out(data, validation)
    if score is not None:
        run.write_json(run.path / "score.json", score.to_json())
    return TrainedEstimator(run, estimator, score, tuple(estimator.notes_))


def _source(files: Files) -> Path | list[Path]:
    """One file, or several, as `loopcell.data.read` takes them."""
    return files[0] if len(files) == 1 else list(files)
