"""An estimator trained on files in a run folder, and going on with one: what the command line does, for every job."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console

from loopcell.data.stored import beside
from loopcell.errors import UsageError
from loopcell.tasks.core.estimator import Estimator, RunContext, what_to_try
from loopcell.tasks.core.from_files.opened import Opened, OpenedFiles, Tell, untold
from loopcell.tasks.core.model_file import described
from loopcell.tasks.core.models import TASKS, files_class, model_class
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.settings import checked
from loopcell.tasks.core.verdict import MODEL, UNKNOWN, UNLABELLED
from loopcell.training.progress import working
from loopcell.training.run_folder import RunFolder, free_folder
from loopcell.training.run_lock import is_first_process, only_process


@dataclass(frozen=True)
class TrainedEstimator:
    """The outcome of a run.

    Attributes:
        run: its folder.
        estimator: trained, or as far as it came when it was interrupted.
        score: the held-out part beside the baselines; None when nothing was held out, or it was interrupted.
        notes: what the user should know about the data and the run; what there is to know of files was told when they
            were read.
    """

    run: RunFolder
    estimator: Estimator
    score: ScoreTable | None
    notes: tuple[str, ...]

    def verdict(self) -> str:
        """Say in one sentence whether the model beats its best baseline, and what to try where it does not."""
        if self.score is None:
            return UNKNOWN
        found = self.score.verdict()
        if found is None:
            alone = set(self.score.rows) == {MODEL}
            return "there is no baseline to hold the model against" if alone else UNLABELLED
        estimator = self.estimator
        advice = what_to_try(estimator.outcome_, checked(estimator), estimator.pace_)
        said = any(note.endswith(advice) for note in self.notes)
        return found.sentence if found.beaten or said or not found.improvable else f"{found.sentence}; {advice}"


def train_on_files(
    estimator: Estimator,
    data: OpenedFiles,
    held_out: OpenedFiles | None,
    folder: Path | None,
    tell: Tell = untold,
    *,
    began: float | None = None,
) -> TrainedEstimator:
    """Train an estimator on files and keep everything in a new run folder.

    Args:
        estimator: with its arguments, not fitted.
        data: what to train on (`open_files`).
        held_out: what to choose the best weights by; None holds out a part of `data`.
        folder: the run folder, new or empty; None finds a new name under `runs/`.
        tell: called with what the user should know of the data and how they are read, before training.
        began: by `time.monotonic`, when the command began for all of which the limit holds; None: for training.

    Raises:
        DataError: an example cannot be used; the sentence names file and row.
        UsageError: the folder is taken, or an argument is out of its bounds.
        TrainingError: the loss is not finite.
    """
    context = RunContext(began=began, tell=tell, columns=data.columns, source=source_of(data, held_out))
    with new_run(estimator, data.spec.files, folder) as run, estimator.within(context), beside(run.path.parent):
        return _fit(estimator, (data, held_out), run, resume=False)


@contextmanager
def new_run(estimator: Estimator, files: Sequence[Path], folder: Path | None) -> Iterator[RunFolder]:
    """Give a run folder to train in; when nothing was trained there, nothing is left of it."""
    name = f"{files[0].stem}-{estimator.run_suffix or TASKS[estimator.task].verb}"
    run = RunFolder(folder or free_folder(Path("runs"), name))
    existed = run.path.exists()
    try:
        yield run
    except BaseException:
        if not existed and run.never_began() and is_first_process():
            shutil.rmtree(run.path, ignore_errors=True)
        raise


def resume(
    folder: Path,
    longer: Mapping[str, Any] = MappingProxyType({}),
    tell: Tell = untold,
    *,
    began: float | None = None,
) -> TrainedEstimator:
    """Go on with a run; its files have to be there, as they were. One that never began is begun anew.

    Args:
        folder: the run folder.
        longer: settings of the whole run in place of those that it was started with: epochs, patience, time_limit.
        tell: called with what the user should know of the data and how they are read, before training.
        began: by `time.monotonic`, when the command began for all of which the limit holds; None: for training.

    Raises:
        UsageError: it is not a run of an estimator that was trained on files, or its data have changed.
        FileFormatError: a file of it is damaged.
    """
    run = RunFolder(folder)
    config = run.read_config()
    with only_process(run):
        with described(run):
            task = str(config["task"])
            estimator, source = model_class(task).from_run(run)
        _make_longer(estimator, longer)
        estimator.set_params(progress=True)
        files = files_class(task)
        opened = files.reopen(run, source, checked(estimator), tell)
        if files.begins_anew(run):
            run.clear()
            return train_on_files(estimator, *opened, folder, tell, began=began)
        context = RunContext(began=began, tell=tell, columns=estimator.columns_, source=source)
        with estimator.within(context), beside(run.path.parent):
            return _fit(estimator, opened, run, resume=True)


def _make_longer(estimator: Estimator, longer: Mapping[str, Any]) -> None:
    for name, value in longer.items():
        if name not in estimator.get_params():
            raise UsageError(f"a {estimator.task} has no {name} that could be changed")
        estimator.set_params(**{name: value})


def source_of(data: OpenedFiles, held_out: OpenedFiles | None) -> dict[str, Any]:
    """Return which files a run learns from, as its config keeps it."""
    return {
        "data": data.spec.model_dump(mode="json"),
        "held_out": None if held_out is None else held_out.spec.model_dump(mode="json"),
    }


def _fit(estimator: Estimator, files: Opened, run: RunFolder, *, resume: bool) -> TrainedEstimator:
    data, held_out = files
    with working(_shown_by(estimator), "reading the data"):
        loaded = data.load_training(estimator)
        validation = None if held_out is None else held_out.load_validation()
    try:
        estimator.fit_in_run(run, loaded, validation, resume=resume)
    except KeyboardInterrupt:
        if not hasattr(estimator, "outcome_"):
            raise
        return TrainedEstimator(run, estimator, None, tuple(estimator.notes_))
    with working(_shown_by(estimator), "scoring the held-out part"):
        score = estimator.score_held_out(*loaded, validation=validation)
    if score is not None and is_first_process():
        run.write_json(run.score, score.to_json())
    return TrainedEstimator(run, estimator, score, tuple(estimator.notes_))


def _shown_by(estimator: Any) -> Console | None:
    """Return where an estimator shows its progress, if it does."""
    return Console(stderr=True) if estimator.progress else None
