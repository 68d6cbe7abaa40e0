"""Every kind of model by the name of its task, as model files and run folders have it."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

from loopcell.errors import FileFormatError, quoted
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.from_files.opened import Opened, OpenedFiles, Tell, untold
from loopcell.tasks.core.model_kind import model_path, read_task

if TYPE_CHECKING:
    from loopcell.tasks.core.run_record import RunRecord


class Task(NamedTuple):
    """One kind of model.

    Attributes:
        model: its class in `loopcell.tasks`, with `load` and `save`.
        verb: what trains it: `loopcell train VERB`.
        files: how its files are read: a class of `OpenedFiles`, by its module in `loopcell.tasks` and its name.
    """

    model: str
    verb: str
    files: str = "core.from_files.example_files:ExampleFiles"


WRITES = "language-model"
LENGTH, TEMPERATURE = 400, 0.8
"""The task whose runs show a sample, its characters, and how it is drawn."""

SERIES = "forecasting.files:SeriesFiles"

TASKS = {
    "anomaly-detector": Task("AnomalyDetector", "anomaly", SERIES),
    "captioner": Task("Captioner", "caption"),
    "chat": Task("Chat", "chat"),
    "forecaster": Task("Forecaster", "forecast", SERIES),
    "language-model": Task("LanguageModel", "lm", "language_model.files:TextFiles"),
    "seq2seq": Task("Seq2Seq", "translate"),
    "sequence-classifier": Task("SequenceClassifier", "classify"),
    "sequence-regressor": Task("SequenceRegressor", "regress"),
    "sequence-tagger": Task("SequenceTagger", "tag"),
    "word-vectors": Task("WordVectors", "vectors", "word_vectors.files:SentenceFiles"),
}


def demand_known(task: str) -> None:
    """Refuse the name of no task; FileFormatError."""
    if task not in TASKS:
        raise FileFormatError(f"there is no task {quoted(task)} in this loopcell; a newer one may have it")


def model_class(task: str) -> Any:
    """Return the class of a task's models.

    Raises:
        FileFormatError: no task has that name.
    """
    demand_known(task)
    return getattr(import_module("loopcell.tasks"), TASKS[task].model)


def files_class(task: str) -> type[OpenedFiles]:
    """Return the class that opens the files of a task, without torch.

    Raises:
        FileFormatError: no task has that name.
    """
    demand_known(task)
    module, _, name = TASKS[task].files.partition(":")
    found: type[OpenedFiles] = getattr(import_module(f"loopcell.tasks.{module}"), name)
    return found


def open_files(
    task: str, settings: Any, data: FileExamples, held_out: FileExamples | None, tell: Tell = untold
) -> Opened:
    """Open the files of a run, once: what is wrong with them, but for their rows, is said here, without torch.

    Args:
        task: the estimator's name.
        settings: its arguments.
        data: what to train on.
        held_out: what to choose the best weights by; None holds out a part of `data`.
        tell: called with what the user should know of the files and how they are read.

    Raises:
        DataError: a file cannot be read, or lacks a column.
        UsageError: it is not clear which column is meant.
    """
    return files_class(task).open_both(data, held_out, settings, tell)


def load_model(path: str | PathLike[str]) -> Any:
    """Read any model file, or that of a run's folder: a `LanguageModel`, a `Chat`, ...; errors as their `load`."""
    file = model_path(path)
    return model_class(read_task(file)).load(file)


def open_run(folder: str | PathLike[str]) -> RunRecord:
    """Read what a run's folder tells of it, while it trains or afterwards; a language model's writes a sample too.

    Raises:
        UsageError: the folder is no run's, or training has not come to a row of metrics yet.
        FileFormatError: a file of it is damaged.
    """
    from loopcell.tasks.core.run_record import read_run

    record, file = read_run(folder), model_path(folder)
    if record.task != WRITES or record.failure or not file.is_file():
        return record
    return replace(record, samples=[load_model(file).sample(length=LENGTH, temperature=TEMPERATURE, seed=1)])
