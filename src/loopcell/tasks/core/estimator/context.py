"""What a run knows that an estimator could not know by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from loopcell.tasks.core.from_files.config import Columns


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
