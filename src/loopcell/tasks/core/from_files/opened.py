"""How a job reads files: one class for each kind of data, which `loopcell.tasks.core.models` names for each task.

Files are opened once. What they are and which columns they have is checked then, without torch; their rows are read
when a model asks for them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

from loopcell.tasks.core.from_files.config import Columns, FileExamples

Tell = Callable[[str], None]
"""What is called with each sentence that the user should know before anything is learned."""


def untold(_note: str) -> None:
    """Tell nobody."""


class OpenedFiles(ABC):
    """Files that were opened for one job.

    Args:
        spec: which files, and how they are read.
        tell: called with what the user should know of them.

    Attributes:
        columns: what a model that learns from them remembers of their columns; None for nothing.
    """

    columns: Columns | None = None

    def __init__(self, spec: FileExamples, tell: Tell = untold) -> None:
        self.spec, self.tell = spec, tell

    @classmethod
    @abstractmethod
    def open(cls, spec: FileExamples, settings: Any, tell: Tell = untold) -> Self:
        """Open files to learn from, say how they are read, and find their columns.

        Args:
            spec: the files.
            settings: the arguments of the estimator that is to learn from them.
            tell: called with what the user should know, before it could lead to an error.

        Raises:
            DataError: a file cannot be read, or lacks a column; the sentence names it.
            UsageError: it is not clear which column is meant.
        """

    @classmethod
    @abstractmethod
    def open_for(cls, spec: FileExamples, model: Any, tell: Tell = untold) -> Self:
        """Open files to score a trained model on: what is not said of columns is as in training; errors as `open`."""

    @abstractmethod
    def load(self) -> tuple[Any, ...]:
        """Read what `fit`, `score_held_out` and `evaluate` of the job's estimators take as arguments by position.

        Raises:
            DataError: a row cannot be used; the sentence names file and row.
        """

    def load_training(self, estimator: Any) -> tuple[Any, ...]:
        """Read what an estimator is to learn from, and give it what else the files have for it; errors as `load`."""
        return self.load()

    def load_validation(self) -> Any:
        """Read what `fit` takes as `validation`; errors as `load`."""
        found = self.load()
        return found if len(found) > 1 else found[0]
