"""An estimator as a part of a run on files: what the run knows, and what it asks of the estimator."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from loopcell.errors import UsageError
from loopcell.tasks.core.from_files.config import Columns
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.training.run_folder import RunFolder


@dataclass(frozen=True)
class RunContext:
    """The run that a `fit` is a part of; from Python there is none, and this is empty.

    Attributes:
        began: by `time.monotonic`, the start of the command whose time limit holds for more than `fit`.
        tell: called with each note as soon as there is one: most of them before training.
        columns: of the files that the data come from, which a model remembers for `loopcell predict`.
        source: which files these are, for `loopcell resume`.
    """

    began: float | None = None
    tell: Callable[[str], None] | None = None
    columns: Columns | None = None
    source: Mapping[str, Any] | None = None


class PartOfRun(ABC):
    """The part of an estimator that `train_on_files` and `resume` of `loopcell.tasks.core.from_files.run` ask for."""

    _context = RunContext()
    _columns: Columns | None = None
    time_limit: float | None

    @property
    def columns_(self) -> Columns | None:
        """The columns of the files that the shell trained it on, for `loopcell predict`; None from Python."""
        return self._columns

    @property
    def run_suffix(self) -> str:
        """The end of the name of a new run's folder; "" for the verb that trains it."""
        return ""

    @contextmanager
    def within(self, context: RunContext) -> Iterator[None]:
        """Fit and score as a part of a run."""
        self._context = context
        try:
            yield
        finally:
            del self._context

    def fit_in_run(self, run: RunFolder, data: tuple[Any, ...], validation: Any, *, resume: bool) -> None:
        """Learn from what the job's `OpenedFiles` read, and keep it in a folder; errors as `fit`."""
        self.fit(*data, validation=validation, run=run.path, resume=resume)

    @abstractmethod
    def fit(self, *data: Any, **options: Any) -> Self:
        """Learn from examples."""

    @abstractmethod
    def score_held_out(self, *data: Any, **options: Any) -> ScoreTable | None:
        """Return the metrics on what `fit` with the same data held out, beside baselines; None for nothing."""

    def seconds_left(self) -> float | None:
        """Return what is left of the time limit, for what follows training; None without a limit, and at least 0."""
        began = self._context.began
        if self.time_limit is None or began is None:
            return None
        return max(0.0, began + float(self.time_limit) - time.monotonic())

    @classmethod
    def from_run(cls, run: RunFolder) -> tuple[Self, Mapping[str, Any] | None]:
        """Return the estimator of a run's folder, without weights, and which files it learns from.

        Raises:
            UsageError: it was not started on files.
            Exception: any, when the folder's config is damaged.
        """
        config = run.read_config()
        if not config.get("source"):
            raise UsageError(
                f"{run.path} was started from Python; go on with it there: fit(X, y, run=..., resume=True)"
            )
        estimator = cls.from_facts(config)
        estimator.set_params(random_state=config["seed"])
        return estimator, config["source"]

    @classmethod
    @abstractmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Return an estimator without weights of what a file or a run's config says."""

    @abstractmethod
    def set_params(self, **params: Any) -> Self:
        """Change arguments, as scikit-learn does."""
