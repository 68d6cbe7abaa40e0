"""An estimator trained on files in a run folder, and going on with one: what the command line does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from rich.console import Console

from loopcell.errors import UsageError
from loopcell.tasks.core.estimator import Estimator, Pair, SequenceEstimator, what_to_try
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.from_files.examples import Tell, columns_of, demand_sequences, load_examples, untold
from loopcell.tasks.core.model_file import described
from loopcell.tasks.core.models import TASKS, model_class
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.settings import checked, drawn_seed
from loopcell.tasks.core.verdict import MODEL, UNKNOWN, UNLABELLED
from loopcell.training.progress import working
from loopcell.training.run_folder import RunFolder, free_folder
from loopcell.training.run_lock import only_process

A_SECOND = 500  # examples that a baseline learns from in a second, on a slow machine
FEWEST = 100  # examples that are worth a baseline

LEAST_SHARE = 0.05  # of a time limit, for scores, where training has used it up


@dataclass(frozen=True)
class TrainedEstimator:
    """What came of a run.

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
        tell: called with what the user should know of the data and how they are read, before training.

    Raises:
        DataError: an example cannot be used; the sentence names file and row.
        UsageError: the folder is taken, or an argument is out of its bounds.
        TrainingError: the loss is not finite.
    """
    estimator.columns_ = columns_of(data)
    estimator.source_ = source_of(data, held_out)
    with new_run(estimator, data.files, folder) as run:
        return _fit(estimator, (data, held_out), run, tell, resume=False)


@contextmanager
def new_run(estimator: Estimator, files: Sequence[Path], folder: Path | None) -> Iterator[RunFolder]:
    """Give a run folder to train in; when nothing was trained there, nothing is left of it.

    A seed that is to be drawn is drawn here: the split and the training go by the same one.
    """
    if estimator.random_state is None:
        estimator.set_params(random_state=drawn_seed(None))
    name = f"{files[0].stem}-{TASKS[estimator.task].verb}"
    run = RunFolder(folder or free_folder(Path("runs"), name))
    existed = run.path.exists()
    try:
        yield run
    except BaseException:
        if not existed and not run.last.exists():
            shutil.rmtree(run.path, ignore_errors=True)
        raise


def resume_estimator(
    folder: Path,
    longer: Mapping[str, Any] = MappingProxyType({}),
    tell: Tell = untold,
    *,
    began: float | None = None,
) -> TrainedEstimator:
    """Go on with a run; its files have to be there, as they were.

    Args:
        folder: the run folder.
        longer: settings of the whole run in place of those that it was started with: epochs, patience, time_limit.
        tell: called with what the user should know of the data and how they are read, before training.
        began: by `time.monotonic`, when the command began for all of which the limit holds; None: for training.

    Raises:
        UsageError: it is not a run of an estimator that was trained on files, or its data have changed.
        FileFormatError: a file of it is damaged.
    """
    with reopened(folder, longer, began) as (run, estimator, files):
        if run.never_began():
            run.clear()
            return train_estimator(estimator, *files, folder, tell)
        return _fit(estimator, files, run, tell, resume=True)


@contextmanager
def reopened(
    folder: Path, longer: Mapping[str, Any], began: float | None
) -> Iterator[tuple[RunFolder, Any, tuple[FileExamples, FileExamples | None]]]:
    """Hold a run, with its estimator and the files that it was started with; arguments and errors as above."""
    run = RunFolder(folder)
    config = run.read_config()
    with only_process(run):
        estimator = _estimator_of(run, config, longer)
        estimator.began_ = began
        with described(run):
            files = files_of(estimator.source_)
        yield run, estimator, files


def _estimator_of(run: RunFolder, config: dict[str, Any], longer: Mapping[str, Any]) -> Any:
    source = config.get("source")
    if not source:
        raise UsageError(f"{run.path} was started from Python; go on with it there: fit(X, y, run=..., resume=True)")
    with described(run):
        estimator = model_class(str(config["task"])).from_facts(config)
        estimator.set_params(random_state=config["seed"], progress=True)
        estimator.source_ = dict(source)
    for name, value in longer.items():
        if name not in estimator.get_params():
            raise UsageError(f"a {config['task']} has no {name} that could be changed")
        estimator.set_params(**{name: value})
    return estimator


def source_of(data: FileExamples, held_out: FileExamples | None) -> dict[str, Any]:
    """Which files a run learns from, as its config keeps it."""
    return {"data": data.model_dump(mode="json"), "held_out": held_out and held_out.model_dump(mode="json")}


def files_of(source: dict[str, Any]) -> tuple[FileExamples, FileExamples | None]:
    """What `source_of` was given; any exception when it was not given by it."""
    data, given = source["data"], source["held_out"]
    return FileExamples.model_validate(data), given and FileExamples.model_validate(given)


def ready_vectors(path: Path, tell: Tell, *, frozen: bool) -> Any:
    """Return the vectors of a file for `embedding=`, and tell what is to be known of the file.

    The class is asked for by name, since jobs do not import each other.
    """
    found = model_class("word-vectors").from_file(path)
    for note in getattr(found, "notes_", ()):
        tell(note)
    return found.as_embedding(frozen=frozen)


def evaluate_files(
    model: SequenceEstimator, data: FileExamples, training: FileExamples | None, tell: Tell = untold
) -> ScoreTable:
    """Score a model on files; with training data also baselines that learn from them. Errors as `load_examples`."""
    if model.slow_to_evaluate:
        model.set_params(progress=True)
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
        estimator.set_params(embedding=ready_vectors(data.vectors, tell, frozen=data.frozen))
    with working(shown_by(estimator), "reading the data"):
        loaded = load_examples(data, tell)
        if not (data.digits or estimator.reads_single_numbers):
            demand_sequences(loaded.X)
        given = load_examples(held_out, tell) if held_out else None
        training, rest = estimator.parts(loaded.X, loaded.y, validation=(given.X, given.y) if given else None)
    try:
        with estimator.telling(tell):
            estimator.fit(*training, validation=rest, run=run.path, resume=resume)
    except KeyboardInterrupt:
        if not hasattr(estimator, "outcome_"):
            raise
        return TrainedEstimator(run, estimator, None, tuple(estimator.notes_))
    with working(shown_by(estimator), "scoring the held-out part"):
        score = _scored(estimator, training, rest, run)
    return TrainedEstimator(run, estimator, score, tuple(estimator.notes_))


def shown_by(estimator: Any) -> Console | None:
    """Where an estimator shows its progress, if it does."""
    return Console(stderr=True) if estimator.progress else None


def _scored(estimator: Any, training: Pair, rest: Pair | None, run: RunFolder) -> ScoreTable | None:
    if rest is None:
        return None
    seconds = _seconds_left(estimator)
    score: ScoreTable = estimator.evaluate_within(*rest, training=_in_time(estimator, training), seconds=seconds)
    run.write_json(run.path / "score.json", score.to_json())
    return score


def _in_time(estimator: Any, training: Pair) -> Pair | None:
    """As many training examples as baselines can learn from in what is left of the time limit; None for none."""
    left, count = estimator.seconds_left(), len(training[0])
    most = count if left is None else min(count, int(left * A_SECOND))
    if most == count:
        return training
    estimator.notes_.append(
        f"the baselines learned from {most:,} of {count:,} training examples, for the time limit"
        if most >= FEWEST
        else "the baselines that learn were left out, for the time limit"
    )
    drawn = np.sort(np.random.default_rng(0).permutation(count)[:most])
    return (training[0].take(drawn), training[1].take(drawn)) if most >= FEWEST else None


def _seconds_left(estimator: Any) -> float | None:
    """What training has left of the time limit, or a little; None where there is no limit."""
    left: float | None = estimator.seconds_left()
    limit: float | None = checked(estimator).time_limit
    if left is not None or limit is None:
        return left
    return max(limit - float(estimator.outcome_.position.seconds), LEAST_SHARE * limit)
