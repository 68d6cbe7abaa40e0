"""Every kind of model by the name of its task, as model files and run folders have it."""

from __future__ import annotations

from importlib import import_module
from os import PathLike
from typing import Any, NamedTuple

from loopcell.errors import FileFormatError, quoted
from loopcell.tasks.core.model_kind import model_path, read_task


class Task(NamedTuple):
    """One kind of model.

    Attributes:
        model: its class in `loopcell.tasks`, with `load` and `save`.
        verb: what trains it: `loopcell train VERB`.
    """

    model: str
    verb: str


TASKS = {
    "anomaly-detector": Task("AnomalyDetector", "anomaly"),
    "captioner": Task("Captioner", "caption"),
    "chat": Task("Chat", "chat"),
    "forecaster": Task("Forecaster", "forecast"),
    "language-model": Task("LanguageModel", "lm"),
    "seq2seq": Task("Seq2Seq", "translate"),
    "sequence-classifier": Task("SequenceClassifier", "classify"),
    "sequence-regressor": Task("SequenceRegressor", "regress"),
    "sequence-tagger": Task("SequenceTagger", "tag"),
    "word-vectors": Task("WordVectors", "vectors"),
}


def demand_known(task: str) -> None:
    """Refuse the name of no task; FileFormatError."""
    if task not in TASKS:
        raise FileFormatError(f"there is no task {quoted(task)} in this loopcell; a newer one may have it")


def model_class(task: str) -> Any:
    """The class of a task's models.

    Raises:
        FileFormatError: no task has that name.
    """
    demand_known(task)
    return getattr(import_module("loopcell.tasks"), TASKS[task].model)


def load_model(path: str | PathLike[str]) -> Any:
    """Read any model file, or that of a run's folder: a `LanguageModel`, a `Chat`, ...; errors as their `load`."""
    file = model_path(path)
    return model_class(read_task(file)).load(file)
