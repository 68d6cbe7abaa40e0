"""An estimator trained on files in a run folder, and going on with one: what the command line does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loopcell.errors import FileFormatError, LoopcellError, UsageError
from loopcell.tasks.config import FileExamples
from loopcell.tasks.estimator import Estimator, Pair, SequenceEstimator
from loopcell.tasks.file_examples import Tell, load_examples, untold
from loopcell.tasks.model_file import HOSTILE
from loopcell.tasks.models import TASKS, model_class
from loopcell.tasks.scores import ScoreTable
from loopcell.training.run_folder import RunFolder, free_folder


@dataclass(frozen=True)
class TrainedEstimator:
    """What came of a run.

    Attributes:
        run: its folder.
        estimator: trained, or as far as it came when it was interrupted.
        score: the held-out part beside the baselines; None when nothing was held out, or it was interrupted.
        notes: what the user should know about the data, beside what was told before training.
    """

    run: RunFolder
    estimator: Estimator
    score: ScoreTable | None
    notes: tuple[str, ...]


def train_estimator(
    estimator: SequenceEstimator,
    data: FileExamples,
    held_out: FileExamples | None,
    folder: Path | None,
    tell: Tell = untold,
) -> TrainedEstimator:
    """Train an estimator on files and keep everything in a new run folder.

    Args:
        estimator: with its arguments, not fitted.
        data: what to train on.
        held_out: what to choose the best weights by; None holds out a part of `data`.
        folder: the run folder, new or empty; None finds a new name under `runs/`.
        tell: called with what is guessed of the files, before training.

    Raises:
        DataError: an example cannot be used; the sentence names file and row.
        UsageError: the folder is taken, or an argument is out of its bounds.
        TrainingError: the loss is not finite.
    """
    estimator.columns_ = data.columns
    estimator.source_ = source_of(data, held_out)
    with new_run(estimator, data.files, folder) as run:
        return _fit(estimator, (data, held_out), run, tell, resume=False)


@contextmanager
def new_run(estimator: Estimator, files: Sequence[Path], folder: Path | None) -> Iterator[RunFolder]:
    """A run folder to train in; when nothing was trained there, nothing is left of it."""
    name = f"{files[0].stem}-{TASKS[estimator.task].verb}"
    run = RunFolder(folder or free_folder(Path("runs"), name))
    existed = run.path.exists()
    try:
        yield run
    except BaseException:
        if not existed and not run.last.exists():
            shutil.rmtree(run.path, ignore_errors=True)
        raise


def resume_estimator(folder: Path, seconds: float | None = None, tell: Tell = untold) -> TrainedEstimator:
    """Go on with a run; its files have to be there, as they were.

    Args:
        folder: the run folder.
        seconds: a time limit for the whole run in place of the one it was started with.
        tell: called with what is guessed of the files, before training.

    Raises:
        UsageError: it is not a run of an estimator that was trained on files, or its data have changed.
        FileFormatError: a file of it is damaged.
    """
    run, estimator = reopened(folder, seconds)
    with described(run):
        data, held_out = files_of(estimator.source_)
    if run.never_began():
        shutil.rmtree(run.path)
        return train_estimator(estimator, data, held_out, folder, tell)
    return _fit(estimator, (data, held_out), run, tell, resume=True)


def reopened(folder: Path, seconds: float | None) -> tuple[RunFolder, Any]:
    """A run, and its estimator with the arguments and the `source_` that it was started with; errors as above."""
    run = RunFolder(folder)
    config = run.read_config()
    source = config.get("source")
    if not source:
        raise UsageError(f"{folder} was started from Python; go on with it there: fit(X, y, run=..., resume=True)")
    with described(run):
        estimator = model_class(str(config["task"])).from_facts(config)
        estimator.set_params(random_state=config["seed"], progress=True)
        estimator.source_ = dict(source)
    if seconds is not None:
        estimator.set_params(time_limit=seconds)
    return run, estimator


def source_of(data: FileExamples, held_out: FileExamples | None) -> dict[str, Any]:
    """Which files a run learns from, as its config keeps it."""
    return {"data": data.model_dump(mode="json"), "held_out": held_out and held_out.model_dump(mode="json")}


def files_of(source: dict[str, Any]) -> tuple[FileExamples, FileExamples | None]:
    """What `source_of` was given; any exception when it was not given by it."""
    data, given = source["data"], source["held_out"]
    return FileExamples.model_validate(data), given and FileExamples.model_validate(given)


@contextmanager
def described(run: RunFolder) -> Iterator[None]:
    """Turn what goes wrong while a run's config is read into a FileFormatError."""
    try:
        yield
    except LoopcellError:
        raise
    except HOSTILE as error:
        raise FileFormatError(f"{run.config} is damaged: it does not describe a run") from error


def evaluate_files(
    model: SequenceEstimator, data: FileExamples, training: FileExamples | None, tell: Tell = untold
) -> ScoreTable:
    """Score a model on files; with training data also baselines that learn from them. Errors as `load_examples`."""
    known = load_examples(training, tell) if training else None
    examples = load_examples(data, tell)
    return model.evaluate(examples.X, examples.y, training=(known.X, known.y) if known else None)


def _fit(
    estimator: SequenceEstimator,
    files: tuple[FileExamples, FileExamples | None],
    run: RunFolder,
    tell: Tell,
    *,
    resume: bool,
) -> TrainedEstimator:
    data, held_out = files
    if data.vectors:
        from loopcell.tasks.vectors.run import ready_vectors

        estimator.set_params(embedding=ready_vectors(data.vectors, tell, frozen=data.frozen))
    loaded = load_examples(data, tell)
    given = load_examples(held_out, tell) if held_out else None
    training, rest = estimator.parts(loaded.X, loaded.y, validation=(given.X, given.y) if given else None)
    try:
        estimator.fit(*training, validation=rest, run=run.path, resume=resume)
    except KeyboardInterrupt:
        if not hasattr(estimator, "outcome_"):
            raise
        return TrainedEstimator(run, estimator, None, loaded.notes)
    score = _scored(estimator, training, rest, run)
    return TrainedEstimator(run, estimator, score, (*loaded.notes, *estimator.notes_))


def _scored(estimator: Any, training: Pair, rest: Pair | None, run: RunFolder) -> ScoreTable | None:
    if rest is None:
        return None
    score: ScoreTable = estimator.evaluate(*rest, training=training)
    run.write_json(run.path / "score.json", score.to_json())
    return score
