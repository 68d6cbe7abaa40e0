"""Train a language model on files in a run folder, and go on with one: what the command line does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from loopcell import cells
from loopcell.equations import Cell
from loopcell.errors import FileFormatError, UsageError
from loopcell.tasks.core.model_file import described
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.settings import checked
from loopcell.tasks.language_model.estimator import LanguageModel
from loopcell.tasks.language_model.run_files import never_read, read_job
from loopcell.training.loop import Outcome
from loopcell.training.run_folder import RunFolder, free_folder


@dataclass(frozen=True)
class TrainedLanguageModel:
    """A trained model and its run folder.

    Attributes:
        run: its folder.
        model: trained, or as far as it came when it was interrupted.
    """

    run: RunFolder
    model: LanguageModel

    @property
    def outcome(self) -> Outcome:
        """Return how it ended."""
        return self.model.outcome_

    @property
    def score(self) -> ScoreTable | None:
        """Return the best held-out score beside the baselines; None when nothing was held out."""
        return self.model.held_out_

    @property
    def notes(self) -> Sequence[str]:
        """Return what the user should know of the text and the run."""
        return self.model.notes_


def train_language_model(
    model: LanguageModel, files: Sequence[Path], held_out: Sequence[Path] = (), folder: Path | None = None
) -> TrainedLanguageModel:
    """Train a language model on files and keep everything in a new run folder.

    Args:
        model: with its arguments, not fitted.
        files: the texts; each is one document.
        held_out: texts to evaluate on; when there are none, the end of `files` is held out.
        folder: the run folder, new or empty; None finds a new name under `runs/`.

    Raises:
        DataError: a text cannot be read, is empty or too short.
        UsageError: the folder is taken, or the sizes do not fit the cell.
        TrainingError: the loss is not finite; the message names the update.
        FileWriteError: the disk is full; the last checkpoint stays.
    """
    folder = folder or free_folder(Path("runs"), f"{files[0].stem}-{cells.get(model.cell).name}")
    model.source_ = {"files": [str(path) for path in files], "held_out": [str(path) for path in held_out]}
    return _fit(model, files, held_out, folder, resume=False)


def resume_language_model(
    folder: Path, longer: Mapping[str, Any] = MappingProxyType({}), *, began: float | None = None
) -> TrainedLanguageModel:
    """Go on with a run from its last checkpoint, as if it had never stopped; its texts may be gone.

    A run that was cut off before its first checkpoint starts from the beginning.

    Args:
        folder: the run folder.
        longer: the length of the whole run in place of what was asked for at first: epochs, updates, patience or
            time_limit (seconds).
        began: by `time.monotonic`, when the command began for all of which a time limit holds; None: for training.

    Raises:
        UsageError: the folder is not a run, another process trains there, or the run had another number of processes.
        DataError: a token file of the run is missing.
        FileFormatError: another file of the run is missing or damaged, or does not belong to it.
    """
    run = RunFolder(folder)
    job = read_job(run)
    model = _model_of(run, job)
    model.set_params(**longer, progress=True)
    model.began_ = began
    model.source_ = source = job["source"]
    if not never_read(run):
        return _fit(model, None, (), folder, resume=True)
    if source is None:
        raise UsageError(
            f"{folder} was started from Python, and cut off before its texts were read; begin it anew there"
        )
    files, held_out = (list(map(Path, source[name])) for name in ("files", "held_out"))
    return _fit(model, files, held_out, folder, resume=True)


def _model_of(run: RunFolder, job: Mapping[str, Any]) -> LanguageModel:
    """Return the estimator that a run was started with; FileFormatError where its config describes none."""
    with described(run):
        try:
            cell = Cell.from_json(json.dumps(job["cell"]))
            model = LanguageModel(**job["config"], **job["hardware"], cell=cell, random_state=job["seed"])
            checked(model)
        except UsageError as error:
            raise FileFormatError(f"{run.config} is damaged: {error}") from error
    return model


def _fit(
    model: LanguageModel, files: Sequence[Path] | None, held_out: Sequence[Path], folder: Path, *, resume: bool
) -> TrainedLanguageModel:
    try:
        model.fit(files, validation=held_out or None, run=folder, resume=resume)
    except KeyboardInterrupt:
        if not hasattr(model, "outcome_"):
            raise
    return TrainedLanguageModel(RunFolder(folder), model)
