"""Reading the files of a job: one class for each kind of data, which `loopcell.tasks.core.models` names for each task.

Files are opened once. What they are and which columns they have is checked then, without torch; their rows are read
when a model asks for them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from loopcell.tasks.core.from_files.config import Columns, FileExamples
from loopcell.training.config import configure
from loopcell.training.run_folder import RunFolder

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
    cuts_windows: ClassVar[bool] = False
    """Whether sequences are cut from rows, so that a stride is from one window to the next."""

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

    @classmethod
    def demand(cls, spec: FileExamples) -> None:
        """Refuse files that cannot be opened, whatever their columns; DataError says why."""
        from loopcell.tasks.core.from_files.examples import open_records

        open_records(spec)

    @classmethod
    def reopen(cls, run: RunFolder, source: Mapping[str, Any], settings: Any, tell: Tell) -> Opened:
        """Open the files of a run that goes on.

        Args:
            run: its folder.
            source: which files it learns from, as its config keeps them.
            settings: the arguments of its estimator.
            tell: as for `open`.

        Raises:
            FileFormatError: its config is damaged.
        """
        from loopcell.tasks.core.model_file import described

        with described(run):
            data, held_out = (
                part and FileExamples.model_validate(part) for part in (source["data"], source["held_out"])
            )
        return cls.open_both(data, held_out, settings, tell)

    @classmethod
    def open_both(cls, data: FileExamples, held_out: FileExamples | None, settings: Any, tell: Tell) -> Opened:
        """Open what to train on and what to choose the best weights by, in the same way; errors as `open`."""
        opened = cls.open(data, settings, tell)
        if held_out is None:
            return opened, None
        paired = {"paired": opened.spec.paired}
        return opened, cls.open(configure(FileExamples, {**held_out.model_dump(), **paired}), settings, tell)

    @classmethod
    def begins_anew(cls, run: RunFolder) -> bool:
        """Return whether a run that goes on has to be cleared first: it was cut off before there was anything in it."""
        return run.never_began()

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


Opened = tuple[OpenedFiles, OpenedFiles | None]
"""What to train on, and what to choose the best weights by, where that is not a part of it."""
